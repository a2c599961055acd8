"""Which file goes where: inputs, folders and names of results, before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from upres.errors import InputNotReadable, InvalidOption, OutputNotWritable
from upres.image.formats import FORMATS, TRAITS, format_of_extension, written_as
from upres.result_names import output_name, result_mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upres.image.picture import Format, Header
    from upres.upscale.size import SizeRequest

Existing = Literal["refuse", "overwrite", "skip"]
"""What to do with a result that exists."""

_STANDARD = Path("-")
_WRITTEN = {extension for name in FORMATS for extension in TRAITS[name].extensions}
_READ = {*_WRITTEN, ".bmp", ".dib"}
"""Names of pictures in folders; a picture named itself is judged by its content."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a result goes and in which format; no path is standard output."""

    path: Path | None
    format: Format
    source: Path
    in_folder: bool = False
    """Whether only a folder was named, which is made where there is none."""

    def make_folder(self) -> None:
        """Make the folder that the result goes to. Raises OutputNotWritable."""
        if self.path is None or not self.in_folder:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputNotWritable(self.path.parent, reason) from error

    def check_free(self, existing: Existing) -> Literal["go", "skip"]:
        """Tell whether to go on; raises OutputNotWritable where a file may not be replaced."""
        if self.path is None or not self.path.is_file():
            return "go"
        if self.source != _STANDARD and self.path.samefile(self.source):
            raise OutputNotWritable(self.path, "it is the input itself")
        if existing == "refuse":
            raise OutputNotWritable(
                self.path, "it exists already; use --overwrite or --skip-existing"
            )
        return "go" if existing == "overwrite" else "skip"


@dataclass(frozen=True, kw_only=True)
class Route:
    """One picture's way from its file to its result."""

    source: Path
    size: SizeRequest
    format: Format | None
    file: Path | None = None
    """The exact result, where it was named."""
    folder: Path | None = None
    """Or the folder for it; beside the source where there is neither."""

    @property
    def name(self) -> str:
        """What errors call the picture."""
        return "standard input" if self.source == _STANDARD else self.source.name

    def target_for(self, header: Header) -> Target:
        """Name the result, now that the picture's format and size are known."""
        format_ = self.format or written_as(header.format)
        unnamed = self.file is None and self.folder is None
        to_stdout = self.file == _STANDARD or (self.source == _STANDARD and unnamed)
        if to_stdout:
            return Target(path=None, format=format_, source=self.source)
        if self.file is not None:
            return Target(path=self.file, format=format_, source=self.source)
        folder = self.folder or self.source.parent
        source = Path("stdin") if self.source == _STANDARD else self.source
        name = output_name(source, self.size, header=header, format=format_)
        return Target(path=folder / name, format=format_, source=self.source, in_folder=True)


def routes(
    inputs: Sequence[str],
    *,
    output: str | None,
    size: SizeRequest,
    format: Format | None,  # noqa: A002
    recursive: bool,
) -> list[Route]:
    """Lay out the whole run.

    `output` is a file for a single picture and a folder otherwise; a folder's results keep its
    tree. Raises InvalidOption and InputNotReadable.
    """
    if "" in inputs or inputs.count("-") > 1:
        raise InvalidOption("input", "", "names of files and folders, and `-` at most once")
    sources = [Path(name) for name in inputs]
    if output is not None and _names_a_file(output, sources):
        file = Path(output)
        chosen = format if file == _STANDARD else _agreed_format(file, format)
        return [Route(source=sources[0], size=size, format=chosen, file=file)]
    folder = Path(output) if output is not None else None
    return [
        Route(source=path, size=size, format=format, folder=destination)
        for source in sources
        for path, destination in _expanded(source, folder, recursive=recursive, size=size)
    ]


def _names_a_file(output: str, sources: Sequence[Path]) -> bool:
    if len(sources) > 1 or sources[0].is_dir():
        if output == "-" or (Path(output).suffix.lower() in _WRITTEN and not Path(output).is_dir()):
            raise InvalidOption("--output", output, "a folder for several pictures")
        return False
    return not (output.endswith("/") or Path(output).is_dir())


def _agreed_format(file: Path, format: Format | None) -> Format:  # noqa: A002
    if not file.suffix and format is not None:
        return format
    named = format_of_extension(file.suffix)
    if format is not None and named != format:
        raise InvalidOption("--format", format, f"{named}, as the output's name says")
    return named


def _expanded(
    source: Path, folder: Path | None, *, recursive: bool, size: SizeRequest
) -> Iterator[tuple[Path, Path | None]]:
    """List a folder's pictures, results of an earlier run of the same kind left out."""
    if not source.is_dir():
        yield source, folder
        return
    found = source.rglob("*") if recursive else source.glob("*")
    own = folder.resolve() if folder is not None else None
    pictures = [
        path
        for path in sorted(found)
        if path.suffix.lower() in _READ and path.is_file()
        if own is None or own == source.resolve() or own not in path.resolve().parents
    ]
    if not pictures:
        raise InputNotReadable(source, "there is no picture in this folder")
    originals = {(path.parent, path.stem) for path in pictures}
    mark = result_mark(size)
    for path in pictures:
        original, cut, _ = path.stem.rpartition("_") if mark is None else path.stem.rpartition(mark)
        ends_so = path.stem == original + cut if mark else _is_size(path.stem.rpartition("_")[2])
        if original and ends_so and (path.parent, original) in originals:
            continue
        inside = path.parent.relative_to(source)
        yield path, (folder / inside if folder is not None else None)


def _is_size(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]+x[0-9]+", text))
