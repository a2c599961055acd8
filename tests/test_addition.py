"""Bringing one's own model: what is found out of a network, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
import pytest
from builders import Graph, repeated
from onnx import TensorProto, helper

from upres import addition
from upres.addition import add_model
from upres.cli import run as run_command
from upres.config import Settings
from upres.errors import InputNotReadable, ModelFolderNotWritable, ModelRefused
from upres.image.decode import Decoder
from upres.image.encode import encode
from upres.image.picture import Picture
from upres.models.probe import sample
from upres.models.spec import Channels
from upres.upscale.tiles import plan_tiles, whole_plan
from upres.upscale.upscaler import Network, Options, enlarge_picture
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from upres.upscale.tiles import TilePlan

FEATURES = 8
GAIN = 0.9


def contrast(
    *,
    scale: int,
    planes: int = 3,
    value_max: float = 1.0,
    nhwc: bool = False,
    first_gain: float = GAIN,
) -> onnx.ModelProto:
    """Return a network that repeats pixels and draws them towards mid-gray, in its own range.

    The first plane may be given a gain of its own, which tells RGB from BGR.
    """
    graph = Graph(channels=planes)
    source = graph.add("Transpose", "input", perm=[0, 3, 1, 2]) if nhwc else "input"
    gains = np.diag([first_gain, *[GAIN] * (planes - 1)])
    weights = np.repeat(gains, scale**2, axis=0)[:, :, np.newaxis, np.newaxis]
    bias = np.repeat((1 - gains.diagonal()) * value_max / 2, scale**2)
    spread = graph.add("Conv", source, graph.constant(weights), graph.constant(bias))
    large = graph.add("DepthToSpace", spread, blocksize=scale, mode="CRD")
    if not nhwc:
        return graph.model(large)
    model = graph.model(graph.add("Transpose", large, perm=[0, 2, 3, 1]))
    return with_sizes(model, ["n", "h", "w", planes])


def with_sizes(model: onnx.ModelProto, sizes: list[int | str]) -> onnx.ModelProto:
    """Give a graph's input other sizes, and leave its output's open."""
    ends = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, sizes),
        helper.make_tensor_value_info("output", TensorProto.FLOAT, [None] * 4),
    ]
    del model.graph.input[:], model.graph.output[:]
    model.graph.input.append(ends[0])
    model.graph.output.append(ends[1])
    return model


def near_identity(graph: Graph, source: str, taken: int, given: int) -> str:
    """Append a convolution that keeps its planes as they are, but for a little learnt noise."""
    filters = 0.05 * graph.filters(given, taken, 3, 3)
    for plane in range(min(taken, given)):
        filters[plane, plane, 1, 1] += 1
    bias = np.random.default_rng(given).uniform(0, 0.02, given)
    return graph.add("Conv", source, graph.constant(filters), graph.constant(bias), pads=[1] * 4)


def gan_style() -> onnx.ModelProto:
    """Return an x4 network built like ESRGAN, of RGB in 0..1: dense blocks, nearest doubling."""
    graph = Graph(channels=3)

    def leaky(source: str) -> str:
        return graph.add("LeakyRelu", source, alpha=0.2)

    def dense(source: str) -> str:
        grown = [source]
        for _ in range(2):
            seen = graph.add("Concat", *grown, axis=1)
            grown.append(leaky(graph.conv(seen, len(grown) * FEATURES, FEATURES)))
        seen = graph.add("Concat", *grown, axis=1)
        inner = graph.conv(seen, len(grown) * FEATURES, FEATURES)
        return graph.add("Add", source, graph.add("Mul", inner, graph.constant(0.1)))

    features = near_identity(graph, "input", 3, FEATURES)
    for _ in range(2):
        inner = graph.add("Sub", dense(dense(features)), features)
        features = graph.add("Add", features, graph.add("Mul", inner, graph.constant(0.2)))
    for _ in range(2):
        large = graph.add(
            "Resize",
            features,
            "",
            graph.constant([1, 1, 2, 2]),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        features = leaky(near_identity(graph, large, FEATURES, FEATURES))
    features = leaky(near_identity(graph, features, FEATURES, FEATURES))
    return graph.model(near_identity(graph, features, FEATURES, 3))


def save(folder: Path, model: onnx.ModelProto, *, name: str = "mine.onnx") -> Path:
    """Write a graph."""
    path = folder / name
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def workbench() -> Workbench:
    """Return a new workbench, as every process makes one."""
    return Workbench(Settings.from_environment())


def kept() -> list[str]:
    """Name every file below the model folder, locks aside."""
    folder = Path(os.environ["UPRES_MODEL_DIR"])
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


def enlarged(
    name: str, pixels: NDArray[np.uint8], *, scale: int, plan: TilePlan | None = None
) -> NDArray[np.int64]:
    """Enlarge with a model that was added, in a new workbench."""
    method = workbench().method(name, factor=scale, runtime=Runtime(threads=2))
    assert isinstance(method, Network)
    height, width, _ = pixels.shape
    result = enlarge_picture(
        Picture(pixels=pixels),
        method,
        width=width * scale,
        height=height * scale,
        options=Options(),
        plan=plan,
    )
    return result.pixels.astype(np.int64)


@pytest.mark.parametrize("nhwc", [False, True], ids=["nchw", "nhwc"])
@pytest.mark.parametrize(
    ("scale", "planes", "value_max"), [(2, 3, 1.0), (3, 3, 255.0), (2, 1, 255.0), (4, 1, 1.0)]
)
def test_finds_scale_planes_range_and_layout(
    tmp_path: Path, *, scale: int, planes: int, value_max: float, nhwc: bool
) -> None:
    """All of it is found by running the network, which then enlarges as it was made to."""
    model = contrast(scale=scale, planes=planes, value_max=value_max, nhwc=nhwc)
    spec = add_model(save(tmp_path, model), workbench=workbench(), licence="MIT")
    assert (spec.name, spec.scale, spec.value_max, spec.halo_px) == ("mine", scale, value_max, 0)
    assert spec.channels is (Channels.LUMA if planes == 1 else Channels.RGB)
    assert (spec.licence, spec.origin) == ("MIT", "added from mine.onnx")
    assert spec.working_bytes_per_px > 0
    pixels = sample("photo")[..., :planes]
    expected = pixels.repeat(scale, axis=0).repeat(scale, axis=1) * GAIN + (1 - GAIN) * 127.5
    assert np.abs(enlarged("mine", pixels, scale=scale) - expected).max() <= 1


@pytest.mark.parametrize(("channels", "plane"), [("rgb", 0), ("bgr", 2)])
def test_order_of_colours_is_what_is_said(
    tmp_path: Path, channels: Literal["rgb", "bgr"], plane: int
) -> None:
    """The network's first plane is red by default and blue on request."""
    file = save(tmp_path, contrast(scale=2, first_gain=0.7))
    spec = add_model(file, workbench=workbench(), channels=channels)
    assert spec.channels is Channels(channels)
    pixels = sample("photo")
    gains = np.full(3, GAIN)
    gains[plane] = 0.7
    expected = pixels.repeat(2, axis=0).repeat(2, axis=1) * gains + (1 - gains) * 127.5
    assert np.abs(enlarged("mine", pixels, scale=2) - expected).max() <= 1


