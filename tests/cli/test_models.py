"""`upres models`: list, pull, verify, path."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from builders import Case, described, repeated
from model_server import ModelServer
from store_cases import flip, names

from upres.cli.exits import EXIT_CALLER, EXIT_SETUP, EXIT_USAGE
from upres.models.catalogue import Catalogue
from upres.models.spec import Channels

Run = Callable[..., int]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder() -> Path:
    """Return the model folder, which nobody has made yet."""
    return Path(os.environ["UPRES_MODEL_DIR"])


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the mirror."""
    made = tmp_path / "mirror"
    made.mkdir()
    monkeypatch.setenv("UPRES_MODEL_MIRROR", str(made))
    return made


@pytest.fixture
def upstream(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of upstream files as the mirror; skip where there is none."""
    weights = shared / "weights"
    if not weights.joinpath("LapSRN_x2.pb").is_file():
        pytest.skip(f"{weights} holds no upstream files")
    monkeypatch.setenv("UPRES_MODEL_MIRROR", str(weights))
    return weights


@pytest.fixture
def tiny(folder: Path) -> Case:
    """Enter a network of our own making in the catalogue, its file nowhere yet."""
    case = described(repeated(scale=2).model, name="tiny", scale=2, channels=Channels.RGB)
    spec = case.spec
    entry = {
        "name": spec.name,
        "scale": spec.scale,
        "channels": "rgb",
        "value_max": 1.0,
        "halo_px": 0,
        "working_bytes_per_px": 200,
        "licence": "MIT",
        "origin": "a test",
        "summary": "repeats pixels",
        "file": {"name": spec.file.name, "bytes": spec.file.bytes, "sha256": spec.file.sha256},
    }
    path = folder / "added" / "tiny-x2.toml"
    path.parent.mkdir(parents=True)
    path.write_text(tomli_w.dumps({"model": [entry]}), "utf-8")
    return case


class TestList:
    """What there is."""

    def test_names_every_model(self, run: Run, capsys: Capture) -> None:
        """One line each under a head, with scale, licence and whether it is here."""
        assert run("models", "list") == 0
        head, *lines = capsys.readouterr().out.splitlines()
        assert head.split() == ["model", "scale", "size", "here", "licence", "what", "it", "is"]
        specs = list(Catalogue.load())
        assert len(lines) == len(specs) + 2
        for spec, line in zip(specs, lines, strict=False):
            name, scale, size, unit, here, licence, *_ = line.split()
            assert (name, scale) == (spec.name, f"x{spec.scale}")
            assert (size, unit) == (f"{spec.file.bytes:,}", "B")
            assert here == ("pull" if spec.file.sources else "yes")
            assert licence == spec.licence
        assert [line.split()[:2] for line in lines[-2:]] == [["bicubic", "any"], ["lanczos", "any"]]

    def test_json(self, run: Run, capsys: Capture) -> None:
        """The same for programs."""
        assert run("models", "list", "--json") == 0
        rows = json.loads(capsys.readouterr().out)
        specs = list(Catalogue.load())
        assert [(row["name"], row["scale"]) for row in rows] == [(s.name, s.scale) for s in specs]
        for spec, row in zip(specs, rows, strict=True):
            assert row["installed"] is not bool(spec.file.sources)
            assert (row["bytes"], row["licence"]) == (spec.file.bytes, spec.licence)
            assert (row["halo_px"], row["parameters"]) == (spec.halo_px, spec.parameters)

    def test_own_models_follow(self, run: Run, tiny: Case, folder: Path, capsys: Capture) -> None:
        """Whether they are here is seen by their file."""
        for here in (False, True):
            assert run("models", "list", "--json") == 0
            row = json.loads(capsys.readouterr().out)[-1]
            assert (row["name"], row["installed"]) == ("tiny", here)
            tiny.save(folder)

    def test_writes_nothing(self, run: Run, folder: Path) -> None:
        """Looking makes no folder."""
        assert run("models", "list") == 0
        assert not folder.exists()


class TestPull:
    """Bringing what is not here."""

    def test_from_a_mirror_folder(
        self, run: Run, tiny: Case, mirror: Path, folder: Path, capsys: Capture
    ) -> None:
        """The file is verified, kept, and its path told; a second time nothing is needed."""
        tiny.save(mirror)
        for _ in range(2):
            assert run("models", "pull", "tiny") == 0
            output = capsys.readouterr()
            assert output.out == f"tiny x2  {folder / 'tiny-x2.onnx'}\n"
            assert output.err == ""
            mirror.joinpath("tiny-x2.onnx").unlink(missing_ok=True)
        assert names(folder) == {"added", "tiny-x2.onnx"}

    def test_other_bytes_are_refused(
        self, run: Run, tiny: Case, mirror: Path, folder: Path, capsys: Capture
    ) -> None:
        """A mirror is not trusted: file, hash and what each source did are told, on one line."""
        flip(tiny.save(mirror), bit=77)
        assert run("models", "pull", "tiny") == EXIT_SETUP
        (line,) = capsys.readouterr().err.splitlines()
        for word in (str(mirror), "tiny-x2.onnx", tiny.spec.file.sha256, "another sha256"):
            assert word in line
        assert names(folder) == {"added"}

    @pytest.mark.parametrize(
        ("words", "wanted"),
        [
            (("lapsrn",), ["LapSRN_x2", "LapSRN_x4", "LapSRN_x8"]),
            (("lapsrn", "--scale", "4"), ["LapSRN_x4"]),
            (("lapsrn-x2",), ["LapSRN_x2"]),
        ],
    )
    def test_all_scales_or_one(
        self,
        run: Run,
        upstream: Path,
        folder: Path,
        capsys: Capture,
        words: tuple[str, ...],
        wanted: list[str],
    ) -> None:
        """A name brings every factor, --scale or an id one; the graph is made at once."""
        assert run("models", "pull", *words) == 0
        told = [line.split()[-1] for line in capsys.readouterr().out.splitlines()]
        assert told == [str(folder / f"{name}.onnx") for name in wanted]
        kept = {f"{name}{end}" for name in wanted for end in (".pb", ".onnx", ".onnx.json")}
        assert names(folder) == kept
        for name in wanted:
            original = upstream / f"{name}.pb"
            assert folder.joinpath(original.name).read_bytes() == original.read_bytes()

    @pytest.mark.parametrize("name", ["lite", "auto", "espcn", "fsrcnn-x3"])
    def test_what_ships_is_here(self, run: Run, name: str, folder: Path, capsys: Capture) -> None:
        """It is told where, and nothing is written."""
        assert run("models", "pull", name) == 0
        for line in capsys.readouterr().out.splitlines():
            assert Path(line.split()[-1]).is_file()
        assert not folder.exists()

    def test_no_source_answers(
        self, run: Run, tiny: Case, monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: Capture
    ) -> None:
        """One line says what was tried and where to put the file by hand."""
        with ModelServer() as server:
            monkeypatch.setenv("UPRES_MODEL_MIRROR", f"{server.url}/m")
            assert run("models", "pull", "tiny") == EXIT_SETUP
            assert server.paths == [f"/m/{tiny.spec.file.name}"]
        (line,) = capsys.readouterr().err.splitlines()
        assert "404" in line
        assert str(folder) in line


class TestVerify:
    """Trust is renewed from the disk."""

    def test_everything_here_by_default(self, run: Run, capsys: Capture) -> None:
        """What is not installed is no damage."""
        assert run("models", "verify") == 0
        lines = capsys.readouterr().out.splitlines()
        bundled = [spec for spec in Catalogue.load() if not spec.file.sources]
        assert [line.split()[:3] for line in lines] == [
            [spec.name, f"x{spec.scale}", "ok"] for spec in bundled
        ]

    @pytest.mark.parametrize("bit", [0, 1234])
    def test_flipped_bit(
        self, run: Run, tiny: Case, folder: Path, capsys: Capture, bit: int
    ) -> None:
        """It is found though length and time stamp are the same; the rest is still checked."""
        flip(tiny.save(folder), bit=bit)
        for words in ((), ("tiny",), ("tiny", "espcn")):
            assert run("models", "verify", *words) == EXIT_SETUP
            output = capsys.readouterr()
            (bad,) = (line for line in output.out.splitlines() if line.startswith("tiny"))
            assert bad.startswith("tiny x2  model-damaged  ")
            assert str(folder / "tiny-x2.onnx") in bad
            others = [line for line in output.out.splitlines() if line != bad]
            assert all(line.split()[2] == "ok" for line in others)

    def test_truncated(self, run: Run, tiny: Case, folder: Path, capsys: Capture) -> None:
        """A file of another length is damaged as well, not absent."""
        path = tiny.save(folder)
        path.write_bytes(path.read_bytes()[:-1])
        for words in (("tiny",), ()):
            assert run("models", "verify", *words) == EXIT_SETUP
            assert "tiny x2  model-damaged  " in capsys.readouterr().out

    def test_flipped_bit_of_a_converted_graph(
        self, run: Run, upstream: Path, folder: Path, capsys: Capture
    ) -> None:
        """Not the original alone is verified, but the graph that runs."""
        assert upstream.is_dir()
        assert run("models", "pull", "lapsrn-x2") == 0
        assert run("models", "verify") == 0
        flip(folder / "LapSRN_x2.onnx")
        capsys.readouterr()
        assert run("models", "verify", "lapsrn") == EXIT_SETUP
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("lapsrn x2  model-damaged  ")

    def test_named_and_missing(self, run: Run, capsys: Capture) -> None:
        """Who names a model wants it here."""
        assert run("models", "verify", "edsr") == EXIT_SETUP
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:3] for line in lines] == [
            ["edsr", f"x{scale}", "model-missing"] for scale in (2, 3, 4)
        ]

    @pytest.mark.parametrize(("name", "count"), [("fsrcnn-x3", 1), ("auto", 3), ("fsrcnn", 3)])
    def test_takes_the_names_that_pull_takes(
        self, run: Run, capsys: Capture, name: str, count: int
    ) -> None:
        """Ids and `auto` too: errors tell of models by their id."""
        assert run("models", "verify", name) == 0
        assert len(capsys.readouterr().out.splitlines()) == count


class TestPath:
    """One line for scripts."""

    @pytest.mark.parametrize(
        ("words", "name"),
        [
            (("lite",), "lite_x3.onnx"),
            (("auto",), "lite_x3.onnx"),
            (("espcn", "--scale", "2"), "espcn_x2.onnx"),
            (("fsrcnn-small-x4",), "fsrcnn-small_x4.onnx"),
            (("fsrcnn", "--format", "onnx"), "fsrcnn_x3.onnx"),
        ],
    )
    def test_bundled(self, run: Run, capsys: Capture, words: tuple[str, ...], name: str) -> None:
        """The factor is 3 unless said otherwise."""
        assert run("models", "path", *words) == 0
        (line,) = capsys.readouterr().out.splitlines()
        assert Path(line).is_file()
        assert Path(line).name == name

    def test_both_formats_of_an_upstream_model(
        self, run: Run, upstream: Path, folder: Path, capsys: Capture
    ) -> None:
        """The original and the graph made of it."""
        run("models", "pull", "lapsrn-x4")
        for format_ in ("pb", "onnx"):
            capsys.readouterr()
            assert run("models", "path", "lapsrn", "--scale", "4", "--format", format_) == 0
            assert capsys.readouterr().out == f"{folder / 'LapSRN_x4'}.{format_}\n"
        assert upstream.joinpath("LapSRN_x4.pb").is_file()

    def test_no_tensorflow_form(self, run: Run, capsys: Capture) -> None:
        """A model that comes as ONNX has none."""
        assert run("models", "path", "lite", "--format", "pb") == EXIT_USAGE
        assert "no TensorFlow graph" in capsys.readouterr().err

    @pytest.mark.parametrize("format_", ["onnx", "pb"])
    def test_missing(
        self,
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
        folder: Path,
        capsys: Capture,
        format_: str,
    ) -> None:
        """Nothing is downloaded: one line says how to get it."""
        with ModelServer() as server:
            monkeypatch.setenv("UPRES_MODEL_MIRROR", server.url)
            assert run("models", "path", "edsr", "--format", format_) == EXIT_SETUP
            assert server.paths == []
        output = capsys.readouterr()
        assert output.out == ""
        (line,) = output.err.splitlines()
        assert "upres models pull edsr-x3" in line
        assert not folder.exists()

    def test_damaged(self, run: Run, tiny: Case, folder: Path, capsys: Capture) -> None:
        """A path is only told of a verified file."""
        flip(tiny.save(folder), bit=99)
        assert run("models", "path", "tiny", "--scale", "2") == EXIT_SETUP
        assert capsys.readouterr().out == ""

    def test_id_and_another_scale(self, run: Run) -> None:
        """They contradict each other."""
        assert run("models", "path", "espcn-x2", "--scale", "4") in (EXIT_CALLER, EXIT_USAGE)


@pytest.mark.parametrize("command", ["pull", "verify", "path"])
@pytest.mark.parametrize("name", ["nonesuch", "edsr-x9", ""])
def test_unknown_names(run: Run, capsys: Capture, command: str, name: str) -> None:
    """One line that lists the known ones."""
    assert run("models", command, name) == EXIT_CALLER
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith(f"upres: unknown model {name}")
    assert "lite" in line


@pytest.mark.parametrize("command", ["pull", "path"])
def test_unknown_scales(run: Run, capsys: Capture, command: str) -> None:
    """One line that lists the factors of the model."""
    assert run("models", command, "espcn", "--scale", "5") == EXIT_CALLER
    assert capsys.readouterr().err == (
        "upres: unknown model espcn x5; known: espcn x2, espcn x3, espcn x4\n"
    )


@pytest.mark.parametrize("command", ["pull", "verify", "path"])
@pytest.mark.parametrize("name", ["bicubic", "lanczos"])
def test_interpolation_has_no_file(run: Run, capsys: Capture, command: str, name: str) -> None:
    """The line says so, rather than that the name is unknown."""
    assert run("models", command, name) == EXIT_USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert name in line
    assert "interpolation has no file" in line


@pytest.mark.parametrize(
    "words", [(), ("pull",), ("path",), ("add",), ("path", "lite", "--format", "h5")]
)
def test_half_a_command_is_a_usage_error(run: Run, words: tuple[str, ...]) -> None:
    """Click's own."""
    assert run("models", *words) == EXIT_USAGE


def test_folder_that_cannot_be_written(
    run: Run, upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Pulling says which folder and which variable, on one line."""
    assert upstream.is_dir()
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("UPRES_MODEL_DIR", str(blocked / "models"))
    assert run("models", "pull", "lapsrn-x2") == EXIT_SETUP
    (line,) = capsys.readouterr().err.splitlines()
    assert str(blocked) in line
    assert "UPRES_MODEL_DIR" in line
