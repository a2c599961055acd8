"""What `keep_memory_whole` asks of the C library holds."""

import platform
import subprocess
import sys

import pytest

_CHILD = """
import ctypes
import sys

from upres.sandbox.kernel import keep_memory_whole

class Figures(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "abcdefghij"]

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.mallinfo2.restype = Figures
if sys.argv[1] == "kept":
    keep_memory_whole()
libc.free(libc.malloc(20 * 2**20))
before = libc.mallinfo2().e
libc.malloc(20 * 2**20)
print(libc.mallinfo2().e - before)
"""


def mapped_bytes(word: str) -> int:
    """Return how much of a second large block has a mapping of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, word], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_large_blocks_keep_mappings_of_their_own() -> None:
    # by itself the C library serves the second such block from an area that others lie in
    assert mapped_bytes("as it is") == 0
    assert mapped_bytes("kept") >= 20 * 2**20
