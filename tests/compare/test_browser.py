from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import launched
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from upres.compare.captions import caption
from upres.compare.page import page
from upres.compare.pictures import Side, brought_together

MakeSide = Callable[..., Side]
Pixels = NDArray[np.uint8]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that shows a page in a browser without a window and without a network."""

    def show(html: bytes, *options: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "page.html"
        file.write_bytes(html)
        unprivileged = () if os.geteuid() else ("--no-sandbox",)
        return subprocess.run(
            [
                str(CHROMIUM),
                "--headless",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
                f"--user-data-dir={tmp_path / 'profile'}",
                "--enable-logging=stderr",
                "--virtual-time-budget=2000",
                *unprivileged,
                *options,
                file.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )

    return show


def test_page_works_under_its_own_policy(
    side: MakeSide, browse: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The script ran to its end, and the console stayed empty; so did a hostile name."""
    small = side(np.full((4, 6, 3), RED, np.uint8), "<script>alert(1)<script>.png")
    large = side(np.full((12, 18, 3), BLUE, np.uint8), "b.png", "B")
    truth = side(np.full((12, 18, 3), BLUE, np.uint8), "t.png", "T")
    sides = brought_together([small, large, truth], fit="nearest")
    html = page(sides, [caption(one, scores={"PSNR-Y": 30.0}) for one in sides])
    done = browse(html, "--dump-dom")
    assert 'aria-valuetext="A 50 %, B 50 %"' in done.stdout
    assert len(re.findall(r'<button[^>]* aria-pressed="true"', done.stdout)) == 2
    assert "&lt;script&gt;alert(1)&lt;script&gt;.png" in done.stdout
    assert "CONSOLE" not in done.stderr
    assert "Content Security Policy" not in done.stderr
    foreign = html.replace(b"</body>", b"<script>document.title = 1</script></body>")
    assert "Content Security Policy" in browse(foreign, "--dump-dom").stderr


@pytest.mark.parametrize("width", [360, 1200])
def test_left_half_is_a_and_right_half_is_b(
    side: MakeSide,
    browse: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    width: int,
) -> None:
    """The colours reach the screen unchanged, on a gray that has no tint, and nothing overflows."""
    sides = [
        side(np.full((40, 60, 3), RED, np.uint8)),
        side(np.full((40, 60, 3), BLUE, np.uint8), "b.png", "B"),
    ]
    html = page(sides, [caption(one, scores={}) for one in sides])
    shot = tmp_path / "shot.png"
    browse(html, f"--window-size={width},700", f"--screenshot={shot}")
    seen = np.asarray(Image.open(shot).convert("RGB"))
    left, right = seen[:, : width // 2], seen[:, width // 2 : width]
    assert (left == RED).all(axis=2).sum() > 2000
    assert (right == BLUE).all(axis=2).sum() > 2000
    assert not (left[:, :-3] == BLUE).all(axis=2).any()
    assert not (right[:, 3:] == RED).all(axis=2).any()
    beside = seen[350, 2].astype(int)
    assert np.ptp(beside) == 0


@pytest.fixture
def opened(side: MakeSide, tmp_path: Path) -> Iterator[Page]:
    """Open a page of two pictures, 60 wide and 40 high, on a stage of about 800 by 500."""
    sides = [
        side(np.full((40, 60, 3), RED, np.uint8)),
        side(np.full((40, 60, 3), BLUE, np.uint8), "b.png", "B"),
    ]
    file = tmp_path / "page.html"
    file.write_bytes(page(sides, [caption(one, scores={}) for one in sides]))
    with launched() as browser:
        shown = browser.new_page(viewport={"width": 800, "height": 600})
        shown.goto(file.as_uri())
        yield shown


def test_hands_on_the_page(opened: Page) -> None:
    """The pointer slides the line, the wheel zooms where it is, a drag moves what is too large."""
    zoom, split = opened.locator("#zoom"), opened.locator("#split")
    box = opened.locator("#sheet").bounding_box()
    assert box is not None
    fitted = zoom.inner_text()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.mouse.move(*middle)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] / 4, middle[1])
    opened.mouse.up()
    expect(split).to_have_attribute("aria-valuetext", "A 25 %, B 75 %")
    opened.mouse.move(*middle)
    opened.mouse.wheel(0, -600)
    expect(zoom).not_to_have_text(fitted)
    expect(opened.locator("#stage")).to_contain_class("roomy")
    before = opened.locator("#sheet").bounding_box()
    opened.mouse.down()
    opened.mouse.move(middle[0] + 40, middle[1] + 30)
    opened.mouse.up()
    after = opened.locator("#sheet").bounding_box()
    assert before is not None
    assert after is not None
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((40, 30), abs=1)
    expect(split).to_have_attribute("aria-valuetext", "A 25 %, B 75 %")
    opened.keyboard.press("0")
    expect(zoom).to_have_text(fitted)
    opened.locator("#stage").press("ArrowRight")
    expect(split).to_have_attribute("aria-valuetext", "A 26 %, B 74 %")
    opened.keyboard.press("d")
    expect(split).to_be_disabled()
    opened.keyboard.press("1")
    expect(zoom).to_have_text("100 %")
