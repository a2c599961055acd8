"""A clip on the page: sent, worked on, and played before and after under the slider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser import PATIENCE_MS, file, small
from clips import ClipRecipe, write_clip
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from browser import Visit

_TIMES = "[...document.querySelectorAll('.layer video')].map((one) => one.currentTime)"
_PLAYS = "!document.querySelector('#after video').paused"


@pytest.fixture
def played(visits: Callable[..., Visit], tmp_path: Path) -> Visit:
    """Return a visit with a finished clip of four seconds on the table."""
    clip = write_clip(tmp_path / "clip.mp4", ClipRecipe(frames=100, width=320, sound="aac"))
    visit = visits().open()
    visit.pick(file("clip.mp4", clip.read_bytes(), "video/mp4"))
    expect(visit.page.locator('.card[data-state="done"]')).to_have_count(1, timeout=PATIENCE_MS)
    visit.page.wait_for_selector("#after video")
    return visit


def test_both_play_at_the_same_moment(played: Visit) -> None:
    """From the button on; the result is larger, as large as was asked."""
    page = played.page
    sizes = page.evaluate(
        "[...document.querySelectorAll('.layer video')]"
        ".map((one) => [one.videoWidth, one.videoHeight])"
    )
    assert sizes == [[320, 64], [960, 192]]
    page.get_by_role("button", name="Play").click()
    played.until(f"{_TIMES}[1] > 0.5")
    before, after = page.evaluate(_TIMES)
    assert abs(before - after) < 0.1
    page.get_by_role("button", name="Pause").click()
    played.until(f"!({_PLAYS})")
    played.until(f"Math.abs({_TIMES}[0] - {_TIMES}[1]) < 0.05")


def test_it_plays_to_its_end_and_again(played: Visit) -> None:
    """And the frames were there."""
    page = played.page
    page.get_by_role("button", name="Play").click()
    played.until("document.querySelector('#after video').ended")
    frames = page.evaluate(
        "document.querySelector('#after video').getVideoPlaybackQuality().totalVideoFrames"
    )
    assert frames > 50
    page.get_by_role("button", name="Play").click()
    played.until(f"{_PLAYS} && {_TIMES}[1] < 3")


def test_moments_are_chosen_by_hand_and_by_keys(played: Visit) -> None:
    """With the range, and on the stage with K, comma and full stop."""
    page = played.page
    page.locator("#moment").fill("500")
    played.until(f"Math.abs({_TIMES}[0] - 2) < 0.1 && Math.abs({_TIMES}[1] - 2) < 0.1")
    expect(page.locator("#time")).to_have_text("0:02 / 0:04")
    page.locator("#stage").focus()
    page.keyboard.press(".")
    played.until(f"{_TIMES}[1] > 2.03")
    page.keyboard.press(",")
    played.until(f"{_TIMES}[1] < 2.03")
    page.keyboard.press("k")
    played.until(_PLAYS)
    page.keyboard.press("k")
    played.until(f"!({_PLAYS})")


def test_the_slider_is_that_of_pictures(played: Visit) -> None:
    """Before is left of it and after right, both as large as the result."""
    page = played.page
    page.locator("#split").fill("250")
    assert "inset" in (page.locator("#before").get_attribute("style") or "")
    boxes = [page.locator(f"#{layer} video").bounding_box() for layer in ("before", "after")]
    assert boxes[0] == boxes[1]
    expect(page.locator("#tag-before")).to_have_text("Before")
    expect(page.locator("#tag-after")).to_contain_text("3")


def test_everybody_can_use_it(played: Visit) -> None:
    """Axe finds nothing wrong."""
    assert played.violations() == []


def test_pictures_have_no_player(played: Visit) -> None:
    """It goes with the clip, and comes back with it; its card has a picture."""
    page = played.page
    expect(page.locator(".card img").first).to_be_visible()
    played.pick(small())
    played.page.locator(".card").nth(1).locator(".open").click()
    page.wait_for_selector("#after img", timeout=PATIENCE_MS)
    expect(page.locator(".player")).to_be_hidden()
    page.locator(".card").nth(0).locator(".open").click()
    page.wait_for_selector("#after video")
    expect(page.locator(".player")).to_be_visible()


def test_the_player_is_fetched_when_there_is_a_clip(visit: Visit) -> None:
    """Not with the page."""
    assert not visit.page.evaluate(
        "performance.getEntriesByType('resource').some((one) => one.name.includes('clip.js'))"
    )
