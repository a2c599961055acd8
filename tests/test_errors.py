"""One tree of errors: every leaf has a code of its own, a blame, one line of text, an exit code."""

from __future__ import annotations

import inspect
import pickle
import re
from typing import Any

import pytest

from upres import errors
from upres.cli import exits
from upres.cli.exits import exit_code
from upres.errors import Blame, UpresError

SAMPLES: dict[str, UpresError] = {
    sample.code: sample
    for sample in (
        errors.UnreadablePicture("photo.png", "it is empty"),
        errors.UnsupportedPicture("photo.gif", "it is a GIF file"),
        errors.PictureTooLarge("photo.png", what="it has", value=5, limit=4),
        errors.UnreadableVideo("clip.mp4", "it has no video stream"),
        errors.UnsupportedVideo("clip.mp4", "MP4 holds no FFV1"),
        errors.InvalidOption("scale", 17, "a number from 1 to 16"),
        errors.UnknownModel("nothing", ["edsr", "lite"], scale=3),
        errors.ModelRefused("graph.onnx", "it has two outputs"),
        errors.InputNotReadable("photo.png", "no such file or directory"),
        errors.OutputNotWritable("out.png", "permission denied"),
        errors.ModelMissing("edsr", file="edsr.pb", sha256="ab", sources=[], folder="/models"),
        errors.ModelDamaged("edsr.pb", expected="5 bytes", actual="4 bytes"),
        errors.ModelFolderNotWritable("/models", "permission denied"),
        errors.OutOfMemory("photo.jpg"),
        errors.ModelFolderNotReadable("/models", "permission denied"),
        errors.DownloadFailed(
            "edsr.pb", sha256="ab", failures=[("http://host", "no answer")], folder="/models"
        ),
        errors.EngineMissing("openvino", "openvino"),
        errors.PrecisionUnavailable("opencv", "bf16", ["fp32"]),
        errors.DiskFull("out.png"),
        errors.EngineFailed("openvino", "edsr-x3", "out of memory"),
        errors.EncodingFailed("AVIF", "out of luck"),
        errors.Cancelled(),
        errors.JobMissing("abc"),
        errors.JobNotReady("abc", "queued"),
        errors.IdempotencyConflict("key"),
        errors.BlobMissing("ab" * 32),
        errors.ExtraMissing("upres serve", module="flask", extra="service"),
        errors.SandboxUnavailable("it needs Linux"),
        errors.DatabaseUnusable("jobs.db", "file is not a database"),
        errors.DatabaseTooNew("jobs.db", found=2, known=1),
        errors.QueueFull(queued_px=100, limit_px=90, retry_after_s=7),
        errors.ClientQueueFull(queued_px=50, limit_px=40, retry_after_s=7),
        errors.DatabaseBusy("jobs.db"),
        errors.BlobFolderFull(limit_bytes=1000),
        errors.NoFile("image"),
        errors.NoWorker(),
        errors.JobGone("abc", "result"),
        errors.Unauthorized("this server wants an API key"),
        errors.Forbidden("the key lacks the scope models"),
        errors.KeysUnusable("keys.toml", "permission denied"),
        errors.RateLimited("pictures", limit=60, retry_after_s=7),
        errors.ServerBusy(retry_after_s=2),
        errors.ServerStopping(),
        errors.JobTimeout("a.jpg", limit_s=60),
    )
}
"""One of each leaf, by its code."""

BLAME_OF_BRANCH = {
    "CallerError": Blame.CALLER,
    "SetupError": Blame.SETUP,
    "CapacityError": Blame.CAPACITY,
    "EngineFailed": Blame.BUG,
    "EncodingFailed": Blame.BUG,
    "Cancelled": Blame.CALLER,
}


def tree(root: type[UpresError]) -> dict[str, str]:
    """Return the parent's name of every class under `root` that upres.errors defines."""
    parents: dict[str, str] = {}
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            parents |= {child.__name__: root.__name__} | tree(child)
    return parents


