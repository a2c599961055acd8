"""Pictures on their way: in by click, drop and paste, watched, cancelled, again, taken home."""

from __future__ import annotations

import base64
import re
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browser import CAT, file, slow, small
from picture_files import opened, saved, scene
from PIL import Image
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from browser import Visit
    from playwright.sync_api import Page, Route


def test_a_click_a_choice_a_larger_picture(visit: Visit, tmp_path: Path) -> None:
    """The whole way, to the file on the disk."""
    visit.pick(CAT)
    visit.done()
    expect(visit.page.locator("#facts")).to_contain_text("150 × 100 → 450 × 300 (×3)")
    with visit.page.expect_download() as saving:
        visit.page.click("#download")
    saving.value.save_as(tmp_path / "cat.png")
    assert saving.value.suggested_filename == "cat_x3.png"
    assert opened((tmp_path / "cat.png").read_bytes()).size == (450, 300)


def test_what_ran_is_told(visit: Visit) -> None:
    """Model, engine, arithmetic and seconds; and that the same once more took no work."""
    facts = visit.page.locator("#facts")
    visit.pick(small("fresh.png", seed=901))
    visit.done()
    network = (
        r"(Lite|Photo, strength \d+ %), (OpenVINO|ONNX Runtime|OpenCV) (fp32|bf16|int8), "
        r"(flat parts bicubic: \d+ %, )?"
    )
    expect(facts).to_have_text(re.compile(network + r"[0-9.]+ s · auto: it (looks|shows) \S+"))
    visit.pick(small("again.png", seed=901))
    visit.done(2)
    visit.page.click(".card:last-child .open")
    expect(facts).to_have_text(re.compile(network + r"from the cache · auto: it (looks|shows) \S+"))
    visit.page.select_option("#model", "lanczos")
    visit.page.click("#again")
    expect(facts).to_have_text(re.compile(r"Lanczos, no network, [0-9.]+ s$"))


def test_several_files_dropped(visit: Visit, tmp_path: Path) -> None:
    """As a hand drops them: over the window, a word where to let go, then a card each."""
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"dropped-{number}.png")
        paths[-1].write_bytes(small(seed=100 + number)["buffer"])
    browser = visit.page.context.new_cdp_session(visit.page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        if kind == "drop":
            expect(visit.page.locator("#veil")).to_be_visible()
        browser.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 300, "data": data})
    expect(visit.page.locator("#veil")).to_be_hidden()
    visit.done(3)
    names = visit.page.locator(".card .title").all_text_contents()
    assert names == ["dropped-0.png", "dropped-1.png", "dropped-2.png"]


def test_cards_stand_as_pictures_came(visit: Visit) -> None:
    """Also where a later one is looked at sooner."""
    large = np.repeat(np.repeat(scene(150, 200), 8, axis=0), 8, axis=1)
    visit.page.evaluate(
        """() => {
          const look = window.createImageBitmap;
          window.createImageBitmap = async (blob, ...rest) => {
            if (blob.size > 20000) await new Promise((resolve) => setTimeout(resolve, 500));
            return look(blob, ...rest);
          };
        }"""
    )
    data = saved(large, "jpeg", quality=95)
    assert len(data) > 20_000
    slower = [file(f"{number}.jpg", data, "image/jpeg") for number in (1, 2)]
    visit.pick(*slower, small("3.png", seed=911))
    visit.done(3)
    names = visit.page.locator(".card .title").all_text_contents()
    assert names == ["1.jpg", "2.jpg", "3.png"]


def test_pasted_from_the_clipboard(visit: Visit) -> None:
    """With Ctrl+V, anywhere."""
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (data) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          const blob = new Blob([bytes], { type: "image/png" });
          await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        base64.b64encode(CAT.read_bytes()).decode(),
    )
    page.keyboard.press("Control+v")
    visit.done()
    expect(page.locator("#facts")).to_contain_text("450 × 300")


def test_a_sample_is_one_click(visit: Visit) -> None:
    """For those who have no picture at hand."""
    visit.page.click("text=Old print")
    visit.done()
    expect(visit.page.locator("#name")).to_have_text("print.jpg")


LARGE = (1200, 1800)


def _averaged(page: Page) -> None:
    """Have the next pictures take eight times as long, flat as they may be."""
    page.wait_for_selector("#model option[value=fast]", state="attached")
    page.select_option("#model", "fast")
    page.click("summary")
    page.check("#tta")
    page.keyboard.press("Escape")


