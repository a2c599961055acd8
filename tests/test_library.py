"""What Python programs call: the same kind comes back, larger, or a clear error."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from model_server import ModelServer
from PIL import Image
from store_cases import names

import upres
from upres import PictureWarning, Upscaler, enlarge
from upres.errors import (
    Cancelled,
    InputNotReadable,
    InvalidOption,
    ModelMissing,
    OutputNotWritable,
    PictureTooLarge,
    UnknownModel,
    UnreadablePicture,
    UnsupportedPicture,
    UpresError,
)
from upres.image.decode import Decoder
from upres.image.encode import encode
from upres.image.picture import Format, Picture
from upres.library import _default_workbench, default_workbench
from upres.models.probe import sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

HEAVY = ("click", "cv2", "httpx", "numpy", "onnx", "onnxruntime", "openvino", "PIL", "pyvips")


@pytest.fixture(autouse=True)
def own_workbench(clean_environment: None) -> Iterator[None]:  # noqa: ARG001 - goes first
    """Let each test have a workbench of its own environment: a process has one for life."""
    _default_workbench.cache_clear()
    yield
    _default_workbench.cache_clear()


def noise(*shape: int, dtype: type[np.unsignedinteger[Any]] = np.uint8, seed: int = 5) -> Array:
    """Return an array of random samples."""
    random = np.random.default_rng(seed)
    return random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def encoded(pixels: Array, format: Format) -> bytes:  # noqa: A002
    """Return a picture file's bytes."""
    target = io.BytesIO()
    encode(Picture(pixels=pixels), target, format=format)
    return target.getvalue()


def decoded(data: bytes) -> Array:
    """Return a picture file's pixels."""
    return Decoder(data).picture().pixels


class TestImport:
    """`import upres` costs next to nothing."""

    def test_loads_nothing_heavy(self) -> None:
        """Neither numpy and the engines nor the command, nor does asking for the version."""
        program = "import json, sys, upres; upres.__version__; print(json.dumps([*sys.modules]))"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, text=True
        )
        loaded = json.loads(done.stdout)
        assert "upres" in loaded
        assert not {name.partition(".")[0] for name in loaded} & {*HEAVY}
        assert not [name for name in loaded if name.startswith(("upres.engines", "upres.cli"))]

    def test_offers_what_it_names(self) -> None:
        """And nothing else."""
        names = {"enlarge", "PictureWarning", "Upscaler", "UpresError", "__version__"}
        assert names == {*upres.__all__}
        assert all(hasattr(upres, name) for name in upres.__all__)
        with pytest.raises(AttributeError, match="no attribute 'shrink'"):
            _ = upres.shrink


