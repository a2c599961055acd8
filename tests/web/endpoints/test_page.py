"""`GET /`: what the page says, in which language, and the form in it."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from importlib.resources import files
from string import Formatter
from typing import TYPE_CHECKING

import pytest

from upres.web.page import LANGUAGES, modules, words

if TYPE_CHECKING:
    from endpoint_cases import Reader

    from upres.service.parts import Service

STATIC = files("upres.web").joinpath("static/page")
TEMPLATE = files("upres.web").joinpath("templates/page.html").read_text(encoding="utf-8")
SCRIPTS = {name: STATIC.joinpath(name).read_text(encoding="utf-8") for name in modules()}


def test_the_form(client: Reader) -> None:
    """It posts the field to the endpoint, for browsers without scripts."""
    answer = client.get("/")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    page = _Page()
    page.feed(answer.text)
    form = page.forms["drop"]
    assert (form["action"], form["method"]) == ("/upload", "post")
    assert form["enctype"] == "multipart/form-data"
    assert page.inputs["picture"]["name"] == "image"
    assert "required" in page.inputs["picture"]


def test_all_that_it_needs_is_here(client: Reader) -> None:
    """Nothing is fetched from elsewhere, nothing in it is script or style, every file is there."""
    page = _Page()
    page.feed(client.get("/").text)
    assert len(page.addresses) > len(modules())
    for address in page.addresses:
        assert address.startswith(("/", "#", "?")), address
        if address.startswith("/static/"):
            assert client.get(address).status_code == 200, address
    assert page.inline == []
    types = {client.get(f"/static/page/{name}").mimetype for name in modules()}
    assert types == {"text/javascript"}


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("en-US,en;q=0.9,zh;q=0.1", "en"),
        ("fr", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_browsers(client: Reader, asked: str, language: str) -> None:
    """Of those that there are, the one that it likes best."""
    answer = client.get("/", headers={"Accept-Language": asked})
    assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in answer.text
    assert {"Accept-Language", "Cookie"} <= set(answer.vary)


def test_a_chosen_language_stays(client: Reader) -> None:
    """Whatever the browser asks for; one that there is not is no choice."""
    assert client.get("/?lang=zh-CN").headers["Content-Language"] == "zh-CN"
    assert client.get("/").headers["Content-Language"] == "zh-CN"
    assert client.get("/?lang=xx").headers["Content-Language"] == "zh-CN"
    assert client.get("/?lang=en").headers["Content-Language"] == "en"
    assert client.get("/").headers["Content-Language"] == "en"


def test_every_language_says_the_same() -> None:
    """The same keys, with the same places to put something in; English may leave problems out."""
    first, *others = LANGUAGES
    for other in others:
        here, there = words(first), words(other)
        assert {
            key for key in there.keys() ^ here.keys() if not key.startswith("problem_")
        } == set()
        for key in here.keys() & there.keys():
            assert _places(here[key]) == _places(there[key]), key


def test_words_are_there_and_used() -> None:
    """No key is asked for in vain, none is left over."""
    said = set(re.findall(r"say\.(\w+)", TEMPLATE))
    said |= set(re.findall(r'\bt\("([\w-]+)"', "".join(SCRIPTS.values())))
    known = words("en").keys()
    assert said - known == set()
    computed = ("model_", "problem_", "sample_", "theme_")
    everything = TEMPLATE + "".join(SCRIPTS.values())
    unused = {key for key in known - said if not key.startswith(computed)}
    assert {key for key in unused if f'"{key}"' not in everything} == set()


def test_texts_come_compressed_to_who_takes_them_so(client: Reader) -> None:
    """The same text, whatever was kept; pictures and answers of the interface stay as they are."""
    squeezed = {"Accept-Encoding": "gzip, br"}
    for address in ("/", "/static/page/main.js", "/static/page/page.css", "/static/page/icon.svg"):
        plain = client.get(address)
        small = client.get(address, headers=squeezed)
        assert small.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(small.data) == plain.data
        assert len(small.data) == int(small.headers["Content-Length"]) < len(plain.data)
        assert small.mimetype == plain.mimetype
        for answer in (plain, small):
            assert "Accept-Encoding" in answer.headers["Vary"]
        assert "Content-Encoding" not in plain.headers
        tag = small.headers.get("ETag")
        if tag is not None:
            assert tag == f"W/{plain.headers['ETag']}"
            for accepts in (squeezed, {}):
                kept = client.get(address, headers=accepts | {"If-None-Match": tag})
                assert (kept.status_code, kept.data) == (304, b"")
        refused = client.get(address, headers={"Accept-Encoding": "gzip;q=0, identity"})
        assert refused.data == plain.data
    part = client.get("/static/page/main.js", headers=squeezed | {"Range": "bytes=2-9"})
    assert part.status_code == 206
    assert part.data == client.get("/static/page/main.js").data[2:10]
    for address in ("/static/samples/cat.jpg", "/api/v1/models", "/livez", "/nowhere"):
        assert "Content-Encoding" not in client.get(address, headers=squeezed).headers


def test_a_key_is_asked_for(client: Reader, service: Service) -> None:
    """Where the server wants one; a form cannot send it, which is said."""
    assert "API key" not in _shown(client.get("/").text)
    object.__setattr__(service.settings, "api_keys_required", True)
    text = _shown(client.get("/").text)
    assert "which a form cannot send" in text


def _shown(page: str) -> str:
    return page.partition('<script type="application/json"')[0]


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


class _Page(HTMLParser):
    """What a page's markup refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str | None]] = {}
        self.inputs: dict[str, dict[str, str | None]] = {}
        self.addresses: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self.forms[str(found.get("id"))] = found
        elif tag == "input":
            self.inputs[str(found.get("id"))] = found
        for name in ("href", "src", "action", "data-sample"):
            if found.get(name):
                self.addresses.append(str(found[name]))
        self.inline += [name for name in found if name == "style" or name.startswith("on")]
        if tag == "style" or (
            tag == "script" and "src" not in found and found.get("type") != "application/json"
        ):
            self.inline.append(tag)