def test_finds_the_range_of_a_network_that_works_in_both(tmp_path: Path) -> None:
    """A leaky ReLU scales with its input, but biases do not: they are right in 0..1 alone."""
    spec = add_model(save(tmp_path, gan_style()), workbench=workbench())
    assert spec.value_max == 1.0


def test_gan_style_network_serves_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once added it is listed, verified and used by every later process, in tiles or whole."""
    file = save(tmp_path, gan_style(), name="Gan Style.onnx")
    assert run_command(["models", "add", str(file), "--licence", "CC0-1.0"]) == 0
    assert capsys.readouterr().out.startswith("gan-style x4  planes rgb  values 0..")
    assert kept() == ["added/gan-style-x4.toml", "gan-style-x4.onnx"]
    file.unlink()
    assert run_command(["models", "list"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "gan-style" in line)
    assert line.split()[1::4][:2] == ["x4", "CC0-1.0"]
    assert run_command(["models", "verify", "gan-style"]) == 0
    pixels = np.hstack([sample("photo"), sample("text")] * 3)[:64]
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    with source.open("wb") as stream:
        encode(Picture(pixels=pixels), stream, format="png")
    words = ["enlarge", str(source), "-o", str(target), "--scale", "4", "--model", "gan-style"]
    assert run_command(words) == 0
    result = Decoder(target.read_bytes()).picture().pixels.astype(np.int64)
    halo_px = workbench().catalogue.get("gan-style", 4).halo_px
    height, width, _ = pixels.shape
    tiles = plan_tiles(width, height, halo_px=halo_px, budget_px=64**2)
    assert tiles.tiles >= 10
    whole = enlarged("gan-style", pixels, scale=4, plan=whole_plan(width, height))
    assert np.abs(result - whole).max() <= 1
    assert np.abs(enlarged("gan-style", pixels, scale=4, plan=tiles) - whole).max() <= 1


def test_scale_one_is_a_factor_too(tmp_path: Path) -> None:
    """A network that restores without enlarging is a model for `--scale 1`."""
    spec = add_model(save(tmp_path, contrast(scale=1)), workbench=workbench(), name="Restore!")
    assert (spec.name, spec.scale, spec.id) == ("restore", 1, "restore-x1")


def test_the_network_is_kept_as_it_was(tmp_path: Path) -> None:
    """The bytes of an NCHW graph are copied, not written anew."""
    file = save(tmp_path, contrast(scale=2))
    bench = workbench()
    spec = add_model(file, workbench=bench)
    assert bench.store.find(spec).read_bytes() == file.read_bytes()


def test_weights_that_are_listed_as_inputs_are_no_inputs(tmp_path: Path) -> None:
    """Old exporters list every weight among the inputs."""
    model = contrast(scale=2)
    for weight in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        )
    assert add_model(save(tmp_path, model), workbench=workbench()).scale == 2


def patched(patch: Any) -> onnx.ModelProto:
    """Return a good network that was changed after it was made."""
    model = contrast(scale=2)
    patch(model.graph)
    return model


def _two_inputs(graph: Any) -> None:
    graph.input.append(helper.make_tensor_value_info("strength", TensorProto.FLOAT, [1]))


def _two_outputs(graph: Any) -> None:
    graph.node.append(helper.make_node("Relu", ["input"], ["second"]))
    graph.output.append(helper.make_tensor_value_info("second", TensorProto.FLOAT, [None] * 4))


def _half_floats(graph: Any) -> None:
    graph.node.insert(0, helper.make_node("Cast", ["half"], ["input"], to=TensorProto.FLOAT))
    graph.input[0].name = "half"
    graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def _foreign_operators() -> onnx.ModelProto:
    model = contrast(scale=2)
    model.graph.node[-1].op_type, model.graph.node[-1].domain = "Magic", "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


def _resized(*factors: float) -> onnx.ModelProto:
    graph = Graph(channels=3)
    scales = graph.constant([1, 1, *factors])
    return graph.model(graph.add("Resize", "input", "", scales, mode="linear"))


def _even_sizes_only() -> onnx.ModelProto:
    graph = Graph(channels=3)
    small = graph.add("SpaceToDepth", "input", blocksize=2)
    same = graph.add("DepthToSpace", small, blocksize=2)
    scales = graph.constant([1, 1, 2, 2])
    return graph.model(graph.add("Resize", same, "", scales, mode="linear"))


def _global_context() -> onnx.ModelProto:
    """Return a network that takes the picture's own mean for mid-gray: no tile can know it."""
    graph = Graph(channels=3)
    mean = graph.add("GlobalAveragePool", "input")
    centred = graph.add("Add", graph.add("Sub", "input", mean), graph.constant(0.5))
    scales = graph.constant([1, 1, 2, 2])
    return graph.model(graph.add("Resize", centred, "", scales, mode="linear"))