class TestKinds:
    """What goes in comes out."""

    @pytest.mark.parametrize("kind", [str, Path])
    @pytest.mark.parametrize("extension", ["png", "jpg", "jpeg", "JPG", "webp"])
    def test_path(self, tmp_path: Path, kind: type[str | Path], extension: str) -> None:
        """The result lies beside, named for the factor; its path has the type of the input's."""
        format_: Format = {"png": "png", "webp": "webp"}.get(extension, "jpeg")  # type: ignore[assignment]
        source = tmp_path / f"cat.{extension}"
        source.write_bytes(encoded(noise(8, 10, 3), format_))
        result = enlarge(kind(source), scale=2, model="bicubic")
        assert isinstance(result, kind)
        assert Path(result) == tmp_path / f"cat_x2.{extension}"
        header = Decoder(Path(result).read_bytes()).header
        assert (header.format, header.width, header.height) == (format_, 20, 16)

    def test_path_of_a_sized_result(self, tmp_path: Path) -> None:
        """Without a factor the size is in the name."""
        source = tmp_path / "cat.png"
        source.write_bytes(encoded(noise(8, 10, 3), "png"))
        assert enlarge(source, width=15, model="bicubic").name == "cat_15x12.png"

    def test_relative_path_stays_relative(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As the caller spelt it."""
        monkeypatch.chdir(tmp_path)
        Path("cat.png").write_bytes(encoded(noise(8, 10, 3), "png"))
        assert enlarge("cat.png", model="bicubic") == "cat_x3.png"

    def test_existing_result_is_refused(self, tmp_path: Path) -> None:
        """It is left as it was, and no tile is computed."""
        source, target = tmp_path / "cat.png", tmp_path / "cat_x3.png"
        source.write_bytes(encoded(noise(8, 10, 3), "png"))
        target.write_bytes(b"old")
        with pytest.raises(OutputNotWritable, match=r"cat_x3\.png: it exists already"):
            enlarge(source, progress=lambda *_: pytest.fail("computed"))
        assert target.read_bytes() == b"old"

    def test_missing_path(self, tmp_path: Path) -> None:
        """The path is named."""
        with pytest.raises(InputNotReadable, match=r"nowhere\.png"):
            enlarge(str(tmp_path / "nowhere.png"))

    def test_path_that_is_no_picture(self, tmp_path: Path) -> None:
        """The content decides, not the extension; nothing is written."""
        source = tmp_path / "cat.png"
        source.write_bytes(b"%PDF-1.7" + bytes(20))
        with pytest.raises(UnsupportedPicture, match=r"cat\.png .*PDF"):
            enlarge(source)
        assert names(tmp_path) == {"cat.png"}

    @pytest.mark.parametrize("format_", get_args(Format))
    @pytest.mark.parametrize("planes", [1, 3])
    def test_bytes(self, format_: Format, planes: int) -> None:
        """The same format comes out; gray stays gray, where the format has gray."""
        result = enlarge(encoded(noise(8, 10, planes), format_), scale=2, model="bicubic")
        assert isinstance(result, bytes)
        header = Decoder(result).header
        assert (header.format, header.width, header.height) == (format_, 20, 16)
        assert header.layout.gray == (planes == 1 and format_ not in ("webp", "avif", "gif"))

    @pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
    def test_bytes_that_are_no_picture(self, data: bytes) -> None:
        """They are the caller's fault."""
        with pytest.raises((UnreadablePicture, UnsupportedPicture)):
            enlarge(data)

    def test_truncated_bytes(self) -> None:
        """No half-gray picture is returned."""
        data = encoded(noise(80, 100, 3), "jpeg")
        with pytest.raises(UnreadablePicture):
            enlarge(data[: len(data) // 2], model="bicubic")

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 3), (9, 7, 4)])
    @pytest.mark.parametrize("model", ["auto", "espcn", "bicubic"])
    def test_array(
        self, shape: tuple[int, ...], dtype: type[np.unsignedinteger[Any]], model: str
    ) -> None:
        """Shape and sample type stay; the input is not touched."""
        array = noise(*shape, dtype=dtype)
        before = array.copy()
        result = enlarge(array, model=model)
        assert result.shape == (27, 21, *shape[2:])
        assert result.dtype == dtype
        np.testing.assert_array_equal(array, before)
        array[:] = 0
        assert result.max() > np.iinfo(dtype).max // 2

    def test_array_means_the_picture(self) -> None:
        """An array gives the pixels that a file of it gives."""
        pixels = sample("photo")[:40, :50]
        from_file = decoded(enlarge(encoded(pixels, "png")))
        np.testing.assert_array_equal(enlarge(pixels), from_file)

    def test_result_is_near_its_input(self) -> None:
        """Averaged down again it is the picture, in its right colours."""
        pixels = sample("photo")
        result = enlarge(pixels, scale=3)
        small = result.reshape(128, 3, 128, 3, 3).mean((1, 3))
        assert np.abs(small - pixels).mean() < 3

    def test_opaque_alpha_changes_nothing(self) -> None:
        """RGBA with full alpha gives the colours of RGB, and full alpha."""
        pixels = sample("photo")[:30, :30]
        result = enlarge(np.dstack([pixels, np.full((30, 30), 255, np.uint8)]))
        np.testing.assert_array_equal(result[..., :3], enlarge(pixels))
        assert np.all(result[..., 3] == 255)

    @pytest.mark.parametrize(
        "view",
        [
            lambda array: array[::2, ::-1],
            lambda array: array.transpose(1, 0, 2),
            np.asfortranarray,
            lambda array: array[..., ::-1],
            lambda array: np.broadcast_to(array[:1], array.shape),
        ],
        ids=["strided", "transposed", "fortran", "planes", "broadcast"],
    )
    @pytest.mark.parametrize("planes", [3, 4])
    @pytest.mark.parametrize("model", ["auto", "bicubic"])
    def test_memory_layout_does_not_matter(self, view: Any, planes: int, model: str) -> None:
        """A view gives what its contiguous copy gives, read-only or not."""
        array = view(noise(20, 24, planes))
        expected = enlarge(np.ascontiguousarray(array), model=model)
        array.flags.writeable = False
        np.testing.assert_array_equal(enlarge(array, model=model), expected)

    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
    def test_pil(self, mode: str) -> None:
        """A PIL image of the same mode, with an array's pixels."""
        image = Image.fromarray(noise(9, 7, 4)).convert(mode)
        result = enlarge(image, scale=2)
        assert isinstance(result, Image.Image)
        assert (result.mode, result.size) == (mode, (14, 18))
        np.testing.assert_array_equal(np.asarray(result), enlarge(np.asarray(image), scale=2))

    def test_pil_from_a_file(self) -> None:
        """Pillow's own classes of opened files count, too."""
        image = Image.open(io.BytesIO(encoded(noise(9, 7, 3), "png")))
        assert type(image) is not Image.Image
        assert enlarge(image, model="bicubic").size == (21, 27)

    def test_pil_keeps_what_travels_with_the_pixels(self) -> None:
        """Without its profile the colours would be others, without its EXIF it could lie down."""
        image = Image.new("RGB", (8, 8), "red")
        exif = Image.Exif()
        exif[0x0112] = 6
        image.info |= {"icc_profile": b"a profile", "exif": exif.tobytes(), "dpi": (300, 300)}
        result = enlarge(image, model="bicubic")
        assert result.info == image.info | {"dpi": (900, 900)}
        assert result.getexif()[0x0112] == 6

    @pytest.mark.parametrize("mode", ["1", "P", "LA", "CMYK", "YCbCr", "I", "F", "I;16", "HSV"])
    def test_pil_modes_that_would_need_a_guess(self, mode: str) -> None:
        """The error says what to do."""
        with pytest.raises(InvalidOption, match=rf"PIL image mode is '{mode}'.*image\.convert"):
            enlarge(Image.new(mode, (8, 8)))

    @pytest.mark.parametrize(
        "image",
        [None, 3, [1, 2], bytearray(b"x"), memoryview(b"x"), {"a": 1}, io.BytesIO(b"x"), object()],
        ids=lambda image: type(image).__name__,
    )
    def test_other_kinds_are_refused(self, image: object) -> None:
        """The error names the type that was given and those that are taken."""
        expected = f"image is '{type(image).__name__}'; expected a path, bytes, an array or a PIL"
        with pytest.raises(InvalidOption, match=expected):
            enlarge(image)

    @pytest.mark.parametrize(
        "dtype", ["bool", "int8", "int16", "int64", "uint32", "float32", ">u2"]
    )
    def test_other_samples_are_refused(self, dtype: str) -> None:
        """A float array could be 0..1 or 0..255: no guess is made."""
        with pytest.raises(InvalidOption, match=r"array is .*expected uint8 or uint16 of shape"):
            enlarge(np.zeros((8, 8, 3), dtype))

    @pytest.mark.parametrize(
        "shape",
        [(), (8,), (8, 8, 2), (8, 8, 5), (3, 8, 8), (1, 8, 8, 3), (0, 8, 3), (8, 0), (8, 8, 0)],
    )
    def test_other_shapes_are_refused(self, shape: tuple[int, ...]) -> None:
        """The error names the shape."""
        with pytest.raises(InvalidOption) as caught:
            enlarge(np.zeros(shape, np.uint8))
        assert f"uint8 of shape {shape}" in str(caught.value)

    @pytest.mark.parametrize("shape", [(2, 2, 3), (2, 50, 3), (50, 2), (3, 3, 4)])
    @pytest.mark.parametrize("model", ["auto", "fsrcnn", "espcn", "bicubic"])
    def test_smallest_pictures(self, shape: tuple[int, ...], model: str) -> None:
        """Two pixels across are enough for every model."""
        result = enlarge(noise(*shape), model=model)
        assert result.shape == (shape[0] * 3, shape[1] * 3, *shape[2:])


