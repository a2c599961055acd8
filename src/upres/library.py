"""What Python programs call: `enlarge` for one picture, `Upscaler` to keep a model ready."""

from __future__ import annotations

import io
import threading
import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import numpy as np

from upres.condition.choice import choose
from upres.condition.measure import measure
from upres.config import Settings
from upres.enlargement import Delivery, Enlargement, PictureWarning, condition_of
from upres.errors import InvalidOption, OutputNotWritable
from upres.image.arrays import from_array, to_array
from upres.image.decode import Decoder
from upres.image.files import complete_output, read_input
from upres.image.formats import written_as
from upres.image.picture import Picture
from upres.result_names import output_name
from upres.upscale.size import SizeRequest
from upres.upscale.upscaler import Interpolation, Options, enlarge_picture
from upres.workbench import Runtime, Workbench

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from upres.condition.choice import Choice
    from upres.condition.measure import Condition
    from upres.image.limits import Limits
    from upres.upscale.flat import Tally
    from upres.upscale.upscaler import CancelCheck, Network, ProgressCallback
    from upres.workbench import PullNotice

Image = TypeVar("Image")

_default_lock = threading.Lock()


@cache
def _default_workbench() -> Workbench:
    return Workbench(Settings.from_environment())


def default_workbench() -> Workbench:
    """Return the process's own workbench, set up from the environment at its first use."""
    with _default_lock:
        return _default_workbench()


def enlarge(
    image: Image,
    *,
    scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    long_side: int | None = None,
    model: str = "auto",
    clean: float | None = None,
    tta: bool = False,
    soften: float = 0.0,
    engine: str = "auto",
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    threads: int | None = None,
    exact: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelCheck | None = None,
) -> Image:
    """Enlarge one picture; what goes in comes out.

    `image` is a path (the result is written beside it, as `photo_x3.jpg`, and its path returned),
    the bytes of a picture file (bytes of the same format; PNG for BMP), an array (H, W, 3) RGB or
    (H, W) or (H, W, 1) gray or (H, W, 4) RGBA of uint8 or uint16, or a PIL image. One of `scale`
    (1..16), `width`, `height`, `long_side` (pixels) sets the size; the default is three times.
    `clean` is a strength between the models `lite` (0) and `photo` (1), instead of `auto`'s choice.
    With `precision` "auto" flat parts are interpolated, at most 0.05 dB worse; not with `exact`.
    `progress` is called with (tiles done, tiles in all), `cancel` is asked before every tile.

    The model must be installed: nothing is downloaded here (`upres models pull NAME` does). Raises
    UpresError; see upres.errors.
    """
    size = SizeRequest(factor=scale, width=width, height=height, long_side=long_side)
    upscaler = Upscaler(
        workbench=default_workbench(),
        model=model,
        clean=clean,
        size=size,
        options=Options(tta=tta, soften=soften),
        runtime=Runtime(engine=engine, precision=precision, threads=threads, exact=exact),
    )
    return upscaler(image, progress=progress, cancel=cancel)