def _negative() -> onnx.ModelProto:
    graph = Graph(channels=3)
    inverted = graph.add("Sub", graph.constant(1), "input")
    return graph.model(graph.add("Resize", inverted, "", graph.constant([1, 1, 2, 2])))


def _random() -> onnx.ModelProto:
    graph = Graph(channels=3)
    return graph.model(graph.add("DepthToSpace", graph.conv("input", 3, 12), blocksize=2))


def _not_finite() -> onnx.ModelProto:
    graph = Graph(channels=3)
    wild = graph.add("Log", graph.add("Sub", "input", graph.constant(1000)))
    return graph.model(graph.add("Resize", wild, "", graph.constant([1, 1, 2, 2])))


def _one_plane_of_three() -> onnx.ModelProto:
    graph = Graph(channels=3)
    gray = graph.add("ReduceMean", "input", axes=[1])
    return graph.model(graph.add("Resize", gray, "", graph.constant([1, 1, 2, 2])))


def _external_weights() -> onnx.ModelProto:
    """Return a graph whose weights lie in a second file, as exporters write large models."""
    model = contrast(scale=2)
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "mine.onnx.data"
    return model


_REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "two inputs": (lambda: patched(_two_inputs), "2 inputs"),
    "two outputs": (lambda: patched(_two_outputs), "2 outputs"),
    "float16": (lambda: patched(_half_floats), "float32"),
    "fixed size": (lambda: with_sizes(contrast(scale=2), [1, 3, 64, 64]), "1x3x64x64"),
    "fixed width": (lambda: with_sizes(contrast(scale=2), [1, 3, "h", 64]), r"1x3x\?x64"),
    "four planes": (lambda: contrast(scale=2, planes=4), "not 1 or 3 planes"),
    "foreign operators": (_foreign_operators, "beyond standard ONNX"),
    "no whole factor": (lambda: _resized(1.5, 1.5), "whole factor"),
    "two factors": (lambda: _resized(2, 3), "whole factor"),
    "smaller": (lambda: _resized(0.5, 0.5), "whole factor"),
    "far too large": (lambda: _resized(17, 17), "whole factor"),
    "even sizes only": (_even_sizes_only, "does not run on 50x37 pixels"),
    "global context": (_global_context, "context"),
    "negative": (_negative, "does not resemble"),
    "random": (_random, "does not resemble"),
    "not finite": (_not_finite, "does not resemble"),
    "one plane of three": (_one_plane_of_three, "shape"),
    "weights elsewhere": (_external_weights, "mine.onnx.data"),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_refuses_what_it_cannot_verify(tmp_path: Path, case: str) -> None:
    """The reason names the file and what is wrong, and nothing stays in the model folder."""
    make, reason = _REFUSED[case]
    file = save(tmp_path, make(), name="odd.onnx")
    with pytest.raises(ModelRefused, match=reason) as caught:
        add_model(file, workbench=workbench())
    assert str(caught.value).startswith("odd.onnx cannot be used as a model: ")
    assert "\n" not in str(caught.value)
    assert kept() == []