class TestOptions:
    """Each option has its effect."""

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ({}, (60, 36)),
            ({"scale": 1}, (20, 12)),
            ({"scale": 1.1}, (22, 13)),
            ({"scale": 16}, (320, 192)),
            ({"width": 50}, (50, 30)),
            ({"height": 24}, (40, 24)),
            ({"long_side": 30}, (30, 18)),
        ],
    )
    @pytest.mark.parametrize("model", ["auto", "bicubic"])
    def test_size(self, size: dict[str, Any], expected: tuple[int, int], model: str) -> None:
        """Any factor and any size, whatever the model's own factor."""
        result = enlarge(noise(12, 20, 3), **size, model=model)
        assert result.shape == (*expected[::-1], 3)

    @pytest.mark.parametrize(
        "options",
        [
            {"scale": 0.9},
            {"scale": 17},
            {"scale": float("nan")},
            {"scale": 2, "width": 40},
            {"width": 0},
            {"width": 19},
            {"long_side": 321},
            {"soften": 1.5},
            {"engine": "cuda"},
            {"threads": 0},
            {"threads": -1},
        ],
        ids=str,
    )
    def test_senseless_values(self, options: dict[str, Any]) -> None:
        """Each is told before a pixel is computed."""
        with pytest.raises(InvalidOption):
            enlarge(noise(12, 20, 3), **options, progress=lambda *_: pytest.fail("computed"))

    def test_unknown_precision(self) -> None:
        """It is an error of ours, too."""
        with pytest.raises(UpresError, match="fp8"):
            enlarge(noise(12, 20, 3), precision="fp8")  # type: ignore[arg-type]

    def test_unknown_model(self) -> None:
        """The error lists the known names."""
        with pytest.raises(UnknownModel, match="unknown model nonesuch; known: auto, fast, lite"):
            enlarge(noise(12, 20, 3), model="nonesuch")

    @pytest.mark.parametrize("model", ["lite", "fsrcnn", "fsrcnn-small", "espcn", "lanczos"])
    def test_models_differ(self, model: str) -> None:
        """A named model is the one that runs."""
        pixels = sample("photo")[:32, :32]
        result = enlarge(pixels, model=model).astype(int)
        assert np.abs(result - enlarge(pixels, model="bicubic")).max() > 3

    @pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "opencv"])
    def test_engines_agree(self, engine: str) -> None:
        """A picture does not depend on what computes it."""
        pixels = sample("photo")[:40, :40]
        result = enlarge(pixels, engine=engine, precision="fp32", threads=2).astype(int)
        assert np.abs(result - enlarge(pixels, precision="fp32")).max() <= 1

    def test_tta_knows_no_direction(self) -> None:
        """It changes the picture, and a turned picture gives the turned result."""
        pixels = sample("photo")[:32, :32]
        averaged = partial(enlarge, model="fast", tta=True)
        result = averaged(pixels).astype(int)
        assert np.abs(result - enlarge(pixels, model="fast")).max() >= 1
        for turn in (np.fliplr, np.flipud, partial(np.swapaxes, axis1=0, axis2=1)):
            assert np.abs(averaged(turn(pixels)) - turn(result)).max() <= 1

    def test_soften_takes_contrast_away(self) -> None:
        """The more the softer, at any model."""
        pixels = sample("text")[:32, :32]
        for model in ("auto", "bicubic"):
            spread = [enlarge(pixels, soften=share, model=model).std() for share in (0, 0.5, 1)]
            assert spread[0] > spread[1] > spread[2]

    def test_progress_counts_to_the_end(self) -> None:
        """(tiles done, tiles in all), one more each time, in more than one tile here."""
        seen: list[tuple[int, int]] = []
        enlarge(
            noise(20, 1100, 3),
            model="fsrcnn-small",
            progress=lambda done, total: seen.append((done, total)),
        )
        total = len(seen)
        assert total > 1
        assert seen == [(done, total) for done in range(1, total + 1)]

    @pytest.mark.parametrize("model", ["auto", "bicubic"])
    def test_cancel_leaves_nothing(self, tmp_path: Path, model: str) -> None:
        """Cancelled is raised and no file written, whole or in part."""
        source = tmp_path / "cat.png"
        source.write_bytes(encoded(noise(8, 10, 3), "png"))
        for answers in ([True], [False, True]):
            left = iter(answers)
            with pytest.raises(Cancelled):
                enlarge(source, model=model, cancel=lambda left=left: next(left))  # type: ignore[misc]
        assert names(tmp_path) == {"cat.png"}

    def test_failing_callback_leaves_nothing(self, tmp_path: Path) -> None:
        """What it raises comes through."""

        def fail(done: int, total: int) -> None:
            raise RuntimeError(f"{done} of {total}")

        source = tmp_path / "cat.png"
        source.write_bytes(encoded(noise(8, 10, 3), "png"))
        with pytest.raises(RuntimeError, match="1 of 1"):
            enlarge(source, progress=fail)
        assert names(tmp_path) == {"cat.png"}


