"""What a request brings: a picture, raw or in a form, its options, its headers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

from flask import request
from pydantic import ValidationError

from upres.errors import InvalidOption, NoFile
from upres.service.asked import Request
from upres.web.clients import client
from upres.web.guards import request_id
from upres.web.limits import charge_pixels, charge_request
from upres.web.options import NAME_CHARACTERS, PictureOptions
from upres.web.schemas import PREFIX
from upres.web.serving import serving

if TYPE_CHECKING:
    from werkzeug.datastructures import FileStorage, MultiDict

    from upres.jobs.job import Job

FIELD = "image"
"""The form field of pictures."""
UNNAMED = "picture"
_CHUNK_BYTES = 2**18
_NAME_BYTES = 255
_SHOWN_CHARACTERS = 80
_KEY_CHARACTERS = 200
_FOLDERS = re.compile(r"[/\\]")


@dataclass(frozen=True)
class Upload:
    """A picture that is still to be read."""

    name: str
    chunks: Iterator[bytes]


def in_form() -> bool:
    """Tell whether the body is a form with files; any other body is the picture itself."""
    return request.mimetype == "multipart/form-data"


def options() -> PictureOptions:
    """Return the options of the query and of the form. Raises InvalidOption, naming all wrong."""
    given = _single(request.args)
    if in_form():
        fields = {name: value for name, value in _single(request.form).items() if value}
        twice = given.keys() & fields.keys()
        if twice:
            raise InvalidOption(min(twice), fields[min(twice)], "one value, in query or form")
        given |= fields
    try:
        return PictureOptions.model_validate(given)
    except ValidationError as error:
        first, *others = [
            InvalidOption(
                str(one["loc"][0])[:_SHOWN_CHARACTERS],
                str(one["input"])[:_SHOWN_CHARACTERS],
                _expected(one["type"], one["msg"]),
            )
            for one in error.errors(include_url=False, include_context=False)
        ]
        first.args = ("; ".join(map(str, [first, *others])),)
        raise first from error


def upload(name: str | None = None) -> Upload:
    """Return the request's one picture, under that name where one is given.

    Raises NoFile, and InvalidOption where there are several.
    """
    if in_form():
        return form_upload(name)
    chunks = _chunks(cast("BinaryIO", request.stream))
    first = next(chunks, b"")
    if not first:
        raise NoFile(FIELD)
    return Upload(display_name(name or ""), chain([first], chunks))


def form_upload(name: str | None = None) -> Upload:
    """Return the one picture of a form. Raises NoFile, and InvalidOption for several."""
    first, *others = uploads(name)
    if others:
        raise InvalidOption(FIELD, f"{1 + len(others)} files", f"one; several: {PREFIX}/batches")
    return first


def uploads(name: str | None = None) -> list[Upload]:
    """Return the pictures of a form, in their order, at least one. Raises NoFile."""
    files = request.files.getlist(FIELD) if in_form() else []
    found = [_of_file(file, name) for file in files if file]
    if not found:
        raise NoFile(FIELD)
    return found


def idempotency_key(*, suffix: str = "") -> str | None:
    """Return the client's own name for the request. Raises InvalidOption."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not (key.isprintable() and 1 <= len(key) <= _KEY_CHARACTERS):
        shown = key[:_SHOWN_CHARACTERS]
        raise InvalidOption(
            "Idempotency-Key", shown, f"1 to {_KEY_CHARACTERS} printable characters"
        )
    return key + suffix


def accept(picture: Upload, asked: PictureOptions, *, key: str | None) -> Job:
    """Store a picture, for which a request was charged, and make a job of it.

    Raises whatever the intake does, and RateLimited.
    """
    here = serving()
    source = here.intake.store(picture.chunks, name=picture.name)
    wanted = Request(
        name=picture.name,
        options=asked.job_options(),
        owner=client().owner,
        priority=asked.urgency,
        idempotency_key=key,
        request_id=request_id(),
    )
    job, _ = here.intake.accept(source, wanted, charge=charge_pixels)
    return job


def accepted() -> Job:
    """Make a job of the request's picture, options and key. Raises as its parts do.

    The request counts before anything of its body is read.
    """
    charge_request()
    key = idempotency_key()
    asked = options()
    _ = asked.job_options()  # so that a mistake is told before the picture is read
    return accept(upload(asked.name), asked, key=key)


def display_name(text: str) -> str:
    """Return a name that may be shown: no folders, no control or direction marks, not too long."""
    name = unicodedata.normalize("NFC", _FOLDERS.split(text)[-1])
    plain = "".join(one for one in name if unicodedata.category(one)[0] != "C").strip(" .")
    return cut(plain[:NAME_CHARACTERS]) or UNNAMED


def cut(name: str, ending: str = "") -> str:
    """Return a name, as much of it as a file system takes, with its ending whole."""
    return name.encode()[: _NAME_BYTES - len(ending.encode())].decode(errors="ignore") + ending


def _of_file(file: FileStorage, name: str | None) -> Upload:
    return Upload(display_name(name or file.filename or ""), _chunks(cast("BinaryIO", file.stream)))


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _single(values: MultiDict[str, str]) -> dict[str, str]:
    given = {}
    for name, found in values.lists():
        if len(found) != 1:
            raise InvalidOption(
                name[:_SHOWN_CHARACTERS], ", ".join(found)[:_SHOWN_CHARACTERS], "one value"
            )
        given[name] = found[0]
    return given


def _expected(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"the name of an option: {', '.join(PictureOptions.model_fields)}"
    return message.removeprefix("Value error, ").removeprefix("Input should be ")