def test_progress_can_be_seen(visit: Visit) -> None:
    """A preview at once, then the bar, percent and time left, then the result."""
    page = visit.page
    _averaged(page)
    visit.pick(slow(seed=1, sides=LARGE))
    expect(page.locator("#tag-after")).to_contain_text("Preview")
    page.wait_for_selector("#before canvas, #before img")
    visit.until("(({ value }) => value > 0 && value < 1)(document.getElementById('bar'))")
    seen = page.locator("#facts").text_content() or ""
    assert "Enlarging" in seen or "Sending" in seen, seen
    visit.state("Enlarging")
    visit.done()
    expect(page.locator("#bar")).to_be_hidden()
    expect(page.locator("#facts")).to_contain_text("5,400 × 3,600")


def test_finished_parts_fade_in(visit: Visit) -> None:
    """Parts of the result itself, where they belong, before the whole is there."""
    page = visit.page
    _averaged(page)
    visit.pick(slow("parts.jpg", seed=130, sides=LARGE))
    visit.until("document.querySelector('#tag-after').textContent.startsWith('Finished parts')")
    page.wait_for_timeout(400)
    url = page.evaluate("document.querySelector('#after canvas').toDataURL()")
    shown = opened(base64.b64decode(url.partition(",")[2]))
    found = np.asarray(shown, np.float64)
    finished = found[..., 3] == 255
    assert 0.05 < finished.mean() < 1
    assert finished[:60, :60].all()
    visit.done()
    assert page.locator("#after canvas").count() == 0
    url = page.evaluate("document.querySelector('#after img').src")
    result = opened(page.context.request.get(url).body())
    whole = result.resize(shown.size, Image.Resampling.BOX)
    assert np.abs(found[..., :3] - np.asarray(whole))[finished].mean() < 10


def test_parts_are_there_again_after_a_reload(visit: Visit) -> None:
    """From the first one."""
    page = visit.page
    _averaged(page)
    visit.pick(slow("reloaded.jpg", seed=230, sides=LARGE))
    finished = "document.querySelector('#tag-after').textContent.startsWith('Finished parts')"
    visit.until(finished)
    visit.open()
    visit.until(finished)
    page.click("#cancel")
    page.wait_for_selector("#retry:not([hidden])")


def test_cancelled_and_tried_again(visit: Visit) -> None:
    """A long job ends when it is told to; the same can be asked for anew."""
    page = visit.page
    _averaged(page)
    visit.pick(slow(seed=2, sides=LARGE))
    visit.state("Enlarging")
    page.click("#cancel")
    expect(page.locator("#message")).to_contain_text("Cancelled")
    expect(page.locator("#download")).to_be_hidden()
    page.click("#retry")
    visit.state("Enlarging")
    page.click("#cancel")
    expect(page.locator("#message")).to_contain_text("Cancelled")


def test_a_server_that_is_away(visit: Visit) -> None:
    """It is said, and `Try again` does."""
    visit.may_fail = True
    page = visit.page
    page.route("**/api/v1/jobs?*", lambda route: route.abort())
    visit.pick(small(seed=3))
    expect(page.locator("#message")).to_contain_text("The server does not answer")
    page.unroute("**/api/v1/jobs?*")
    page.click("#retry")
    visit.done()


def test_a_server_that_is_busy(visit: Visit) -> None:
    """The page waits as long as it is told, and comes again by itself."""
    visit.may_fail = True
    refusals: list[str] = []

    def refuse_once(route: Route) -> None:
        if refusals:
            route.continue_()
            return
        refusals.append(route.request.url)
        route.fulfill(
            status=429,
            headers={"Retry-After": "2", "Content-Type": "application/problem+json"},
            body='{"code": "rate-limited", "detail": "too much in a minute", "status": 429}',
        )

    visit.page.route("**/api/v1/jobs?*", refuse_once)
    visit.pick(small(seed=4))
    visit.state("trying again in")
    visit.done()
    assert len(refusals) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (file("letter.png", b"Dear Sir or Madam"), "letter.png is not supported"),
        (file("large.png", b"\0" * 6_000_000), "This picture is 6 MB; this server takes 5 MB"),
        (
            file("wide.png", saved(scene(2100, 2000), "png", compress_level=1)),
            "This picture has 4.2 megapixels; this server takes 4",
        ),
        (
            file("broken.jpg", saved(scene(64, 64), "jpeg")[:600], "image/jpeg"),
            "premature end",
        ),
    ],
    ids=["no picture", "too many bytes", "too many pixels", "damaged"],
)
def test_what_cannot_be_enlarged(visit: Visit, given: dict[str, object], words: str) -> None:
    """What, why and what to do, where the picture would be."""
    visit.may_fail = True
    visit.pick(given)
    message = visit.page.locator("#message")
    expect(message).to_contain_text("This did not work")
    expect(message).to_contain_text(words, ignore_case=True)
    expect(visit.page.locator("#retry")).to_be_visible()
    expect(visit.cards()).to_have_attribute("data-state", "failed")