class TestLimits:
    """Limits hold for every kind, before work is done."""

    @pytest.mark.parametrize("kind", ["path", "bytes", "array", "pil"])
    def test_output_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """The result's pixels are counted: one more than the limit is refused."""
        monkeypatch.setenv("UPRES_MAX_OUTPUT_PIXELS", str(24 * 30))
        pixels = noise(8, 10, 3)
        path = tmp_path / "cat.png"
        path.write_bytes(encoded(pixels, "png"))
        images: dict[str, Any] = {
            "path": path,
            "bytes": path.read_bytes(),
            "array": pixels,
            "pil": Image.fromarray(pixels),
        }
        with pytest.raises(PictureTooLarge, match="31x25 would have 775 pixels, the limit is 720"):
            enlarge(images[kind], width=31, progress=lambda *_: pytest.fail("computed"))
        enlarge(images[kind], scale=3, model="bicubic")

    @pytest.mark.parametrize("kind", ["path", "bytes"])
    def test_input_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """The header is enough to refuse a file."""
        monkeypatch.setenv("UPRES_MAX_INPUT_PIXELS", "79")
        path = tmp_path / "cat.png"
        path.write_bytes(encoded(noise(8, 10, 3), "png"))
        image: Any = path if kind == "path" else path.read_bytes()
        with pytest.raises(PictureTooLarge, match="it has 80 pixels, the limit is 79"):
            enlarge(image)

    def test_format_limit(self) -> None:
        """A result that its format cannot hold is refused before it is computed."""
        data = encoded(noise(2, 1100, 3), "webp")
        with pytest.raises(PictureTooLarge, match="WEBP would be 17600 pixels"):
            enlarge(data, scale=16, progress=lambda *_: pytest.fail("computed"))