def test_weights_in_a_second_file_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph alone cannot be kept, even where the second file lies at hand."""
    weights = contrast(scale=2).graph.initializer[0].raw_data
    (tmp_path / "mine.onnx.data").write_bytes(weights)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelRefused, match=r"^mine.onnx .*another file"):
        add_model(save(tmp_path, _external_weights()), workbench=workbench())
    assert kept() == []


def whole_graph() -> bytes:
    """Return the bytes of a good network."""
    data: bytes = contrast(scale=2).SerializeToString()
    return data


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 64, b"not a graph", b"\x89PNG\r\n\x1a\n" + b"x" * 99, whole_graph()[:-200]],
    ids=["empty", "zeros", "text", "picture", "truncated"],
)
def test_refuses_what_is_no_graph(tmp_path: Path, data: bytes) -> None:
    """Foreign and truncated bytes are told as such."""
    file = tmp_path / "odd.onnx"
    file.write_bytes(data)
    with pytest.raises(ModelRefused, match=r"odd.onnx .* no valid ONNX graph: .*"):
        add_model(file, workbench=workbench())
    assert kept() == []


@pytest.mark.parametrize("cut", range(1, 10))
def test_any_truncation_is_refused(tmp_path: Path, cut: int) -> None:
    """Wherever a download broke off, the error is one of ours."""
    data = whole_graph()
    file = tmp_path / "odd.onnx"
    file.write_bytes(data[: len(data) * cut // 10])
    with pytest.raises(ModelRefused):
        add_model(file, workbench=workbench())
    assert kept() == []


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_file_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    """It is told by its path, as every other input."""
    file = tmp_path / "mine.onnx"
    if kind == "folder":
        file.mkdir()
    with pytest.raises(InputNotReadable, match=r"mine.onnx"):
        add_model(file, workbench=workbench())
    assert kept() == []


def test_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused by its length alone."""
    file = save(tmp_path, contrast(scale=2))
    size = file.stat().st_size
    monkeypatch.setattr(addition, "MAX_MODEL_BYTES", size - 1)
    with pytest.raises(ModelRefused, match=f"larger than {size - 1} bytes"):
        add_model(file, workbench=workbench())
    monkeypatch.setattr(addition, "MAX_MODEL_BYTES", size)
    assert add_model(file, workbench=workbench()).file.bytes == size


