"""The page behind nginx and gunicorn: from an upload to a result that is taken home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser import CAT, launched, new_visit, slow
from picture_files import opened
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from browser import Visit
    from playwright.sync_api import Browser, Response

    from proofs.deployment.stack import Stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture
def visit(browser: Browser, stack: Stack) -> Iterator[Visit]:
    """Return a visit through nginx, of which nothing may go wrong unseen."""
    made = new_visit(browser, stack.url)
    yield made
    try:
        made.check()
    finally:
        made.page.context.close()


def test_a_picture_goes_in_and_comes_out_larger(visit: Visit, stack: Stack, tmp_path: Path) -> None:
    """Texts come compressed, progress by events, the result from nginx; the slider moves."""
    answers: list[Response] = []

    def arrived(answer: Response) -> None:
        answers.append(answer)

    visit.page.on("response", arrived)
    visit.open()
    visit.pick(CAT)
    visit.done()
    page = visit.page
    expect(page.locator("#facts")).to_contain_text("150 × 100 → 450 × 300 (×3)")
    assert page.evaluate("document.querySelector('#after img').naturalWidth") == 450
    page.focus("#split")
    before = page.input_value("#split")
    page.keyboard.press("ArrowLeft")
    assert page.input_value("#split") != before
    with page.expect_download() as saving:
        page.click("#download")
    saving.value.save_as(tmp_path / "cat.png")
    assert opened((tmp_path / "cat.png").read_bytes()).size == (450, 300)
    found = {one.url.removeprefix(stack.url): one for one in answers}
    assert found["/"].headers["content-encoding"] == "gzip"
    assert found["/static/page/main.js"].headers["content-encoding"] == "gzip"
    (result,) = (one for path, one in found.items() if path.endswith("/result"))
    assert result.headers["server"] == "nginx"
    assert result.headers["content-type"] == "image/png"
    assert result.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert {one.status for one in answers} <= {200, 202}


def test_progress_and_finished_parts_come_through(visit: Visit) -> None:
    """As they happen: nothing is gathered on the way."""
    asked: list[str] = []
    page = visit.page
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    visit.open()
    page.wait_for_selector("#model option[value=fast]", state="attached")
    page.select_option("#model", "fast")  # which leaves no part out
    page.click("summary")
    page.check("#tta")
    page.keyboard.press("Escape")
    visit.pick(slow(seed=200, sides=(800, 1200)))
    visit.state("Enlarging")
    visit.until("document.querySelector('#tag-after').textContent.startsWith('Finished parts')")
    visit.done()
    assert "events" in asked
    assert any(one.startswith("preview?after=") for one in asked)
