"""Whoever comes: in Chinese or English, without scripts, with a key, by keyboard, on a phone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from browser import CAT, file, served, slow, small
from picture_files import opened, saved, scene
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from browser import Visit


def test_the_browsers_language_then_the_chosen_one(visits: Callable[..., Visit]) -> None:
    """The whole page speaks it, and remembers the choice."""
    visit = visits(locale="zh-CN").open()
    page = visit.page
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.title() == "upres：放大图片"
    visit.pick(CAT)
    visit.done()
    expect(page.locator("#facts")).to_contain_text("通用")
    expect(page.locator("#download")).to_have_text("下载")
    page.click("text=English")
    expect(page.locator("#download")).to_have_text("Download")
    visit.open()
    assert page.evaluate("document.documentElement.lang") == "en"
    visit.done()


def test_without_scripts_it_is_a_form(visits: Callable[..., Visit]) -> None:
    """That sends one picture and gets it back three times as large."""
    visit = visits(java_script_enabled=False)
    page = visit.page
    page.goto(visit.url)
    expect(page.locator("#settings")).to_be_hidden()
    page.set_input_files("#picture", CAT)
    visit.check()
    with page.expect_response("**/upload") as answered:
        page.click("text=Enlarge 3 times")
    answer = answered.value
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/jpeg"
    fetched = page.context.request.post(
        f"{visit.url}/upload",
        multipart={
            "image": {"name": "cat.png", "mimeType": "image/png", "buffer": CAT.read_bytes()}
        },
    )
    assert opened(fetched.body()).size == (450, 300)
    page.goto("about:blank")
    visit.wrong.clear()  # the browser's own viewer wants a style that files may not have


def test_only_a_keyboard(visit: Visit, tmp_path: Path) -> None:
    """From the empty page to the saved file: Tab, Enter, arrows, and never a trap."""
    page = visit.page
    seen = _tab_to(visit, "picture")
    assert "theme" in seen
    page.keyboard.press("Space")
    visit.choose(CAT)
    visit.done()
    page.evaluate("document.activeElement.blur()")
    _tab_to(visit, "stage")
    page.keyboard.press("+")
    expect(page.locator("#zoom")).to_have_text("200 %")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("[document.activeElement.id, document.activeElement.value]") == [
        "split", "501",
    ]  # fmt: skip
    _tab_to(visit, "difference")
    page.keyboard.press("Space")
    expect(page.locator("#difference")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    _tab_to(visit, "download")
    with page.expect_download() as saving:
        page.keyboard.press("Enter")
    saving.value.save_as(tmp_path / "cat.png")
    page.keyboard.press("Tab")  # the sizes are one stop, with arrows between
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.value") == "2"
    _tab_to(visit, "again")
    page.keyboard.press("Enter")
    visit.state("300 × 200")
    around = _tab_to(visit, "main", least=True)
    assert {"forget", "add", "model", "format"} <= set(around)


def _tab_to(visit: Visit, wanted: str, *, least: bool = False) -> list[str]:
    """Press Tab until something has the focus; return what had it on the way, all of it visible.

    `least`: go once around instead, to the beginning of the page.
    """
    page = visit.page
    passed: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        now = page.evaluate(
            """() => {
              const { id, className, tagName } = document.activeElement;
              const box = document.activeElement.getBoundingClientRect();
              return { name: id || className || tagName, wide: box.width, high: box.height };
            }"""
        )
        passed.append(now["name"])
        if now["name"] == wanted or (least and now["name"] in {"BODY", "skip"}):
            return passed
        assert now["wide"] >= 1, now
        assert now["high"] >= 1, now
    pytest.fail(f"no way to {wanted}: {passed}")


def _states(visit: Visit) -> list[tuple[str, Callable[[], object]]]:
    """Return the states that the page can be brought into, one after the other."""
    page = visit.page

    def finished() -> None:
        page.select_option("#model", "auto")
        visit.pick(CAT)
        visit.done()

    def cancelled() -> None:
        page.click("#cancel")
        page.wait_for_selector("#message:not([hidden])")

    def failed() -> None:
        visit.pick({"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear Sir"})
        page.click(".card:last-child .open")
        page.wait_for_selector("#message:not([hidden]) h2")

    def trial() -> None:
        page.click(".card:first-child .open")
        page.click("#try")
        page.wait_for_selector("#trial[open]")

    def tried() -> None:
        page.click("#trial-go")
        page.wait_for_selector("#tiles [data-state=done]")

    def settings() -> None:
        page.keyboard.press("Escape")
        page.check("input[value='custom']", force=True)
        page.click("summary")

    def running() -> None:
        page.select_option("#model", "fast")
        page.check("#tta")
        page.keyboard.press("Escape")
        page.check("input[value='3']", force=True)
        visit.pick(slow(seed=40, sides=(1200, 1800)))
        page.click(".card:last-child .open")
        page.wait_for_selector("#cancel:not([hidden])")

    def large() -> None:
        page.select_option("#model", "bicubic")
        page.check("input[value='4']", force=True)
        repeated = scene(200, 250).repeat(8, axis=0).repeat(8, axis=1)
        visit.pick(file("large.jpg", saved(repeated, "jpeg", quality=80), "image/jpeg"))
        page.click(".card:last-child .open")
        page.wait_for_selector("#whole")
        page.select_option("#model", "auto")
        page.check("input[value='3']", force=True)

    def pull() -> None:
        visit.until("document.querySelector('#model').options.length > 3")
        page.select_option("#model", "edsr")
        page.wait_for_selector("#pull:not([hidden])")

    return [
        ("empty", lambda: None),
        ("model to fetch", pull),
        ("done", finished),
        ("difference", lambda: page.click("#difference")),
        ("large", large),
        ("trial", trial),
        ("tried", tried),
        ("settings", settings),
        ("running", running),
        ("partly done", lambda: page.wait_for_selector(".begun")),
        ("cancelled", cancelled),
        ("failed", failed),
    ]


@pytest.mark.parametrize(
    ("locale", "scheme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 360)]
)
def test_axe_finds_nothing_in_any_state(
    visits: Callable[..., Visit],
    record_property: Callable[[str, object], None],
    locale: str,
    scheme: str,
    width: int,
) -> None:
    """In both languages, both themes, on a desk and on a phone."""
    visit = visits(locale=locale, color_scheme=scheme, viewport={"width": width, "height": 800})
    visit.may_fail = True
    visit.open()
    found: dict[str, list[str]] = {}
    for name, bring in _states(visit):
        bring()
        found[name] = visit.violations()
    record_property("violations", {name: len(wrong) for name, wrong in found.items()})
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("width", [320, 768])
def test_nothing_is_cut_off(
    visits: Callable[..., Visit],
    record_property: Callable[[str, object], None],
    width: int,
) -> None:
    """At 320 px, as at 400 % zoom, nothing has to be scrolled sideways in any state."""
    visit = visits(viewport={"width": width, "height": 640})
    visit.may_fail = True
    visit.open()
    wide: dict[str, int] = {}
    for name, bring in _states(visit):
        bring()
        wide[name] = visit.page.evaluate(
            """() => Math.max(document.documentElement.scrollWidth,
              ...[...document.querySelectorAll("dialog[open], main *")]
                .filter((one) => one.checkVisibility())
                .filter((one) => !one.closest(".stage, #cards, .hidden, .map"))
                .map((one) => Math.ceil(one.getBoundingClientRect().right)))"""
        )
    record_property("widths", wide)
    assert {name: at for name, at in wide.items() if at > width} == {}


def test_a_server_that_wants_keys(visits: Callable[..., Visit], tmp_path: Path) -> None:
    """The page asks for one, and sends it with everything."""
    keys = tmp_path / "keys.toml"
    made = subprocess.run(
        [sys.executable, "-m", "upres", "keys", "add", "shop"],
        env=os.environ | {"UPRES_SERVICE_API_KEYS_FILE": str(keys)},
        capture_output=True,
        text=True,
        check=True,
    )
    secret = made.stdout.split()[-1]
    with served(API_KEYS_FILE=str(keys), API_KEYS_REQUIRED="true", WORKER_THREADS="1") as url:
        visit = visits(url).open()
        visit.may_fail = True
        page = visit.page
        assert visit.violations() == []
        page.fill("#key", "wrong")
        page.click("#key-form button")
        expect(page.locator("#key-why")).to_contain_text("does not know this key")
        page.fill("#key", secret)
        page.click("#key-form button")
        expect(page.locator("#key-form")).to_be_hidden()
        visit.pick(small(seed=50))
        visit.done()
        with page.expect_download() as saving:
            page.click("#download")
        saving.value.save_as(tmp_path / "got.png")
        assert opened((tmp_path / "got.png").read_bytes()).size == (180, 120)
