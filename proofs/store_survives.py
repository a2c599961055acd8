"""Measures that the model store survives kills, damage, company and a folder it may not write."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upres.errors import DownloadFailed, ModelDamaged, ModelMissing
from upres.models.store import ModelStore, StoreSettings

# Proofs run without pytest, which puts this folder on the path for tests.
sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
import store_child
from model_server import ModelServer, body, model_file, model_spec, stalled, unannounced

if TYPE_CHECKING:
    from upres.models.spec import ModelSpec

KILLS = 20
KILLS_AT_THE_END = 10
SIZE_BYTES = 4 * 2**20
NAME = "proof_x3.onnx"


def measure(seed: int) -> dict[str, Any]:
    """Return raw numbers for every part of the bar, and whether all of them hold.

    Needs Linux or macOS; run by root it gives its rights away where they would hide a failure.
    """
    chance = random.Random(seed)  # noqa: S311 - places of damage, nothing secret
    data = chance.randbytes(SIZE_BYTES)
    spec = model_spec(model_file(data, name=NAME))
    results = {
        "killed_in_mid_download": _with_folder(_killed, spec, data, chance),
        "killed_at_the_end": _with_folder(_killed_at_the_end, spec, data, chance),
        "flipped_bits": _with_folder(_flipped_bits, spec, data, chance),
        "wrong_size_here": _with_folder(_wrong_size_here, spec, data, chance),
        "wrong_size_there": _with_folder(_wrong_size_there, spec, data, chance),
        "two_at_once": _with_folder(_two_at_once, spec, data, chance),
        "read_only_folder": _with_folder(_read_only_folder, spec, data, chance),
    }
    passed = all(result["passed"] for result in results.values())
    return {"seed": seed, "bytes": SIZE_BYTES, **results, "passed": passed}


def _with_folder(part: Any, spec: ModelSpec, data: bytes, chance: random.Random) -> dict[str, Any]:
    """Run one part in a new folder that every account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="upres-proof-"))
    folder.chmod(0o755)
    began_s = time.monotonic()
    try:
        result: dict[str, Any] = part(spec, data, chance, folder)
    finally:
        shutil.rmtree(folder)
    return {**result, "seconds": round(time.monotonic() - began_s, 2)}


def _killed(spec: ModelSpec, data: bytes, chance: random.Random, folder: Path) -> dict[str, Any]:
    """Kill -9 after a random part of the file has arrived; then pull, which sweeps and succeeds."""
    arrived: list[int] = []
    visible = found = parts = 0
    with ModelServer() as server:
        store = _store(folder, server.url)
        for _ in range(KILLS):
            stop = chance.randrange(1, len(data))
            server.routes[f"/{NAME}"] = stalled(data, after_bytes=stop)
            child = store_child.start(spec, folder=folder, mirror=server.url)
            # What is written reaches the file in blocks: wait for all but the last.
            _wait(lambda stop=stop, pid=child.pid: _arrived(folder, pid) >= max(1, stop - 2**18))
            child.kill()
            child.communicate()
            arrived.append(_arrived(folder, child.pid))
            visible += len(_visible(folder))
            parts += len(list(folder.glob(".*.part")))
            found += _finds(store, spec)
        server.routes[f"/{NAME}"] = body(data)
        whole = store.pull(spec).read_bytes() == data
    left = len(list(folder.glob(".*.part")))
    # A pull sweeps before it downloads, so each kill finds its predecessor's part gone.
    underway = all(0 < size < len(data) for size in arrived)
    passed = underway and whole and parts == KILLS and visible == found == left == 0
    return {
        "kills": KILLS,
        "bytes_arrived_before_the_kill": arrived,
        "half_made_files_seen": visible,
        "found_though_incomplete": found,
        "parts_seen_after_kills": parts,
        "parts_left_after_the_last_pull": left,
        "pulled_whole_after": whole,
        "passed": passed,
    }


def _killed_at_the_end(
    spec: ModelSpec, data: bytes, chance: random.Random, folder: Path
) -> dict[str, Any]:
    """Kill -9 around the moment when the file is put in place: it is whole or not there."""
    whole, absent, half_made = 0, 0, 0
    with ModelServer({f"/{NAME}": body(data)}) as server:
        for _ in range(KILLS_AT_THE_END):
            child = store_child.start(spec, folder=folder, mirror=server.url)
            _wait(lambda pid=child.pid: _arrived(folder, pid) > 0 or bool(_visible(folder)))
            time.sleep(chance.uniform(0, 0.04))
            child.kill()
            child.communicate()
            target = folder / NAME
            if not target.exists():
                absent += 1
            elif target.read_bytes() == data:
                whole += 1
            else:
                half_made += 1
            target.unlink(missing_ok=True)
        usable = _store(folder, server.url).pull(spec).read_bytes() == data
    counts = {"kills": KILLS_AT_THE_END, "whole": whole, "absent": absent, "half_made": half_made}
    return {**counts, "pulled_whole_after": usable, "passed": half_made == 0 and usable}


