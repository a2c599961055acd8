"""The viewer: slider, zoom, pan, ways to see before, difference, flip, grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from browser import CAT, file, small
from picture_files import opened, saved, scene
from playwright.sync_api import expect

if TYPE_CHECKING:
    from browser import Visit
    from playwright.sync_api import Page


@pytest.fixture
def shown(visit: Visit) -> Visit:
    """Return a visit with a finished picture on the table."""
    visit.pick(CAT)
    visit.done()
    visit.page.wait_for_selector("#before canvas")
    return visit


def split(page: Page) -> float:
    """Return where before ends, as a part of the picture."""
    return float(page.input_value("#split")) / 1000


def zoom(page: Page) -> float:
    """Return the zoom in percent."""
    return float((page.text_content("#zoom") or "").removesuffix(" %"))


def test_the_slider_follows_a_hand(shown: Visit) -> None:
    """A press puts it there, a drag moves it, a double click on it brings it back."""
    page = shown.page
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    left, right = box["x"], box["x"] + box["width"]
    middle = box["y"] + box["height"] / 2
    page.mouse.move(left + box["width"] / 4, middle)
    page.mouse.down()
    assert split(page) == pytest.approx(0.25, abs=0.01)
    page.mouse.move(left + box["width"] * 3 / 4, middle, steps=4)
    page.mouse.up()
    assert split(page) == pytest.approx(0.75, abs=0.01)
    assert page.locator("#split").get_attribute("aria-valuetext") == "Before 75 %, after 25 %"
    page.mouse.dblclick(left + box["width"] * 3 / 4, middle)
    assert split(page) == 0.5
    del right


def test_before_is_left_and_after_is_right(visit: Visit) -> None:
    """What the eye sees is what the file holds, on both sides of the slider."""
    page = visit.page
    black = np.zeros((20, 30, 3), np.uint8)
    visit.pick(file("black.png", saved(black, "png")))
    visit.done()
    result = page.evaluate(
        """() => {
          const image = document.querySelector("#after img");
          return [image.naturalWidth, image.naturalHeight];
        }"""
    )
    assert result == [90, 60]
    page.select_option("#before-kind", "nearest")
    page.wait_for_selector("#before img")
    page.evaluate("document.querySelector('#after img').style.filter = 'invert(1)'")
    page.wait_for_timeout(400)
    seen = np.asarray(opened(page.locator("#sheet").screenshot()).convert("L"))
    height, width = seen.shape
    assert seen[height // 8, width // 4] == 0
    assert seen[height // 8, 3 * width // 4] == 255


def test_zoom_goes_to_the_pointer(shown: Visit) -> None:
    """The point under it stays where it is."""
    page = shown.page
    page.click("#zoom-in", click_count=3)
    before = page.locator("#sheet").bounding_box()
    assert before is not None
    at = before["x"] + 0.45 * before["width"], before["y"] + 0.55 * before["height"]
    page.mouse.move(*at)
    page.mouse.wheel(0, -200)
    shown.until("document.getElementById('zoom').textContent !== '400 %'")
    after = page.locator("#sheet").bounding_box()
    assert after is not None
    assert zoom(page) > 500
    assert (at[0] - after["x"]) / after["width"] == pytest.approx(0.45, abs=0.005)
    assert (at[1] - after["y"]) / after["height"] == pytest.approx(0.55, abs=0.005)


def test_keys(shown: Visit) -> None:
    """Zoom, all, pixel for pixel, move, difference; and only where the focus is on the picture."""
    page = shown.page
    page.keyboard.press("+")
    assert zoom(page) == 100
    page.focus("#stage")
    page.keyboard.press("+")
    assert zoom(page) == 200
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert zoom(page) == 67
    page.keyboard.press("1")
    assert zoom(page) == 100
    page.keyboard.press("ArrowRight")
    assert split(page) == 0.52
    for _ in range(8):
        page.keyboard.press("+")
    assert zoom(page) >= 600
    expect(page.locator("#pixels")).to_be_visible()
    place = page.locator("#sheet").bounding_box()
    page.keyboard.press("ArrowRight")
    moved = page.locator("#sheet").bounding_box()
    assert place is not None
    assert moved is not None
    assert moved["x"] == pytest.approx(place["x"] - 48, abs=1)
    page.keyboard.press("0")
    expect(page.locator("#pixels")).to_be_hidden()
    page.keyboard.press("d")
    expect(page.locator("#difference")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("d")
    page.focus("#split")
    page.keyboard.press("Home")
    assert split(page) == 0


def test_a_held_key_shows_before_alone(shown: Visit) -> None:
    """While it is held; the button does the same."""
    page = shown.page
    page.focus("#stage")
    page.keyboard.down("x")
    expect(page.locator("#after")).to_be_hidden()
    page.keyboard.up("x")
    expect(page.locator("#after")).to_be_visible()
    page.hover("#flip")
    page.mouse.down()
    expect(page.locator("#after")).to_be_hidden()
    page.mouse.up()
    expect(page.locator("#after")).to_be_visible()


def test_bicubic_is_bicubic(visit: Visit) -> None:
    """The page's own worker computes what it says: checked against the formula in numpy."""
    page = visit.page
    ramp = np.random.default_rng(3).integers(0, 256, (9, 13, 3), np.uint8)
    page.check("input[value='2']", force=True)
    visit.pick(file("noise.png", saved(ramp, "png")))
    visit.done()
    page.wait_for_selector("#before canvas")
    seen = page.evaluate(
        """() => {
          const shown = document.querySelector("#before canvas");
          const pen = new OffscreenCanvas(shown.width, shown.height).getContext("2d");
          pen.drawImage(shown, 0, 0);
          return [...pen.getImageData(0, 0, shown.width, shown.height).data];
        }"""
    )
    pixels = np.array(seen, np.float64).reshape(18, 26, 4)
    across, down = _taps(13, 26), _taps(9, 18)
    exact = np.einsum("yr,rcp,xc->yxp", down, ramp.astype(float), across).clip(0, 255)
    assert np.abs(pixels[..., :3] - exact).max() <= 1
    assert (pixels[..., 3] == 255).all()


