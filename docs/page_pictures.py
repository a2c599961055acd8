"""Draws the page in its states, themes, languages and widths, from a real service, into a folder.

`python docs/page_pictures.py FOLDER` draws all of them; without a folder, those that the
documentation shows, into docs/images/page/.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from browser import file, launch_options, new_visit, served
from picture_files import saved
from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Visit

SHOWN = Path(__file__).parent / "images" / "page"
WIDTHS = {360: 760, 768: 1024, 1440: 900}
LOOKS = (("en", "light"), ("zh-CN", "dark"), ("en", "dark"), ("zh-CN", "light"))
KEPT = (
    ("done", "en", "light", 1440),
    ("done", "zh-CN", "dark", 768),
    ("empty", "en", "light", 360),
    ("running", "en", "light", 1440),
    ("running", "en", "dark", 360),
    ("tried", "en", "dark", 1440),
    ("failed", "zh-CN", "light", 360),
)
EXAMPLE = Path(__file__).parent.parent / "examples" / "cat_original.png"
SAMPLES = Path(__file__).parent.parent / "src" / "upres" / "web" / "static" / "samples"


def large(number: int, sides: tuple[int, int] = (1200, 800)) -> bytes:
    """Return a picture that takes a while, another one for each number."""
    cat = Image.open(EXAMPLE).convert("RGB").resize(sides, Image.Resampling.LANCZOS)
    cat.putpixel((0, 0), (number, 0, 0))
    return saved(cat, "jpeg", quality=90)


def states(visit: Visit, number: int) -> Iterator[str]:
    """Bring the page into one state after the other."""
    page = visit.page
    visit.until("document.querySelector('#model').options.length > 3")
    yield "empty"
    visit.pick(EXAMPLE)
    visit.done()
    visit.pick(SAMPLES / "print.jpg", SAMPLES / "text.png")
    visit.done(3)
    page.click(".card:first-child .open")
    page.wait_for_timeout(600)
    yield "done"
    page.click("#difference")
    yield "difference"
    page.click("#difference")
    page.click("summary")
    yield "settings"
    page.select_option("#model", "fast")
    page.check("#tta")
    page.keyboard.press("Escape")
    page.select_option("#model", "edsr")
    yield "fetch"
    page.select_option("#model", "fast")
    visit.pick(file(f"holiday-{number}.jpg", large(number, (2400, 1600)), "image/jpeg"))
    page.click(".card:last-child .open")
    page.wait_for_selector(".begun", timeout=180_000)
    yield "running"
    page.click("#cancel")
    page.wait_for_selector("#message:not([hidden])")
    page.click("summary")
    page.uncheck("#tta")
    page.keyboard.press("Escape")
    page.select_option("#model", "lanczos")
    page.check("input[name=size][value='4']", force=True)
    visit.pick(file(f"wall-{number}.jpg", large(number, sides=(2400, 1600)), "image/jpeg"))
    page.click(".card:last-child .open")
    page.wait_for_selector("#whole", timeout=90_000)
    yield "reduced"
    page.select_option("#model", "auto")
    page.check("input[name=size][value='3']", force=True)
    visit.pick({"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear Sir"})
    page.click(".card:last-child .open")
    page.wait_for_selector("#message:not([hidden]) h2")
    yield "failed"
    page.click(".card:first-child .open")
    page.click("#try")
    page.click("#trial-go")
    page.wait_for_selector("#tiles li:last-child[data-state=done]", timeout=90_000)
    yield "tried"


def draw(folder: Path) -> None:
    """Draw every state in every look and width."""
    folder.mkdir(parents=True, exist_ok=True)
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        for number, (width, height) in enumerate(WIDTHS.items()):
            for locale, scheme in LOOKS:
                size = {"width": width, "height": height}
                visit = new_visit(browser, url, locale=locale, color_scheme=scheme, viewport=size)
                visit.may_fail = True
                visit.open()
                for state in states(visit, 10 * number + LOOKS.index((locale, scheme))):
                    visit.page.mouse.move(0, 0)
                    visit.page.wait_for_timeout(300)
                    shot = folder / f"{state}-{locale}-{scheme}-{width}.png"
                    visit.page.screenshot(path=shot, full_page=width < 760)  # noqa: PLR2004
                visit.page.context.close()


def keep(folder: Path) -> None:
    """Take those that the documentation shows, with few colours, so that they stay small."""
    SHOWN.mkdir(parents=True, exist_ok=True)
    for state, locale, scheme, width in KEPT:
        name = f"{state}-{locale}-{scheme}-{width}"
        picture = Image.open(folder / f"{name}.png").convert("RGB")
        picture.save(SHOWN / f"{name}.webp", quality=88, method=6)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        draw(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as name:
            draw(Path(name))
            keep(Path(name))