def test_all_in_one_zip(visit: Visit, tmp_path: Path) -> None:
    """Every result, whole, with its own name."""
    visit.pick(small("a.png", seed=5), small("a.png", seed=6), small("b.png", seed=7))
    visit.done(3)
    with visit.page.expect_download() as saving:
        visit.page.click("#all")
    saving.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert sorted(archive.namelist()) == ["a_x3-2.png", "a_x3.png", "b_x3.png"]
        for name in archive.namelist():
            assert opened(archive.read(name)).size == (180, 120)


def test_the_history_survives_a_reload(visit: Visit) -> None:
    """Cards, results, the picture before, the settings; and it can be cleared."""
    page = visit.page
    page.select_option("#format", "webp")
    visit.pick(small("first.png", seed=8), small("second.png", seed=9))
    visit.done(2)
    page.click(".card:nth-child(2) .open")
    page.reload()
    visit.done(2)
    expect(page.locator("#name")).to_have_text("second.png")
    expect(page.locator("#facts")).to_contain_text("WEBP")
    expect(page.locator("#format")).to_have_value("webp")
    page.wait_for_selector("#before canvas")
    page.click("#forget")
    expect(visit.cards()).to_have_count(0)
    expect(page.locator("#empty")).to_be_visible()
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("#empty")).to_be_visible()


def test_a_reload_in_the_middle(visit: Visit) -> None:
    """The job goes on, and so does its progress."""
    visit.pick(slow(seed=10))
    visit.state("Enlarging")
    visit.page.reload()
    visit.done()


def test_what_the_server_has_forgotten(visit: Visit) -> None:
    """Is said; the picture is not there to be sent again, which is said too."""
    visit.may_fail = True
    page = visit.page
    visit.pick(small(seed=11))
    visit.done()
    page.wait_for_timeout(300)  # until the list is kept
    page.evaluate(
        """() => {
          const kept = JSON.parse(localStorage.getItem("upres.pictures"));
          kept.pictures[0].runs[0].job.id = "A".repeat(22);
          window.addEventListener("pagehide", () =>
            localStorage.setItem("upres.pictures", JSON.stringify(kept)));
        }"""
    )
    page.reload()
    expect(page.locator("#message")).to_contain_text("No longer on the server")
    expect(visit.cards()).to_have_attribute("data-state", "lost")


def test_run_again_keeps_both(visit: Visit) -> None:
    """Another setting offers it; both results stay, and can be compared with each other."""
    page = visit.page
    visit.pick(small(seed=12))
    visit.done()
    expect(page.locator("#again")).to_be_hidden()
    page.check("input[value='2']", force=True)
    page.select_option("#model", "espcn")
    page.click("#again")
    expect(page.locator("#runs li")).to_have_count(2)
    visit.state("120 × 80")
    expect(page.locator("#runs [aria-pressed=true]")).to_have_text("×2 espcn")
    page.click("#runs li:first-child button")
    visit.state("180 × 120")
    page.select_option("#before-kind", label="×2 espcn")
    page.wait_for_selector("#before img")
    expect(page.locator("#tag-before")).to_have_text("×2 espcn")


def test_a_kind_that_browsers_do_not_show(visit: Visit) -> None:
    """A TIFF goes through all the same, and the page says what it can and cannot do."""
    visit.pick(file("scan.tiff", saved(scene(30, 40), "tiff"), "image/tiff"))
    page = visit.page
    expect(page.locator("#download")).to_be_visible()
    expect(page.locator("#message")).to_contain_text("download it to see it")
    expect(page.locator("#facts")).to_contain_text("120 × 90")


def test_a_custom_size(visit: Visit) -> None:
    """In pixels, or any number of times."""
    page = visit.page
    page.check("input[value='custom']", force=True)
    page.fill("#amount", "200")
    visit.pick(small(seed=13))
    visit.state("→ 200 × 133")
    page.select_option("#unit", "scale")
    page.fill("#amount", "2.5")
    page.click("#again")
    visit.state("→ 150 × 100 (×2.5)")


def test_a_visit_that_ends_before_it_began_loses_nothing(visit: Visit) -> None:
    """The list is kept although the server was slow to answer when the page was left."""
    page = visit.page
    visit.pick(small(seed=14))
    visit.done()
    visit.may_fail = True
    page.route("**/api/v1/models", lambda route: route.abort() if page.is_closed() else None)
    visit.open()
    visit.open()
    page.unroute("**/api/v1/models")
    visit.open()
    visit.done()
