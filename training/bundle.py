"""Makes a finished run a model that ships: exported, measured, entered, calibrated."""

from __future__ import annotations

import argparse
import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from training.calibrate import write_table
from training.checkpoint import network_of, read
from training.evaluate import BENCHMARKS
from training.export import export_with_card
from training.networks import fold, parameter_count
from training.session import checkpoint_path
from training.train import CHECKPOINTS
from upres.engines import engine
from upres.models.footprint import graph_working_bytes_per_px
from upres.models.probe import Halo, Planes, measure_halo
from upres.models.spec import Channels, ModelFile, ModelSpec

if TYPE_CHECKING:
    from training.checkpoint import State

PACKAGE = Path(__file__).parents[1] / "src" / "upres" / "models"
FAMILY_BYTES = 16_000_000
"""What the models of ours may weigh together: they are in every wheel."""
SUMMARIES = {
    "fast": "ours, for real time and video",
    "lite": "ours: the default",
    "photo": "ours, for compressed, noisy or soft photographs",
}
"""The family, in the order in which it is listed."""
_TABLE = "[[model]]\n"


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Where models that ship lie: the folder of files and the list of them."""

    weights: Path = PACKAGE / "weights"
    catalogue: Path = PACKAGE / "catalogue.toml"


def bundle(
    name: str, *, checkpoints: Path, tests: Path, shelf: Shelf, unfinished: bool = False
) -> str:
    """Export a run's averaged weights, measure them, enter them; return the catalogue's table.

    A model of that name and scale is replaced. Raises ValueError for a run that is not finished,
    unless `unfinished` ones are wanted too (their card says so), for a name outside the family,
    and where the family would weigh too much; nothing is changed then.
    """
    family, _, scale = name.partition("-x")
    if family not in SUMMARIES or not scale.isdigit():
        raise ValueError(f"{name} is none of {', '.join(SUMMARIES)} with its scale, as lite-x3")
    checkpoint = checkpoint_path(checkpoints, name)
    state = read(checkpoint)
    if not (state.get("finished") or unfinished):
        raise ValueError(f"{name} is at update {state.get('update')} and not finished")
    draft = shelf.weights / f".{family}_x{scale}.onnx"
    try:
        export_with_card(checkpoint, draft, tests)
        entry = _entry(draft, state, family, int(scale))
        _check_weight(entry, family, int(scale), shelf)
        final = draft.with_name(draft.name.removeprefix("."))
        card = draft.with_suffix(".card.md")
        text = card.read_text("utf-8").replace(draft.name, final.name)
        final.with_suffix(".card.md").write_text(text, "utf-8")
        draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)
        draft.with_suffix(".card.md").unlink(missing_ok=True)
    listed = shelf.catalogue.read_text("utf-8")
    shelf.catalogue.write_text(entered(listed, entry), "utf-8")
    return entry


def _entry(file: Path, state: State, family: str, scale: int) -> str:
    """Return the catalogue's table of an exported file; halo and memory are measured on it."""
    data = file.read_bytes()
    halo = _halo(file, data, scale)
    memory = graph_working_bytes_per_px(data)
    network = network_of(state)
    symmetric = "symmetric = true\n" if network.spec.symmetric else ""
    return (
        f"{_TABLE}"
        f'name = "{family}"\n'
        f"scale = {scale}\n"
        'channels = "rgb"\n'
        "value_max = 1.0\n"
        f"halo_px = {halo.used_px}  # smallest measured: {halo.smallest_px}\n"
        f"working_bytes_per_px = {memory}\n"
        f"{symmetric}"
        f"parameters = {parameter_count(fold(network))}\n"
        'licence = "Apache-2.0"\n'
        'origin = "upres"\n'
        f'summary = "{SUMMARIES[family]}"\n'
        "[model.file]\n"
        f'name = "{file.name.removeprefix(".")}"\n'
        f"bytes = {len(data)}\n"
        f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
    )


def _halo(file: Path, data: bytes, scale: int) -> Halo:
    onnx.checker.check_model(onnx.load_model_from_string(data), full_check=True)
    spec = ModelSpec(
        name="draft",
        scale=scale,
        channels=Channels.RGB,
        value_max=1.0,
        halo_px=0,
        working_bytes_per_px=1,
        licence="",
        origin="",
        file=ModelFile(name=file.name, bytes=len(data), sha256=""),
    )
    with engine("onnxruntime").open(file, spec, precision="fp32", threads=2) as session:

        def run(planes: Planes) -> Planes:
            enlarged: Planes = session.run(planes[np.newaxis])[0]
            return enlarged

        return measure_halo(run, scale=scale, count=3, name=file.name)


def _check_weight(entry: str, family: str, scale: int, shelf: Shelf) -> None:
    others = [
        table["file"]["bytes"]
        for table in tomllib.loads(shelf.catalogue.read_text("utf-8")).get("model", [])
        if table["name"] in SUMMARIES and (table["name"], table["scale"]) != (family, scale)
    ]
    total = sum(others) + tomllib.loads(entry)["model"][0]["file"]["bytes"]
    if total > FAMILY_BYTES:
        raise ValueError(f"the family would weigh {total} bytes, more than {FAMILY_BYTES}")


def entered(catalogue: str, entry: str) -> str:
    """Return a catalogue's text with a table added, or put in the place of its predecessor.

    The family stands first, by name and scale; the rest stays as it was.
    """
    head, *tables = catalogue.split(_TABLE)
    new = _identity(entry)
    bodies = [table.strip("\n") for table in (*tables, entry.removeprefix(_TABLE))]
    kept = [body for body in bodies[:-1] if _identity(_TABLE + body) != new] + bodies[-1:]
    order = list(SUMMARIES)

    def place(body: str) -> tuple[int, int]:
        name, scale = _identity(_TABLE + body)
        return (order.index(name), scale) if name in order else (len(order), 0)

    kept.sort(key=place)  # stable: what is not ours keeps its order
    return head + "\n".join(f"{_TABLE}{body}\n" for body in kept)


def _identity(table: str) -> tuple[str, int]:
    entry = tomllib.loads(table)["model"][0]
    return entry["name"], entry["scale"]


def main() -> None:
    """Bundle a finished run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a configuration's name, as fast-x3")
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    parser.add_argument("--tests", type=Path, default=BENCHMARKS, help="for the card's scores")
    parser.add_argument("--unfinished", action="store_true", help="ship it as far as it is")
    options = parser.parse_args()
    shelf = Shelf()
    entry = bundle(
        options.name,
        checkpoints=options.checkpoints,
        tests=options.tests,
        shelf=shelf,
        unfinished=options.unfinished,
    )
    print(entry)
    print(write_table(options.name))  # a table of the file before would be no good any more
    card = shelf.weights / f"{options.name.replace('-', '_')}.card.md"
    print(card.read_text("utf-8"))


if __name__ == "__main__":
    main()
