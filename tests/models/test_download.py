"""Downloads land whole and verified from the first source that delivers, or not at all."""

from __future__ import annotations

import base64
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server import (
    ModelServer,
    body,
    broken_off,
    model_file,
    mute,
    redirect,
    stalled,
    status,
    trickled,
    unannounced,
)
from store_cases import (
    DATA,
    QUICK,
    failures,
    flipped,
)

from upres.errors import (
    DownloadFailed,
)
from upres.models.download import download, labels
from upres.models.fetch import Limits, SourceFailed, _followed, shown
from upres.models.spec import Source

if TYPE_CHECKING:
    from model_server import Answer


def direct(answer: Answer, folder: Path, *, limits: Limits = QUICK) -> str:
    """Return why a download from one direct address fails."""
    with ModelServer({"/m": answer}) as server:
        file = model_file(DATA, Source(url=f"{server.url}/m"))
        return failures(file, folder, limits=limits)


class TestDirectAddress:
    """One address: good answers, bad ones, and none."""

    def test_good_file_lands(self, tmp_path: Path) -> None:
        """The bytes of the first good source are put in place and progress runs to the end."""
        steps: list[tuple[int, int]] = []
        with ModelServer({"/m": body(DATA)}) as server:
            file = model_file(DATA, Source(url=f"{server.url}/m"))
            target = tmp_path / file.name
            download(file, target=target, progress=lambda *step: steps.append(step))
        assert target.read_bytes() == DATA
        assert [path.name for path in tmp_path.iterdir()] == [file.name]
        assert steps == sorted(steps)
        assert steps[-1] == (len(DATA), len(DATA))

    def test_length_may_be_unannounced(self, tmp_path: Path) -> None:
        """A server that does not say how long the file is can still deliver it."""
        with ModelServer({"/m": unannounced(DATA)}) as server:
            file = model_file(DATA, Source(url=f"{server.url}/m"))
            download(file, target=tmp_path / file.name)
        assert (tmp_path / file.name).read_bytes() == DATA

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (status(404), "answers 404 Not Found"),
            (status(500), "answers 500"),
            (body(DATA[:-1]), "offers 199999 bytes, expected 200000"),
            (body(DATA + b"x"), "offers 200001 bytes, expected 200000"),
            (unannounced(DATA[:-1]), "sent 199999 bytes, expected 200000"),
            (unannounced(DATA + b"x"), "sends more than the expected 200000 bytes"),
            (unannounced(b""), "sent 0 bytes"),
            (body(DATA[::-1]), "another sha256"),
            (broken_off(DATA, after_bytes=5_000), "received 5000 bytes, expected 200000"),
            (mute, "no answer within 0.5 s"),
            (stalled(DATA, after_bytes=5_000), "stopped sending"),
            (trickled(DATA, pause_s=0.02), "sends less than 1024 bytes a second"),
        ],
    )
    def test_bad_answer(self, answer: Answer, reason: str, tmp_path: Path) -> None:
        """Every bad answer is given up in time, says why, and leaves nothing behind."""
        began_s = time.monotonic()
        assert reason in direct(answer, tmp_path)
        assert time.monotonic() - began_s < 5

    def test_endless_body_is_cut_off(self, tmp_path: Path) -> None:
        """A source that sends more than the file is left at once, not read to its end."""
        with ModelServer({"/m": unannounced(bytes(64 * 2**20))}) as server:
            file = model_file(DATA, Source(url=f"{server.url}/m"))
            failures(file, tmp_path)
            assert server.sent_bytes < 32 * 2**20

    def test_nobody_listens(self, tmp_path: Path) -> None:
        """A refused connection is the source's failure."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        file = model_file(DATA, Source(url=f"http://127.0.0.1:{port}/m"))
        assert "refused" in failures(file, tmp_path)

    def test_silent_tls_is_given_up(self, tmp_path: Path) -> None:
        """A host that takes the connection and never speaks TLS counts as not connected."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            file = model_file(DATA, Source(url=f"https://127.0.0.1:{port}/m"))
            began_s = time.monotonic()
            assert "no connection" in failures(file, tmp_path)
            assert time.monotonic() - began_s < 2

    def test_slow_name_server_is_given_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The connect timeout covers the name lookup, which no socket timeout does."""
        lookup_over = threading.Event()

        def lookup(*_: object, **__: object) -> None:
            lookup_over.wait(10)
            raise socket.gaierror(-3, "no such name")

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        file = model_file(DATA, Source(url="http://model.invalid/m"))
        began_s = time.monotonic()
        try:
            assert "no connection within 0.5 s" in failures(file, tmp_path)
        finally:
            lookup_over.set()
        assert time.monotonic() - began_s < 2

    @pytest.mark.parametrize(
        "url", ["ftp://127.0.0.1/m", "http://", "http://127.0.0.1:x/", "file:///m"]
    )
    def test_odd_address(self, url: str, tmp_path: Path) -> None:
        """An address that is not http or https fails like any other source."""
        failures(model_file(DATA, Source(url=url)), tmp_path)


class TestRedirects:
    """Addresses that lead elsewhere."""

    def test_followed(self, tmp_path: Path) -> None:
        """A few redirects are followed."""
        with ModelServer({"/a": redirect("/b"), "/b": redirect("/c"), "/c": body(DATA)}) as server:
            file = model_file(DATA, Source(url=f"{server.url}/a"))
            download(file, target=tmp_path / file.name)
            assert server.paths == ["/a", "/b", "/c"]

    def test_loop(self, tmp_path: Path) -> None:
        """A loop ends after five redirects."""
        with ModelServer({"/a": redirect("/b"), "/b": redirect("/a")}) as server:
            file = model_file(DATA, Source(url=f"{server.url}/a"))
            assert "redirects more than 5 times" in failures(file, tmp_path)
            assert len(server.paths) == 6

    def test_no_way_down_from_https(self) -> None:
        """A redirect from https to http is refused; one from http to https is not."""

        def answer(request: httpx.Request) -> httpx.Response:
            away = {"https://a/": "http://b/", "http://a/": "https://b/"}.get(str(request.url))
            return httpx.Response(302, headers={"Location": away}) if away else httpx.Response(200)

        with httpx.Client(transport=httpx.MockTransport(answer)) as client:
            with pytest.raises(SourceFailed, match="from https to http"):
                _followed(client, client.build_request("GET", "https://a/"), limits=QUICK)
            up = _followed(client, client.build_request("GET", "http://a/"), limits=QUICK)
        assert str(up.url) == "https://b/"


class TestOrder:
    """Several sources: which is tried when, and what is said of each."""

    def test_next_source_after_a_bad_one(self, tmp_path: Path) -> None:
        """Sources are tried in order until one delivers."""
        with ModelServer({"/bad": body(DATA[::-1]), "/good": body(DATA)}) as server:
            urls = [f"{server.url}/{name}" for name in ("missing", "bad", "good", "never")]
            file = model_file(DATA, *(Source(url=url) for url in urls))
            download(file, target=tmp_path / file.name)
            assert server.paths == ["/missing", "/bad", "/good"]
        assert (tmp_path / file.name).read_bytes() == DATA

    def test_every_failure_is_told(self, tmp_path: Path) -> None:
        """The error names the file, its hash, each source with its failure, and the folder."""
        with ModelServer({"/bad": body(DATA[::-1])}) as server:
            urls = (f"{server.url}/missing", f"{server.url}/bad")
            file = model_file(DATA, *(Source(url=url) for url in urls))
            text = failures(file, tmp_path, mirror=f"{server.url}/mirror")
        told = (file.name, file.sha256, *urls, "404", "sha256", f"mirror {server.url}", tmp_path)
        assert all(str(word) in text for word in told)
        assert "\n" not in text

    def test_no_source_at_all(self, tmp_path: Path) -> None:
        """A file without sources says so."""
        assert "no source" in failures(model_file(DATA), tmp_path)

    def test_mirror_comes_first(self, tmp_path: Path) -> None:
        """A mirror's file is taken before the file's own sources, its name quoted."""
        with ModelServer({"/base/a%20b.onnx": body(DATA), "/m": body(DATA)}) as server:
            file = model_file(DATA, Source(url=f"{server.url}/m"), name="a b.onnx")
            download(file, target=tmp_path / file.name, mirror=f"{server.url}/base/")
            assert server.paths == ["/base/a%20b.onnx"]

    def test_mirror_may_be_a_folder(self, tmp_path: Path) -> None:
        """A folder serves as mirror without any network."""
        mirror, target = tmp_path / "mirror", tmp_path / "data" / "tiny_x3.onnx"
        mirror.mkdir()
        target.parent.mkdir()
        (mirror / "tiny_x3.onnx").write_bytes(DATA)
        download(model_file(DATA), target=target, mirror=str(mirror))
        assert target.read_bytes() == DATA
        assert (mirror / "tiny_x3.onnx").exists()

    def test_folder_without_the_file(self, tmp_path: Path) -> None:
        """A mirror folder that lacks the file is one more failed source."""
        (tmp_path / "data").mkdir()
        text = failures(model_file(DATA), tmp_path / "data", mirror=str(tmp_path / "none"))
        assert "has no file tiny_x3.onnx" in text

    def test_passwords_stay_secret(self, tmp_path: Path) -> None:
        """A mirror's login is sent to it and never shown."""
        with ModelServer() as server:
            mirror = server.url.replace("//", "//joe:hunter2@")
            text = failures(model_file(DATA), tmp_path, mirror=mirror)
            assert server.logins == ["Basic " + base64.b64encode(b"joe:hunter2").decode()]
        assert "hunter2" not in text + str(labels(model_file(DATA), mirror=mirror))
        assert shown("https://joe:hunter2@host:1/p?token=t#f") == "https://host:1/p"

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_only_the_pinned_bytes_land(self, data: st.DataObject, tmp_path: Path) -> None:
        """Whatever differs from the pinned bytes, in length or in one bit, never appears."""
        wanted = data.draw(st.binary(min_size=1, max_size=3000))
        offered = data.draw(
            st.one_of(
                st.just(wanted),
                st.integers(0, len(wanted)).map(lambda cut: wanted[:cut]),
                st.binary(max_size=20).map(lambda more: wanted + more),
                st.integers(0, len(wanted) * 8 - 1).map(lambda bit: flipped(wanted, bit=bit)),
            )
        )
        target = tmp_path / "m.onnx"
        target.unlink(missing_ok=True)
        (tmp_path / "mirror").mkdir(exist_ok=True)
        (tmp_path / "mirror" / "m.onnx").write_bytes(offered)
        try:
            file = model_file(wanted, name="m.onnx")
            download(file, target=target, mirror=str(tmp_path / "mirror"))
        except DownloadFailed:
            assert offered != wanted
            assert not target.exists()
        else:
            assert offered == wanted == target.read_bytes()
        assert not list(tmp_path.glob(".*"))