@pytest.mark.parametrize(
    "name", ["lite", "LITE", "edsr", "auto", "bicubic", "Lanczos", "...", "日"]
)
def test_names_that_are_taken(tmp_path: Path, name: str) -> None:
    """The catalogue's, the baselines' and empty names are refused before anything runs."""
    file = save(tmp_path, contrast(scale=2))
    with pytest.raises(ModelRefused, match="--name"):
        add_model(file, workbench=workbench(), name=name)
    with pytest.raises(ModelRefused, match="--name"):
        add_model(file.rename(tmp_path / f"{name}.onnx"), workbench=workbench())
    assert kept() == []


def test_an_added_name_is_taken(tmp_path: Path) -> None:
    """Adding again does not replace a model that pictures may depend on, nor harm it."""
    file = save(tmp_path, contrast(scale=2))
    add_model(file, workbench=workbench())
    before = kept()
    with pytest.raises(ModelRefused, match="taken"):
        add_model(file, workbench=workbench())
    assert kept() == before
    assert add_model(file, workbench=workbench(), name="other").id == "other-x2"


def test_a_family_grows(tmp_path: Path) -> None:
    """One name may have several factors, each once, in one workbench or in several."""
    bench = workbench()
    file = save(tmp_path, contrast(scale=2))
    add_model(file, workbench=bench, name="mine")
    larger = save(tmp_path, contrast(scale=3))
    assert add_model(larger, workbench=bench, name="mine").id == "mine-x3"
    with pytest.raises(ModelRefused, match="mine x3 is taken"):
        add_model(larger, workbench=bench, name="mine")
    catalogue = workbench().catalogue
    assert catalogue.scales("mine") == (2, 3)
    assert not catalogue.refused


def test_interrupted_addition_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the network is tried out."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(addition, "measure_halo", interrupt)
    with pytest.raises(KeyboardInterrupt):
        add_model(save(tmp_path, contrast(scale=2)), workbench=workbench())
    assert kept() == []


def test_model_folder_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which folder and which variable, in one line."""
    blocked = tmp_path / "models"
    blocked.write_text("in the way")
    monkeypatch.setenv("UPRES_MODEL_DIR", str(blocked))
    with pytest.raises(ModelFolderNotWritable, match="UPRES_MODEL_DIR"):
        add_model(save(tmp_path, contrast(scale=2)), workbench=workbench())


def test_entry_that_cannot_be_written_takes_its_network_along(tmp_path: Path) -> None:
    """A model that could not be entered leaves no file that nobody knows of."""
    folder = Path(os.environ["UPRES_MODEL_DIR"])
    folder.mkdir(parents=True)
    (folder / "added").write_text("in the way")
    with pytest.raises(ModelFolderNotWritable, match="UPRES_MODEL_DIR"):
        add_model(save(tmp_path, contrast(scale=2)), workbench=workbench())
    assert kept() == ["added"]


def test_refusals_of_the_command_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`models add` exits with 3 for a file that is no model, 4 for one that is not there."""
    file = tmp_path / "odd.onnx"
    assert run_command(["models", "add", str(file)]) == 4
    file.write_bytes(b"nothing")
    assert run_command(["models", "add", str(file)]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert [line.split(":")[0] for line in output.err.splitlines()] == ["upres", "upres"]


def test_repeating_network_needs_no_halo(tmp_path: Path) -> None:
    """What looks at single pixels is tiled without waste."""
    assert add_model(save(tmp_path, repeated(scale=3).model), workbench=workbench()).halo_px == 0