class TestModelMissing:
    """Nothing is downloaded behind the caller's back."""

    @pytest.mark.parametrize("model", ["edsr", "lapsrn"])
    @pytest.mark.parametrize(
        "ask",
        [
            lambda model: enlarge(noise(8, 8, 3), model=model, scale=2),
            lambda model: Upscaler.load(model, scale=2),
        ],
        ids=["enlarge", "load"],
    )
    def test_says_what_to_run(self, monkeypatch: pytest.MonkeyPatch, model: str, ask: Any) -> None:
        """No server is asked; the error names the command, the file and the folder."""
        with ModelServer() as server:
            monkeypatch.setenv("UPRES_MODEL_MIRROR", server.url)
            with pytest.raises(ModelMissing) as caught:
                ask(model)
            assert server.paths == []
        assert f"`upres models pull {model}-x2`" in str(caught.value)
        assert os.environ["UPRES_MODEL_DIR"] in str(caught.value)
        assert not Path(os.environ["UPRES_MODEL_DIR"]).exists()

    def test_leaves_no_result(self, tmp_path: Path) -> None:
        """Nor half of one."""
        source = tmp_path / "cat.png"
        source.write_bytes(encoded(noise(8, 10, 3), "png"))
        with pytest.raises(ModelMissing):
            enlarge(source, model="edsr")
        assert names(tmp_path) == {"cat.png"}


