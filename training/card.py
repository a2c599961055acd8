"""Writes a model's card: what it was trained on and how, what it scores, what it is not for."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from training.config import digest_of
from training.data import RESEARCH_ONLY
from training.evaluate import enlarge_with_onnx, mean_psnr_db
from training.networks import fold, parameter_count
from training.protocols import degraded_scores

if TYPE_CHECKING:
    from pathlib import Path

    from training.checkpoint import State
    from training.networks import Network

LINE_WIDTH = 100
STANDARD_SETS = ("Set5", "Set14")
DEGRADED_SET = "Kodak24"


def card_path(onnx: Path) -> Path:
    """Return where the card of an exported model lies."""
    return onnx.with_suffix(".card.md")


def write_card(state: State, network: Network, onnx: Path, digest: str, tests: Path) -> None:
    """Write the card beside an exported model; scores are measured on the exported file."""
    spec = network.spec
    parts = [
        _network_line(network),
        _data_line(state),
        _training_line(state),
        _scores_line(onnx, spec.scale, tests, degraded=_degradation(state) is not None),
        _limits_line(state),
        _licence_line(state),
        f"**File**: `{onnx.name}`, {onnx.stat().st_size} bytes, sha256 `{digest}`.",
    ]
    title = f"# {state['name'].replace('-', ' ')}"
    text = "\n".join([title, "", _wrap(parts[0]), "", *(_wrap(p, "- ") for p in parts[1:])])
    card_path(onnx).write_text(text + "\n", encoding="utf-8")


def _network_line(network: Network) -> str:
    spec, count = network.spec, parameter_count(fold(network))
    blocks = {
        "residual": f"{spec.blocks} residual blocks of {spec.features} features",
        "attention": f"{spec.blocks} attention blocks of {spec.features} features",
        "plain": f"{spec.blocks + 2} plain convolutions of {spec.features} features",
    }[spec.block]
    end = "the input added" if spec.scale == 1 else "the input added, depth to space"
    activation = {"relu": "ReLU", "prelu": "PReLU", "silu": "SiLU", "leaky": "leaky ReLU"}
    tied = (
        " Weights are tied: a picture turned or mirrored gives its result turned or mirrored."
        if spec.symmetric
        else ""
    )
    return (
        f"{blocks}, {activation[spec.activation]}, the last 3x3 convolution to "
        f"{3 * spec.scale**2} planes, {end}; {count:,} parameters, float32. "
        f"Input and output RGB 0..1.{tied}"
    )


def _folders(state: State) -> dict[str, int]:
    """Return pictures per folder over the run and those it began with."""
    folders: dict[str, int] = {}
    for run in (*state.get("ancestors", []), state):
        for folder, count in (run.get("folders") or {}).items():
            folders[folder] = max(count, folders.get(folder, 0))
    return dict(sorted(folders.items()))


def _research_only(state: State) -> list[str]:
    return [folder for folder in _folders(state) if folder.lower() in RESEARCH_ONLY]


def _data_line(state: State) -> str:
    folders = _folders(state)
    if not folders:
        return "**Data**: not recorded in this checkpoint."
    listed = ", ".join(f"{folder} {count}" for folder, count in folders.items())
    research = _research_only(state)
    note = (
        f"Meant for research use only: {', '.join(research)}."
        if research
        else ("No set that is known to be for research use only.")
    )
    return (
        f"**Data**: {sum(folders.values())} pictures ({listed}). {note} None of Set5, Set14, "
        "Kodak24, B100, Urban100, McMaster."
    )


def _training_line(state: State) -> str:
    config = state.get("config")
    if config is None:
        return f"**Training**: {state.get('update', '?')} updates; settings not recorded."
    crops, schedule, loss = config["crops"], config["schedule"], config["loss"]
    loss_name = {"l1": "L1", "charbonnier": "Charbonnier"}[loss["kind"]]
    shift = f" with {loss['colour_shift']:g} times the colour shift" if loss["colour_shift"] else ""
    before = "".join(
        f"From the averaged weights of {run['name']} after {run['update']:,} updates. "
        for run in state.get("ancestors", [])
    )
    small = "MATLAB's antialiased bicubic"
    if config["degradation"]:
        small += f" for {config['degradation']['clean']:.0%} of the crops, degraded ones otherwise"
    return (
        f"**Training**: {before}{loss_name}{shift}, {schedule['optimizer'].capitalize()}, bf16, "
        f"{crops['batch']} crops of {crops['patch_px']} x {crops['patch_px']}, "
        f"{state['update']:,} updates in {_duration(state['seconds'])}, averaged weights"
        f"{_ends(state)}{'' if state['finished'] else ', not finished'}. Seed {config['seed']}, "
        f"settings `{digest_of(config)[:16]}`. Small pictures by {small}."
    )


def _ends(state: State) -> str:
    count = len(state.get("ends", []))
    return f" (mean over {count} ends of the schedule)" if count > 1 else ""


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _scores_line(onnx: Path, scale: int, tests: Path, *, degraded: bool) -> str:
    enlarge = enlarge_with_onnx(onnx)
    found = [
        f"{name} {mean_psnr_db(enlarge, tests / name, scale):.2f} dB"
        for name in STANDARD_SETS
        if scale > 1 and (tests / name).is_dir()
    ]
    if degraded and (tests / DEGRADED_SET).is_dir():
        found += [
            f"{DEGRADED_SET} {score.protocol} {score.result_db:.2f} dB "
            f"({'input' if scale == 1 else 'bicubic'} {score.bicubic_db:.2f})"
            for score in degraded_scores(enlarge, tests / DEGRADED_SET, scale)
        ]
    text = ", ".join(found) or "not measured: no benchmark sets at hand"
    return f"**Scores** (luma PSNR, x{scale}, border {scale}): {text}."


def _degradation(state: State) -> dict[str, object] | None:
    found: dict[str, object] | None = (state.get("config") or {}).get("degradation")
    return found


def _limits_line(state: State) -> str:
    if _degradation(state) is None:
        return (
            "**Limits**: made for clean pictures; it sharpens JPEG artefacts, noise and grain too."
        )
    return (
        "**Limits**: made for compressed, noisy or soft photographs; on clean pictures the model "
        "for those is sharper. It removes noise and with it the finest texture; it invents nothing."
    )


def _licence_line(state: State) -> str:
    research = _research_only(state)
    note = (
        f" Trained with pictures meant for research only ({', '.join(research)})."
        if (research)
        else ""
    )
    return f"**Licence**: Apache-2.0 for the weights file; the pictures' own licences differ.{note}"


def _wrap(text: str, bullet: str = "") -> str:
    return textwrap.fill(
        text,
        LINE_WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
