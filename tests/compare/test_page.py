from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from upres.compare.captions import Caption, caption
from upres.compare.page import page
from upres.compare.pictures import Side
from upres.errors import PictureTooLarge
from upres.image.picture import Header, Layout, Picture

MakeSide = Callable[..., Side]
Photo = NDArray[np.uint8]


class Reader(HTMLParser):
    """Collects the elements of a page with their attributes and texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text under the element that began before it."""
        if data.strip() and self.elements:
            self.texts.append((self.elements[-1][0], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def made(name: str, letter: str = "A") -> Side:
    """A side of 2 x 2 black pixels whose file has that name."""
    layout = Layout(width=2, height=2, gray=False, alpha=False, bits=8)
    return Side(
        letter=letter,  # type: ignore[arg-type]
        name=name,
        data=b"\x89PNG\r\n\x1a\n",
        header=Header(format="png", layout=layout),
        picture=Picture(pixels=np.zeros((2, 2, 3), np.uint8)),
    )


def page_of(sides: list[Side], captions: list[Caption] | None = None) -> str:
    """Return a page's text, with plain captions where none are given."""
    return page(sides, captions or [caption(one, scores={}) for one in sides]).decode("utf-8")


def test_page_holds_both_pictures_and_their_size(side: MakeSide, photo: Photo) -> None:
    """In the order given, under their names."""
    html = page_of([side(photo, "a.png"), side(255 - photo, "b.png", "B")])
    read = Reader(html)
    layers = read.all("img")
    assert [layer["alt"] for layer in layers] == ["A: a.png", "B: b.png"]
    stage = read.all("main")[0]
    assert (stage["data-width"], stage["data-height"]) == ("20", "12")
    assert stage["data-see-through"] == "false"
    assert "20 \N{MULTIPLICATION SIGN} 12" in html


HOSTILE = [
    "<script>alert(1)<script>.png",
    '"><img src=x onerror=alert(1)>.png',
    "'; alert(1) '.png",
    "a & b &lt;c&gt;.png",
    "{{script}} {{layers}}.png",
    "--><!--.png",
    "\\1 \\g<0> $1.png",
    "\u202egnp.exe",
    "two\nlines.png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_only_ever_text(name: str) -> None:
    """A page with a hostile name has the elements of any other, and shows the name as it is."""
    harmless = Reader(page_of([made("a"), made("b", "B")]))
    hostile = Reader(page_of([made(name), made(name, "B")]))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
    for one, other in zip(harmless.elements, hostile.elements, strict=True):
        assert one[1].keys() == other[1].keys()
    assert hostile.all("img")[0]["alt"] == f"A: {name}"
    assert ("bdi", name) in hostile.texts


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=30))
def test_any_name_is_only_ever_text(name: str) -> None:
    """Whatever a file system lets through."""
    read = Reader(page_of([made(name), made("b", "B")]))
    assert len(read.all("script")) == 1
    assert read.all("img")[0]["alt"] == f"A: {name}"


def test_policy_allows_the_pages_own_style_and_script_alone() -> None:
    """By their hashes, and pictures only out of the page itself."""
    html = page_of([made("a"), made("b", "B")])
    policy = next(
        meta["content"]
        for meta in Reader(html).all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}[^>]*>(.*?)</{tag}>", html, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"


def test_page_asks_nobody_for_anything() -> None:
    """Every address in it is a data URL; no style or handler hides in an attribute."""
    html = page_of([made("a"), made("b", "B"), made("t", "T")])
    for _, attributes in Reader(html).elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name != "style"
            if name in ("src", "href", "action", "srcset", "data"):
                assert str(value).startswith("data:")
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_controls_can_be_named_and_reached() -> None:
    """Every button, field and picture has words for those who do not see it."""
    read = Reader(page_of([made("a"), made("b", "B")]))
    slider = next(field for field in read.all("input") if field["type"] == "range")
    assert slider["aria-label"]
    spoken = {tag for tag, _ in read.texts}
    for button in read.all("button"):
        assert button.get("aria-label") or button.get("title")
    assert all(field.get("aria-label") for field in read.all("select"))
    assert all(image["alt"] for image in read.all("img"))
    assert "title" in spoken
    assert read.all("html")[0]["lang"] == "en"


def test_scores_stand_under_their_picture(side: MakeSide, photo: Photo) -> None:
    """With their unit; the truth has none."""
    sides = [side(photo), side(photo, "b.png", "B"), side(photo, "t.png", "T")]
    scores: list[dict[str, float]] = [
        {"PSNR-Y": 31.4159, "SSIM-Y": 0.91234},
        {"PSNR-Y": float("inf")},
        {},
    ]
    captions = [caption(one, scores=has) for one, has in zip(sides, scores, strict=True)]
    texts = [text for _, text in Reader(page_of(sides, captions)).texts]
    assert "PSNR-Y 31.42 dB" in texts
    assert "SSIM-Y 0.9123" in texts
    assert "PSNR-Y infinite" in texts
    assert sum("PSNR" in text for text in texts) == 2


def test_pages_too_large_are_refused(side: MakeSide, photo: Photo) -> None:
    """With a word on what to do."""
    sides = [side(photo), side(photo, "b.png", "B")]
    captions = [caption(one, scores={}) for one in sides]
    with pytest.raises(PictureTooLarge, match=r"--crop.*the limit is 1000"):
        page(sides, captions, limit_bytes=1000)


def test_transparent_pictures_get_a_checkerboard(side: MakeSide, photo: Photo) -> None:
    """Even if it is only one of them."""
    clear = side(np.dstack([photo, photo[..., 0]]), "b.png", "B")
    assert Reader(page_of([side(photo), clear])).all("main")[0]["data-see-through"] == "true"


def test_how_a_picture_was_enlarged_is_said(side: MakeSide, photo: Photo) -> None:
    """Its size is the file's."""
    words = caption(replace(side(photo), fit="bicubic"), scores={})
    assert words.line == "20x12, enlarged (bicubic)"