class TestUpscaler:
    """A model kept ready."""

    def test_takes_every_kind(self, tmp_path: Path) -> None:
        """With the options it was loaded with."""
        upscaler = Upscaler.load("espcn", scale=2, soften=0.5, tta=True)
        pixels = noise(8, 10, 3)
        expected = enlarge(pixels, model="espcn", scale=2, soften=0.5, tta=True)
        source = tmp_path / "cat.png"
        source.write_bytes(encoded(pixels, "png"))
        np.testing.assert_array_equal(upscaler(pixels), expected)
        np.testing.assert_array_equal(upscaler(Image.fromarray(pixels)), expected)
        np.testing.assert_array_equal(decoded(upscaler(source.read_bytes())), expected)
        np.testing.assert_array_equal(decoded(upscaler(source).read_bytes()), expected)

    def test_opens_the_network_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first picture finds it ready."""
        upscaler = Upscaler.load("fsrcnn", scale=3, engine="onnxruntime", threads=1)
        monkeypatch.setattr(
            default_workbench().store, "find", lambda *_, **__: pytest.fail("opened")
        )
        assert upscaler(noise(8, 8)).shape == (24, 24)

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"model": "nonesuch"}, UnknownModel),
            ({"scale": 0}, InvalidOption),
            ({"soften": -1}, InvalidOption),
            ({"clean": 2}, InvalidOption),
            ({"model": "edsr", "clean": 0}, InvalidOption),
            ({"engine": "cuda"}, InvalidOption),
            ({"threads": -1}, InvalidOption),
        ],
    )
    def test_mistakes_are_told_when_it_is_loaded(
        self, options: dict[str, Any], error: type[UpresError]
    ) -> None:
        """Not when the first picture comes."""
        with pytest.raises(error):
            Upscaler.load(**options)

    def test_four_threads_get_what_one_gets(self) -> None:
        """Pictures of several sizes, at once, through one upscaler."""
        upscaler = Upscaler.load("lite", scale=3, threads=1)
        pictures = [noise(12 + 9 * seed, 40 - 5 * seed, 3, seed=seed) for seed in range(4)] * 2
        expected = [upscaler(picture) for picture in pictures]
        barrier = threading.Barrier(4)

        def run(number: int) -> list[Array]:
            barrier.wait(10)
            return [upscaler(picture) for picture in pictures[number:] + pictures[:number]]

        with ThreadPoolExecutor(4) as pool:
            for number, results in enumerate(pool.map(run, range(4))):
                for result, right in zip(
                    results, expected[number:] + expected[:number], strict=True
                ):
                    np.testing.assert_array_equal(result, right)

    def test_threads_share_one_network(self) -> None:
        """`enlarge` from several threads at once opens a network once and gets the same pixels."""
        pixels = noise(20, 20, 3)
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: enlarge(pixels, model="espcn"), range(8)))
        for result in results:
            np.testing.assert_array_equal(result, results[0])
        assert len(default_workbench()._open) == 1

    def test_outlives_its_place_among_open_networks(self) -> None:
        """Other models may push its network out; it opens it again."""
        upscaler = Upscaler.load("lite")
        expected = upscaler(noise(8, 8, 3))
        for scale in (2, 3, 4):
            for model in ("fsrcnn", "espcn"):
                enlarge(noise(8, 8), model=model, scale=scale)
        np.testing.assert_array_equal(upscaler(noise(8, 8, 3)), expected)


def test_an_odd_file_is_warned_of(tmp_path: Path) -> None:
    """It is enlarged; the warning names it and says what is odd."""
    target = io.BytesIO()
    Image.new("RGB", (20, 12)).save(target, "GIF")
    source = tmp_path / "cat.gif"
    source.write_bytes(target.getvalue().removesuffix(b"\x3b"))
    with pytest.warns(PictureWarning, match=r"cat\.gif: "):
        enlarge(source, model="bicubic")
    assert names(tmp_path) == {"cat.gif", "cat_x3.gif"}


def test_an_upscaler_keeps_what_it_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else the process opens meanwhile."""
    upscaler = Upscaler.load("lite", scale=3, threads=1)
    held = upscaler.method(factor=3)
    monkeypatch.setattr(upscaler.workbench, "method", None)
    assert upscaler.method(factor=2.5) is held


def test_what_a_pil_image_says_stays_true() -> None:
    """The density grows with the pixels; a colour that stood for transparency is gone."""
    image = Image.new("RGB", (20, 12))
    image.info |= {"dpi": (100, 50), "transparency": (0, 0, 0), "icc_profile": b"profile"}
    assert enlarge(image, scale=2, model="bicubic").info == {
        "dpi": (200.0, 100.0),
        "icc_profile": b"profile",
    }