def drawn_tree() -> dict[str, str]:
    """Return the same as the module's docstring draws it."""
    path: list[str] = []
    parents: dict[str, str] = {}
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        drawn = re.match(r"([│├└─ ]*)(\w+)", line)
        if drawn is None or ("── " not in drawn[1] and line != "UpresError"):
            continue
        depth = len(drawn[1]) // 4
        path[depth:] = [drawn[2]]
        if depth:
            parents[drawn[2]] = path[depth - 1]
    return parents


def drawn_codes() -> dict[str, str]:
    """Return the codes that the docstring names, by class."""
    text = errors.__doc__ or ""
    plain = dict(re.findall(r"[├└]── (\w+) +([a-z]+(?:-[a-z]+)*)$", text, re.MULTILINE))
    return plain | dict(re.findall(r"[├└]── (\w+) +blame: \w+ \(([a-z-]+)\)$", text, re.MULTILINE))


def leaves() -> list[type[UpresError]]:
    """Return the classes that have no subclass."""
    parents = tree(UpresError)
    return [getattr(errors, name) for name in parents if name not in parents.values()]


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    """Every class, under its parent, and no other."""
    assert drawn_tree() == tree(UpresError)


def test_the_docstring_names_every_leafs_code() -> None:
    """A reader finds an error by the code that programs see."""
    assert drawn_codes() == {leaf.__name__: leaf.code for leaf in leaves()}


def test_every_leaf_has_a_code_of_its_own() -> None:
    """Short, of small letters and dashes, and never that of another leaf or of a branch."""
    codes = [leaf.code for leaf in leaves()]
    assert len(set(codes)) == len(codes)
    assert UpresError.code not in codes
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_there_is_a_sample_of_every_leaf() -> None:
    """So that the tests below leave none out."""
    assert {type(sample) for sample in SAMPLES.values()} == set(leaves())


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_the_text_is_one_line_for_people(sample: UpresError) -> None:
    """No traceback words, no tuple, no errno in front, no full stop at the end."""
    text = str(sample)
    assert text == text.strip()
    assert "\n" not in text
    assert not text.startswith(("(", "["))
    assert not text.endswith(".")
    assert text[0].islower()


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_the_blame_is_the_branchs(sample: UpresError) -> None:
    """The tree says whose fault an error is."""
    branches = [kind.__name__ for kind in type(sample).__mro__]
    (branch,) = BLAME_OF_BRANCH.keys() & set(branches)
    assert sample.blame is BLAME_OF_BRANCH[branch]


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_every_error_has_an_exit_code(sample: UpresError) -> None:
    """By blame, except for wrong options and Ctrl-C; never 0."""
    expected: dict[Any, int] = {
        Blame.CALLER: exits.EXIT_CALLER,
        Blame.SETUP: exits.EXIT_SETUP,
        Blame.CAPACITY: exits.EXIT_CAPACITY,
        Blame.BUG: exits.EXIT_BUG,
        "invalid-option": exits.EXIT_USAGE,
        "cancelled": exits.EXIT_INTERRUPTED,
    }
    assert exit_code(sample) == expected.get(sample.code, expected[sample.blame])
    assert exit_code(sample) > 0


def test_exit_codes_are_told_apart() -> None:
    """A script can tell one kind of failure from another."""
    codes = [value for name, value in vars(exits).items() if name.startswith("EXIT_")]
    assert sorted(codes) == [1, 2, 3, 4, 5, 130]


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.UnreadablePicture, ValueError),
        (errors.UnknownModel, LookupError),
        (errors.InputNotReadable, OSError),
        (errors.OutputNotWritable, OSError),
        (errors.ModelMissing, FileNotFoundError),
        (errors.DownloadFailed, ConnectionError),
        (errors.EngineMissing, ImportError),
        (errors.DiskFull, OSError),
        (errors.EngineFailed, RuntimeError),
    ],
)
def test_pythons_own_kinds_catch_them_too(error: type[UpresError], builtin: type) -> None:
    """A program that never heard of upres' tree still handles its errors."""
    assert issubclass(error, builtin)


@pytest.mark.parametrize("code", SAMPLES)
def test_errors_travel_between_processes(code: str) -> None:
    """Kind, text and code arrive as they left."""
    error = SAMPLES[code]
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert (type(arrived), str(arrived), arrived.code) == (type(error), str(error), code)
    assert vars(arrived) == vars(error)