def _taps(size: int, target: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return Keys's kernel (a = -0.5) as a matrix, with repeated borders."""
    weights = np.zeros((target, size))
    for row in range(target):
        at = (row + 0.5) * size / target - 0.5
        for place in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
            x = abs(at - place)
            near = 1.5 * x**3 - 2.5 * x**2 + 1
            far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            weights[row, min(size - 1, max(0, place))] += near if x <= 1 else far
    return weights


def test_ways_to_see_before(shown: Visit) -> None:
    """Bicubic, pixels, its own size."""
    page = shown.page
    page.select_option("#before-kind", "nearest")
    rendering = "(one) => getComputedStyle(one).imageRendering"
    page.wait_for_selector("#before img")
    assert page.locator("#before img").evaluate(rendering) == "pixelated"
    page.select_option("#before-kind", "original")
    shown.until("document.querySelector('#before img')?.style.width.startsWith('33.3')")
    expect(page.locator("#tag-before")).to_have_text("Original size")


def test_the_result_is_never_blurred(shown: Visit) -> None:
    """Above 100 % its pixels are shown as pixels."""
    page = shown.page
    page.click("#zoom-in")
    rendering = page.locator("#after img").evaluate("(one) => getComputedStyle(one).imageRendering")
    assert rendering == "pixelated"


def test_a_large_result_is_shown_reduced_until_pixel_for_pixel(visit: Visit) -> None:
    """The slider works on the smaller one; the whole is fetched when it is asked for, once."""
    page = visit.page
    visit.until("document.querySelector('#model').options.length > 3")
    page.select_option("#model", "bicubic")
    page.check("input[name=size][value='4']", force=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    large = saved(np.repeat(np.repeat(scene(400, 500), 4, axis=0), 4, axis=1), "jpeg", quality=80)
    visit.pick(file("large.jpg", large, "image/jpeg"))
    visit.done()
    image = "document.querySelector('#after img')"
    assert page.evaluate(f"{image}.naturalWidth") == 2000
    assert "result" not in asked
    visit.state("2,000 × 1,600 → 8,000 × 6,400")
    expect(page.locator("#tag-after")).to_have_text("×4 bicubic, reduced")
    expect(page.locator("#message")).to_contain_text("51 megapixels, shown reduced.")
    assert not page.locator("#split").is_disabled()
    page.click("#actual")
    visit.until(f"{image}.naturalWidth === 8000")
    expect(page.locator("#zoom")).to_have_text("100 %")
    expect(page.locator("#tag-after")).to_have_text("×4 bicubic")
    expect(page.locator("#message")).to_be_hidden()
    page.click("#fit")
    page.click("#actual")
    assert asked.count("reduced") == asked.count("result") == 1


def test_a_pinch(visits: object, url: str) -> None:
    """Two fingers zoom between them."""
    visit: Visit = visits(  # type: ignore[operator]
        url, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True
    )
    visit.open()
    visit.pick(small(seed=30))
    visit.done()
    page = visit.page
    box = page.locator("#stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = zoom(page)
    browser = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 30), ("touchMove", 60)):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    browser.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert zoom(page) == pytest.approx(before * 3, rel=0.1)
