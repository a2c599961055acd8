"""The page: one HTML file that holds its pictures and asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from upres.compare.embed import data_url
from upres.errors import PictureTooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upres.compare.captions import Caption
    from upres.compare.pictures import Side

PAGE_BYTES = 128 * 2**20
"""What the pictures of a page may take as text; browsers become slow and then give up."""


def page(
    sides: Sequence[Side], captions: Sequence[Caption], *, limit_bytes: int = PAGE_BYTES
) -> bytes:
    """Return the HTML file.

    Everything is inline, and a content security policy that names the hashes of its style and its
    script keeps it so. Raises PictureTooLarge.
    """
    urls = [data_url(side) for side in sides]
    total = sum(map(len, urls))
    if total > limit_bytes:
        raise PictureTooLarge(
            "the page (--crop makes it smaller, and -o FILE.png has no such limit)",
            what="its pictures take",
            value=total,
            limit=limit_bytes,
            unit="bytes",
        )
    style, script = _part("page.css"), _script()
    picture = sides[0].picture
    words = {
        "policy": escape(_policy(style, script)),
        "title": escape(" | ".join(side.name for side in sides)),
        "style": style,
        "script": script,
        "width": str(picture.width),
        "height": str(picture.height),
        "see-through": str(any(side.picture.alpha is not None for side in sides)).lower(),
        "labels": "\n".join(map(_label, captions)),
        "layers": "\n".join(_layer(*both) for both in zip(sides, urls, strict=True)),
    }
    template = _part("page.html")
    # one pass: what is put in is never searched again
    text = re.sub(r"\{\{([a-z-]+)\}\}", lambda found: words[found[1]], template)
    return text.encode("utf-8")


def _script() -> str:
    """Return one module: what the page shares with the service's, then its own."""
    shared = files("upres") / "web" / "static" / "page" / "viewport.js"
    return f"\n{shared.read_text('utf-8')}\n{_part('page.js')}"


def _part(name: str) -> str:
    return (files("upres.compare") / name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    return (
        "default-src 'none'; img-src data:; "
        f"style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _label(words: Caption) -> str:
    name = escape(words.name)
    size = re.sub(r"(?<=\d)x(?=\d)", " \N{MULTIPLICATION SIGN} ", words.size)
    scores = "".join(f"<span>{escape(score)}</span>" for score in words.scores)
    return (
        f'<div class="label" data-letter="{words.letter}">'
        f'<b class="name" title="{name}"><bdi>{name}</bdi></b>'
        f'<span class="facts">{escape(size)}</span>'
        + (f'<span class="facts scores">{scores}</span>' if scores else "")
        + "</div>"
    )


def _layer(side: Side, url: str) -> str:
    name = escape(f"{side.letter}: {side.name}")
    return (
        f'<img class="layer" data-letter="{side.letter}" alt="{name}" draggable="false" '
        f'decoding="async" src="{url}">'
    )