@dataclass(frozen=True, kw_only=True)
class Upscaler:
    """A model, a size and options to use on many pictures; safe to share between threads."""

    workbench: Workbench
    model: str
    size: SizeRequest
    options: Options
    runtime: Runtime
    clean: float | None = None
    """Strength from 0, `lite`, to 1, `photo`; None leaves it to the model's name."""
    _held: dict[str, Network | Interpolation] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What was used before: the workbench closes what others push out."""

    @classmethod
    def load(
        cls,
        model: str = "auto",
        *,
        scale: float = 3,
        clean: float | None = None,
        tta: bool = False,
        soften: float = 0.0,
        engine: str = "auto",
        precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
        threads: int | None = None,
        exact: bool = False,
    ) -> Upscaler:
        """Make a model ready now, so that the first picture does not wait for it.

        Raises UnknownModel, ModelMissing, EngineMissing, InvalidOption.
        """
        upscaler = cls(
            workbench=default_workbench(),
            model=model,
            clean=clean,
            size=SizeRequest(factor=scale),
            options=Options(tta=tta, soften=soften),
            runtime=Runtime(engine=engine, precision=precision, threads=threads, exact=exact),
        )
        upscaler.method(factor=scale)
        return upscaler

    def choice(self, condition: Callable[[], Condition]) -> Choice | None:
        """Return the strength that `auto` chooses for a picture, None where nothing is to choose.

        `condition` measures the picture; it is called only where that decides.
        """
        if not self.workbench.measures(self.model, self.clean):
            return None
        return choose(condition())

    def choice_for(self, data: bytes, *, name: str = "picture") -> Choice | None:
        """Return the same for a picture file's bytes. Raises UnreadablePicture."""
        return self.choice(lambda: condition_of(Decoder(data, name=name), data))

    def method(
        self, *, factor: float, choice: Choice | None = None, pull: PullNotice | None = None
    ) -> Network | Interpolation:
        """Return what does the enlarging at a factor; `pull` as for `Workbench.method`."""
        clean = self.clean if choice is None else choice.clean
        spec = self.workbench.spec(self.model, factor=factor, clean=clean)
        key = spec.id if spec else self.model
        if key not in self._held:
            self._held[key] = self.workbench.method(
                self.model, factor=factor, clean=clean, runtime=self.runtime, pull=pull
            )
        return self._held[key]

    def __call__(
        self,
        image: Image,
        *,
        progress: ProgressCallback | None = None,
        cancel: CancelCheck | None = None,
    ) -> Image:
        """Enlarge a picture of any kind that `upres.enlarge` takes; the same kind comes back."""
        return cast("Image", self._same_kind(image, progress=progress, cancel=cancel))

    def _same_kind(
        self, image: object, *, progress: ProgressCallback | None, cancel: CancelCheck | None
    ) -> object:
        if isinstance(image, str | Path):
            return type(image)(self._file(Path(image), progress=progress, cancel=cancel))
        if isinstance(image, bytes):
            return self._bytes(image, progress=progress, cancel=cancel)
        if isinstance(image, np.ndarray):
            picture = self.picture(from_array(image), progress=progress, cancel=cancel)
            return to_array(picture, like=image)
        if type(image).__module__.startswith("PIL."):
            return self._pil(image, progress=progress, cancel=cancel)
        raise InvalidOption("image", type(image).__name__, "a path, bytes, an array or a PIL image")

    def picture(
        self,
        picture: Picture,
        *,
        name: str = "picture",
        progress: ProgressCallback | None = None,
        cancel: CancelCheck | None = None,
        tally: Tally | None = None,
    ) -> Picture:
        """Enlarge a decoded picture; raises PictureTooLarge past the output limit.

        `tally` is told how much was interpolated.
        """
        width, height = self.size.size_for(width=picture.width, height=picture.height)
        self.limits.check_output(width=width, height=height, name=name)
        choice = self.choice(lambda: measure([picture.rows()], picture.layout))
        return enlarge_picture(
            picture,
            self.method(factor=max(width / picture.width, height / picture.height), choice=choice),
            width=width,
            height=height,
            options=self.options,
            progress=progress,
            cancel=cancel,
            tally=tally,
        )

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self.workbench.settings.limits

    def opened(self, data: bytes, *, name: str = "picture") -> Enlargement:
        """Look at a picture file's bytes and refuse what cannot be enlarged.

        Raises UnreadablePicture, UnsupportedPicture, PictureTooLarge and InvalidOption.
        """
        return Enlargement(data, name=name, size=self.size, limits=self.limits)

    def _bytes(
        self, data: bytes, *, progress: ProgressCallback | None, cancel: CancelCheck | None
    ) -> bytes:
        target = io.BytesIO()
        self._write(self.opened(data), data, target, progress=progress, cancel=cancel)
        return target.getvalue()

    def _file(
        self, path: Path, *, progress: ProgressCallback | None, cancel: CancelCheck | None
    ) -> Path:
        data = read_input(path, limit_bytes=self.limits.input_bytes)
        enlargement = self.opened(data, name=path.name)
        format_ = written_as(enlargement.header.format)
        output = path.with_name(
            output_name(path, self.size, header=enlargement.header, format=format_)
        )
        if output.exists():
            raise OutputNotWritable(output, "it exists already")
        with complete_output(output) as file:
            self._write(enlargement, data, file, progress=progress, cancel=cancel)
        return output

    def _write(
        self,
        enlargement: Enlargement,
        data: bytes,
        target: BinaryIO,
        *,
        progress: ProgressCallback | None,
        cancel: CancelCheck | None,
    ) -> None:
        delivery = Delivery(format=written_as(enlargement.header.format))
        enlargement.check_format(delivery.format)
        choice = self.choice_for(data, name=enlargement.name)
        enlargement.write(
            target,
            self.method(factor=enlargement.factor, choice=choice),
            delivery=delivery,
            options=self.options,
            progress=progress,
            cancel=cancel,
        )
        for warning in enlargement.warnings:
            warnings.warn(f"{enlargement.name}: {warning}", PictureWarning, stacklevel=6)

    def _pil(
        self, image: Any, *, progress: ProgressCallback | None, cancel: CancelCheck | None
    ) -> Any:
        from PIL import Image as pil  # noqa: N813 - the caller has it, or had no PIL image

        if image.mode not in ("L", "RGB", "RGBA"):
            raise InvalidOption("PIL image mode", image.mode, "L, RGB or RGBA; use image.convert")
        samples = np.asarray(image)
        result = self.picture(from_array(samples), progress=progress, cancel=cancel)
        enlarged = pil.fromarray(to_array(result, like=samples))
        # a transparent colour would be another pixel's by now
        enlarged.info |= {key: image.info[key] for key in image.info if key != "transparency"}
        if "dpi" in image.info:
            factors = (result.width / image.width, result.height / image.height)
            enlarged.info["dpi"] = tuple(np.multiply(image.info["dpi"], factors).tolist())
        return enlarged