def _flipped_bits(
    spec: ModelSpec, data: bytes, chance: random.Random, folder: Path
) -> dict[str, Any]:
    """Turn one random bit; `find` tells, `pull` mends."""
    bits = [chance.randrange(len(data) * 8) for _ in range(20)]
    spoiled = []
    for bit in bits:
        turned = bytearray(data)
        turned[bit // 8] ^= 1 << bit % 8
        spoiled.append(bytes(turned))
    return {"bits": bits, **_told_and_mended(spec, data, spoiled, folder)}


def _wrong_size_here(
    spec: ModelSpec, data: bytes, chance: random.Random, folder: Path
) -> dict[str, Any]:
    """Cut or lengthen the file on the disk; `find` tells, `pull` mends."""
    sizes = [0, 1, len(data) - 1, chance.randrange(len(data)), len(data) + 1, len(data) * 2]
    spoiled = [(data + data)[:size] for size in sizes]
    return {"sizes": sizes, **_told_and_mended(spec, data, spoiled, folder)}


def _told_and_mended(
    spec: ModelSpec, data: bytes, spoiled: list[bytes], folder: Path
) -> dict[str, Any]:
    told = mended = 0
    with ModelServer({f"/{NAME}": body(data)}) as server:
        store = _store(folder, server.url)
        for content in spoiled:
            store.pull(spec).write_bytes(content)
            try:
                store.find(spec)
            except ModelDamaged as error:
                told += str(folder / NAME) in str(error)
            mended += store.pull(spec).read_bytes() == data
    cases = len(spoiled)
    passed = told == mended == cases
    return {"cases": cases, "told": told, "mended": mended, "passed": passed}


def _wrong_size_there(
    spec: ModelSpec, data: bytes, chance: random.Random, folder: Path
) -> dict[str, Any]:
    """A source sends too little or too much, announced or not; nothing of it stays."""
    cut = chance.randrange(len(data))
    answers = [
        make(content)
        for content in (data[:cut], data[:-1], data + b"\0", data + data)
        for make in (body, unannounced)
    ]
    refused = files_left = 0
    with ModelServer() as server:
        store = _store(folder, server.url)
        for answer in answers:
            server.routes[f"/{NAME}"] = answer
            try:
                store.pull(spec)
            except DownloadFailed:
                refused += 1
            files_left += len(_visible(folder)) + len(list(folder.glob(".*.part")))
    passed = refused == len(answers) and files_left == 0
    return {
        "cases": len(answers),
        "refused": refused,
        "files_left": files_left,
        "passed": passed,
    }


def _two_at_once(spec: ModelSpec, data: bytes, _: random.Random, folder: Path) -> dict[str, Any]:
    """Two processes pull the same model at the same time, five times."""
    rounds, downloads, good = 5, [], 0
    for number in range(rounds):
        place = folder / str(number)
        with ModelServer({f"/{NAME}": body(data)}) as server:
            pair = [store_child.start(spec, folder=place, mirror=server.url) for _ in range(2)]
            told = [store_child.outcome(child) for child in pair]
            downloads.append(len(server.paths))
        whole = (place / NAME).read_bytes() == data
        good += whole and told == [{"path": str(place / NAME)}] * 2
    passed = good == rounds and downloads == [1] * rounds
    return {"rounds": rounds, "good": good, "downloads": downloads, "passed": passed}


def _read_only_folder(
    spec: ModelSpec, data: bytes, _: random.Random, folder: Path
) -> dict[str, Any]:
    """A user without rights finds a model that is there, and is told why a pull cannot be."""
    full, empty = folder / "full", folder / "empty"
    for place in (full, empty):
        place.mkdir()
    (full / NAME).write_bytes(data)
    for place in (full, empty):
        place.chmod(0o555)
    with ModelServer({f"/{NAME}": body(data)}) as server:
        finding, pulling = (
            store_child.outcome(
                store_child.start(
                    spec, folder=place, mirror=server.url, action=action, unprivileged=True
                )
            )
            for place, action in ((full, "find"), (empty, "pull"))
        )
    left = len(list(empty.iterdir()))
    for place in (full, empty):
        place.chmod(0o755)
    refused = pulling.get("error") == "ModelFolderNotWritable" and str(empty) in pulling["text"]
    found = finding == {"path": str(full / NAME)}
    return {
        "found": found,
        "error": pulling,
        "files_left": left,
        "passed": found and refused and left == 0,
    }


def _store(folder: Path, mirror: str) -> ModelStore:
    return ModelStore(StoreSettings(folder=folder, mirror=mirror))


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _arrived(folder: Path, pid: int) -> int:
    """Count the bytes in the part that a process is writing or has left."""
    try:
        return sum(path.stat().st_size for path in folder.glob(f".{NAME}.{pid}.*.part"))
    except FileNotFoundError:  # put in its place meanwhile
        return 0


def _finds(store: ModelStore, spec: ModelSpec) -> bool:
    try:
        store.find(spec)
    except ModelMissing:
        return False
    return True


def _wait(condition: Any) -> None:
    end_s = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError("a child did nothing for a minute")
        time.sleep(0.002)
