"""What every test gets: no network, a clean environment, repeatable random examples."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import hypothesis
import numpy as np
import pytest

from upres.models.spec import Channels, ModelFile, ModelSpec
from upres.upscale.upscaler import Network

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Planes = NDArray[np.float32]
    Levels = NDArray[np.uint8]

REPOSITORY = Path(__file__).resolve().parent.parent
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")

hypothesis.settings.register_profile(
    "upres", derandomize=True, deadline=None, max_examples=50, print_blob=True
)
hypothesis.settings.load_profile("upres")


def _local_only(name: str) -> Callable[..., Any]:
    """Wrap a connecting method of sockets: addresses of other machines fail the test."""
    original = getattr(socket.socket, name)

    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL_HOSTS:
            pytest.fail(f"a test may connect to this machine only, not to {address[0]}")
        return original(self, address)

    return connect


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests connect to this machine only, and look up no other machine's name.

    The failure is no OSError, so that nothing under test takes it for a network that is down.
    """
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        if host is not None and host not in LOCAL_HOSTS:
            pytest.fail(f"a test may look up this machine only, not {host}")
        return look_up(host, *args, **options)

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _local_only(name))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hide the developer's own settings, and keep models and measurements in temporary folders."""
    for name in list(os.environ):
        if name.startswith(("UPRES_", "PIP_")):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    # tests that import ONNX Runtime directly must not start its uploader
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("UPRES_MODEL_DIR", str(home / "models"))
    monkeypatch.setenv("UPRES_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("UPRES_SERVICE_DATA_FOLDER", str(home / "service"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of benchmark pictures beside the checkout; skip where there is none."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"the benchmark pictures of {folder} are not on this machine")
    return folder


class FakeSession:
    """A session whose network is a Python function of planes (C, h, w)."""

    def __init__(self, function: Callable[[Planes], Planes], spec: ModelSpec) -> None:
        self._function = function
        self._spec = spec

    def run(self, planes: Planes) -> Planes:
        """Hold the caller to the contract of `Session.run`, then call the function."""
        count, channels, height, width = planes.shape
        assert (count, channels) == (1, self._spec.channels.count)
        assert planes.dtype == np.float32
        assert planes.flags.c_contiguous
        enlarged = self._function(planes[0])
        scale = self._spec.scale
        assert enlarged.shape == (channels, height * scale, width * scale)
        return np.ascontiguousarray(enlarged[np.newaxis], np.float32)

    def run_levels(self, planes: Planes) -> Levels:
        """Round what `run` gives."""
        values = np.clip(self.run(planes)[0] / np.float32(self._spec.value_max), 0, 1)
        levels: Levels = (values * np.float32(255) + np.float32(0.5)).astype(np.uint8)
        return levels.transpose(1, 2, 0)

    def close(self) -> None:
        """Nothing to free."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None


@pytest.fixture(scope="session")
def fake_network() -> Callable[..., Network]:
    """Return what makes a network of a Python function, by default one for RGB in 0..1.

    `fake_network(function, scale=..., channels=..., value_max=..., halo_px=...)`
    """

    def network(
        function: Callable[[Planes], Planes],
        *,
        scale: int,
        channels: Channels = Channels.RGB,
        value_max: float = 1.0,
        halo_px: int = 4,
    ) -> Network:
        spec = ModelSpec(
            name="fake",
            scale=scale,
            channels=channels,
            value_max=value_max,
            halo_px=halo_px,
            working_bytes_per_px=1000,
            licence="none",
            origin="this test",
            file=ModelFile(name="fake.onnx", bytes=0, sha256=""),
        )
        return Network(spec=spec, session=FakeSession(function, spec))

    return network
