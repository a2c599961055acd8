"""Keys of results: another for whatever changes the bytes, the same for the same request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from upres.models import calibration
from upres.models.catalogue import Catalogue
from upres.models.converted import CONVERTER_VERSION
from upres.models.spec import Channels, ModelFile, ModelSpec
from upres.storage import cache
from upres.storage.cache import NetworkUse, library_versions, result_key
from upres.upscale import tiles
from upres.upscale.tiles import plan_tiles
from upres.upscale.upscaler import Network

SOURCE = "5" * 64
OPTIONS = '{"factor":3.0,"format":"jpeg","model":"lite","quality":95}'
LIBRARIES = "numpy 2.4.6, libvips 8.18.7"
MODEL = ModelSpec(
    name="tiny",
    scale=3,
    channels=Channels.RGB,
    value_max=1.0,
    halo_px=8,
    working_bytes_per_px=1000,
    licence="Apache-2.0",
    origin="made by a test",
    file=ModelFile(name="tiny_x3.onnx", bytes=12345, sha256="a" * 64),
)
USE = NetworkUse(model=MODEL, engine="openvino", engine_version="2026.4.1", precision="fp32")


def key(**changes: Any) -> str:
    """Return the key of a fixed request with changes."""
    request = {"options": OPTIONS, "network": USE, "libraries": LIBRARIES, **changes}
    return result_key(request.pop("source", SOURCE), **request)


def of_model(**changes: Any) -> str:
    return key(network=replace(USE, model=replace(MODEL, **changes)))


def test_the_key_of_a_fixed_request() -> None:
    """Where this fails without PIPELINE_VERSION having changed, every stored result is lost."""
    assert key() == "e9d7d4ef8970b650b2ed97ee05cd9cc8d78eab9559e04d7648f5e9d9b9066d8f"
    assert key(network=None) == "d383f5771f4a622ac3a68ecc981ea889507253d24f71679beb60985b361a2815"


OTHERS: dict[str, Callable[[], str]] = {
    "source": lambda: key(source="6" * 64),
    "options": lambda: key(options=OPTIONS.replace("95", "94")),
    "no network": lambda: key(network=None),
    "libraries": lambda: key(libraries="numpy 2.4.6, libvips 8.18.8"),
    "model's file": lambda: of_model(file=replace(MODEL.file, sha256="b" * 64)),
    "scale": lambda: of_model(scale=2),
    "channels": lambda: of_model(channels=Channels.BGR),
    "white": lambda: of_model(value_max=255.0),
    "mean": lambda: of_model(mean=(0.4, 0.4, 0.4)),
    "halo": lambda: of_model(halo_px=9),
    "working memory": lambda: of_model(working_bytes_per_px=1001),
    "engine": lambda: key(network=replace(USE, engine="onnxruntime")),
    "engine's version": lambda: key(network=replace(USE, engine_version="2026.4.2")),
    "precision": lambda: key(network=replace(USE, precision="bf16")),
    "flat parts": lambda: key(network=replace(USE, spares_flat=True)),
    "what is flat": lambda: key(
        network=replace(USE, spares_flat=True, model=replace(MODEL, flat_below=9.0))
    ),
    "tile memory": lambda: key(network=replace(USE, tile_memory_bytes=1)),
}


def test_each_ingredient_changes_the_key() -> None:
    """And no two changes lead to one key."""
    keys = {name: other() for name, other in OTHERS.items()}
    assert len({key(), *keys.values()}) == 1 + len(OTHERS)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PIPELINE_VERSION", 9), ("GEOMETRY_VERSION", 9), ("TILE_SIDES_PX", (32, 64))],
)
def test_each_constant_changes_the_key(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    """Raising a version makes all results be computed anew."""
    before = key()
    monkeypatch.setattr(cache, name, value)
    assert key() != before


def test_what_is_flat_counts_where_it_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results that the network computed alone are not those of another rule."""
    spared = replace(USE, spares_flat=True)
    before = key(), key(network=spared)
    monkeypatch.setattr(cache, "FLAT_VERSION", 9)
    assert key() == before[0] == of_model(flat_below=9.0)
    assert key(network=spared) != before[1]


def test_an_int8_key_follows_the_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file quantized in another way, or by another table, gives other bytes."""
    lite = Catalogue.load().get("lite", 3)
    uses = [replace(USE, model=lite, precision=precision) for precision in ("fp32", "int8")]
    before = [key(network=use) for use in uses]
    monkeypatch.setattr(calibration, "QUANTIZER_VERSION", "next")
    after = [key(network=use) for use in uses]
    assert after[0] == before[0]
    assert len({*before, *after}) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "renamed", "summary": "other words", "origin": "elsewhere", "licence": "MIT"},
        {"file": replace(MODEL.file, name="other.onnx")},
        {"parameters": 5, "converted": "tiny_x3.onnx"},
    ],
)
def test_words_about_a_model_do_not(changes: dict[str, Any]) -> None:
    """The same weights are the same model."""
    assert of_model(**changes) == key()


@pytest.mark.parametrize("source", ["", "photo.jpg", "A" * 64, SOURCE + "\n", SOURCE[1:]])
def test_a_source_is_named_by_its_hash(source: str) -> None:
    """Anything else is a mistake of the caller's."""
    with pytest.raises(ValueError, match="no SHA-256"):
        key(source=source)


def test_keys_are_keys_of_64_digits() -> None:
    """Of the same kind for networks and interpolations."""
    assert all(len(bytes.fromhex(found)) == 32 for found in (key(), key(network=None)))


def test_libraries_are_those_installed() -> None:
    """By default, with a version each."""
    names = [word.split(" ") for word in library_versions().split(", ")]
    assert [name for name, _ in names] == ["numpy", "pillow", "pyvips", "libvips"]
    assert all(version[0].isdigit() for _, version in names)
    assert key(libraries=None) == key(libraries=library_versions())


def test_tile_memory_is_the_networks_own() -> None:
    """What the key says is what the network plans with."""
    assert USE.tile_memory_bytes == Network.tile_memory_bytes


SIZES = ((2, 3), (33, 47), (64, 512), (513, 500), (700, 1200), (4000, 3000), (20_000, 90))


def geometry() -> str:
    """Return the hash of where tiles lie in pictures of several sizes."""
    plans = [
        plan_tiles(width, height, halo_px=halo_px, budget_px=budget_px, tallest_px=tallest_px)
        for width, height in SIZES
        for halo_px in (4, 27)
        for budget_px in (70_000, 10**6)
        for tallest_px in (None, 200)
    ]
    places = [
        [(step.source.start, step.source.stop, step.inner.start, step.inner.stop) for step in axis]
        for plan in plans
        for axis in (plan.rows, plan.columns)
    ]
    return hashlib.sha256(repr(places).encode()).hexdigest()[:16]


def test_what_versions_stand_for_is_unchanged() -> None:
    """When this fails, results may have changed: raise the version that it names, then pin anew.

    The geometry's hash: GEOMETRY_VERSION. The converter's version: PIPELINE_VERSION.
    """
    assert (cache.GEOMETRY_VERSION, geometry()) == (2, "c1b2998318d1c18c")
    assert (cache.PIPELINE_VERSION, CONVERTER_VERSION) == (2, "1")


def test_the_pins_notice_another_geometry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a slight one."""
    before = geometry()
    monkeypatch.setattr(tiles, "_TILE_OVERHEAD_PX", 60_000)
    assert geometry() != before
