"""What may be asked for with a picture, in a query or in the fields of a form."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from upres.image.picture import Format
from upres.jobs.job import JobOptions, Priority
from upres.upscale.size import MAX_FACTOR

NAME_CHARACTERS = 255

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_WHOLE = re.compile(r"-?[0-9]{1,15}(\.0{1,15})?")


def _number(value: object) -> object:
    """Take a number from a query or a form as JSON writes it; pydantic alone takes `1_0`, `nan`."""
    if not isinstance(value, str):
        return value
    if not _NUMBER.fullmatch(value):
        raise ValueError("a number")
    return float(value)


def _whole(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _WHOLE.fullmatch(value):
        raise ValueError("a whole number")
    return int(value.partition(".")[0])


def _truth(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value not in {"true", "false"}:
        raise ValueError("true or false")
    return value == "true"


def _without_default(schema: dict[str, Any]) -> None:
    """Leave out `null`, which stands for `not given` and cannot be written in a query."""
    schema.pop("default", None)


_NOT_GIVEN: Any = Field(default=None, json_schema_extra=_without_default)

Factor = Annotated[float, BeforeValidator(_number), Field(ge=1, le=MAX_FACTOR)]
Side = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=100_000_000)]
Truth = Annotated[bool, BeforeValidator(_truth)]


class PictureOptions(BaseModel):
    """What is to be done with a picture: in the query, or as fields of a form."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    scale: Factor | SkipJsonSchema[None] = _NOT_GIVEN
    """How many times larger each side becomes, any number; 3 where no size is given. At most one
    of `scale`, `width`, `height` and `long_side`."""
    width: Side | SkipJsonSchema[None] = _NOT_GIVEN
    """The result's width in pixels, at least the picture's own."""
    height: Side | SkipJsonSchema[None] = _NOT_GIVEN
    """The result's height in pixels."""
    long_side: Side | SkipJsonSchema[None] = _NOT_GIVEN
    """The result's longer side in pixels."""
    model: Annotated[str, Field(min_length=1, max_length=100)] = "auto"
    """A name of `GET /api/v1/models`."""
    clean: Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)] | SkipJsonSchema[None] = (
        _NOT_GIVEN
    )
    """A strength between the models `lite` (0) and `photo` (1), for these and `auto` alone; by
    default the model's name says it."""
    tta: Truth = False
    """Average over eight flips and turns: a little better, about eight times as slow. For `lite`
    and `photo`, whose results are the same from every side, one pass is enough."""
    soften: Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)] = 0.0
    """0 to 1: blend towards a slight blur."""
    exact: Truth = False
    """Have the network compute flat parts of the picture, too, which are interpolated otherwise."""
    format: Format | Literal["mp4"] | SkipJsonSchema[None] = _NOT_GIVEN
    """The result's format; by default the picture's own, PNG for BMP; of clips `mp4` alone."""
    quality: Annotated[int, BeforeValidator(_whole), Field(ge=1, le=100)] = 95
    """Of JPEG, WebP and AVIF."""
    keep_metadata: Truth = False
    """Keep EXIF, XMP and IPTC; GPS positions never stay."""
    priority: Literal["interactive", "batch"] = "interactive"
    """`batch` lets interactive jobs go first, for two minutes."""
    name: Annotated[str, Field(max_length=NAME_CHARACTERS)] | SkipJsonSchema[None] = _NOT_GIVEN
    """The picture's name, for display and downloads; by default the uploaded file's."""

    def job_options(self) -> JobOptions:
        """Return them as the job table takes them. Raises InvalidOption for two sizes."""
        return JobOptions(
            factor=self.scale,
            width=self.width,
            height=self.height,
            long_side=self.long_side,
            model=self.model,
            clean=self.clean,
            tta=self.tta,
            soften=self.soften,
            exact=self.exact,
            format=self.format,
            quality=self.quality,
            keep_metadata=self.keep_metadata,
        )

    @property
    def urgency(self) -> Priority:
        """The priority, as the job table takes it."""
        return Priority(self.priority)
