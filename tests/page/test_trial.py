"""Trying on a crop, and fetching a model."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import strengths
from browser import CAT, served
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser import Visit
    from playwright.sync_api import Route


def test_every_model_on_a_part(visit: Visit) -> None:
    """Each with its picture, its time and an estimate for the whole; one is taken."""
    page = visit.page
    visit.pick(CAT)
    visit.done()
    page.click("#try")
    expect(page.locator("#trial")).to_be_visible()
    page.focus("#frame-size")
    page.keyboard.press("Home")
    expect(page.locator("#frame-size-value")).to_have_text("96 px")
    page.focus("#frame")
    left = "parseFloat(document.getElementById('frame').style.left)"
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    most = page.evaluate(left)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(left) == pytest.approx(most - 100 * 8 / 150, abs=0.01)
    page.click("#trial-go")
    expect(page.locator("#trial-say")).to_contain_text("Done", timeout=60_000)
    tiles = page.locator("#tiles li")
    names = {"auto", "lite", "fsrcnn", "fsrcnn-small", "espcn", "bicubic", "lanczos"}
    assert {tile.get_attribute("data-model") for tile in tiles.all()} >= names
    for tile in tiles.all():
        said = tile.locator("p").text_content() or ""
        assert re.fullmatch(r"[\d.,]+ s for this part · about .+ for the whole", said), said
        image = tile.locator("img")
        assert image.evaluate("(one) => [one.naturalWidth, one.naturalHeight]") == [288, 288]
    page.click("[data-model=espcn] button")
    expect(page.locator("#trial")).to_be_hidden()
    expect(page.locator("#model")).to_have_value("espcn")
    expect(page.locator("#again")).to_be_focused()
    page.click("#again")
    visit.state("ESPCN, ")


def test_a_strength_where_models_take_one(
    visits: Callable[..., Visit], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Asked for, told, compared; never sent to models that have none, nor shown with them."""
    folder = tmp_path_factory.mktemp("pair")
    strengths.ship_beside_lite(folder)
    with served(models=folder) as url:
        visit = visits(url).open()
        page = visit.page
        strength, said = page.locator("#clean"), page.locator("#clean-value")
        expect(strength).to_be_visible()
        expect(said).to_have_text("Auto")
        visit.pick(CAT)
        visit.done()
        expect(page.locator("#facts")).to_contain_text(re.compile(r"strength \d+ %.* · auto: it "))
        strength.focus()
        page.keyboard.press("End")
        for _ in range(10):
            page.keyboard.press("ArrowLeft")
        expect(said).to_have_text("50 %")
        assert visit.violations() == []
        page.click("#again")
        visit.state("Photo, strength 50 %, ")
        expect(page.locator("#runs button").last).to_have_text("×3 auto 50 %")
        page.select_option("#model", "fsrcnn")
        expect(strength).to_be_hidden()
        page.click("#again")
        visit.state("FSRCNN, ")
        page.select_option("#model", "auto")
        page.click("#try")
        page.click("#trial-go")
        expect(page.locator("#trial-say")).to_contain_text("Done", timeout=60_000)
        assert page.locator("#tiles li[data-state=failed]").count() == 0
        page.click("#trial-close")
        visit.open()
        expect(said).to_have_text("50 %")


def test_no_strength_where_no_model_takes_one(visit: Visit) -> None:
    """Which is so until `photo` ships."""
    visit.until("document.querySelector('#model').options.length > 3")
    told = visit.page.evaluate("fetch('/api/v1/models').then((answer) => answer.json())")
    takes = {model["name"] for model in told["models"] if model["clean"]}
    for model in ("auto", "lite", "bicubic"):
        visit.page.select_option("#model", model)
        assert visit.page.locator("#clean").is_visible() is (model in takes)


def test_closed_in_the_middle(visit: Visit) -> None:
    """What nobody looks at any more is not asked for."""
    page = visit.page
    visit.pick(CAT)
    visit.done()
    page.click("#try")
    page.click("#trial-go")
    expect(page.locator("#trial-say")).to_contain_text("of")
    page.keyboard.press("Escape")
    expect(page.locator("#trial")).to_be_hidden()
    expect(page.locator("#try")).to_be_focused()
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if one.method == "POST" else None)
    page.wait_for_timeout(1500)
    assert len(asked) <= 1


def _lists(visit: Visit, change: Callable[[dict[str, Any]], None]) -> None:
    """Let the page see the server's list of models, changed."""

    def answer(route: Route) -> None:
        there = route.fetch().json()
        change(there)
        route.fulfill(body=json.dumps(there), content_type="application/json")

    visit.page.route("**/api/v1/models", answer)


def test_a_model_is_fetched_with_progress(visits: Callable[..., Visit]) -> None:
    """The server's answers are played here: the real file is 38 MB from elsewhere."""
    visit = visits()
    done = [0.0]
    pulled: list[str] = []

    def change(answer: dict[str, Any]) -> None:
        edsr = next(one for one in answer["models"] if one["name"] == "edsr")
        answer["may_pull"] = True
        if pulled and done[0] < 1:
            done[0] += 0.4
        edsr["installed"] = done[0] >= 1
        state = "done" if done[0] >= 1 else "running"
        total = 115_000_000
        edsr["pull"] = None
        if pulled:
            bytes_ = {"done_bytes": min(1, done[0]) * total, "total_bytes": total}
            edsr["pull"] = {"state": state, "error": None, **bytes_}

    _lists(visit, change)

    def pull(route: Route) -> None:
        pulled.append(route.request.url)
        route.fulfill(status=202, body="{}", content_type="application/json")

    visit.page.route("**/models/edsr/pull", pull)
    visit.open()
    page = visit.page
    visit.until("document.querySelector('#model').options.length > 3")
    page.select_option("#model", "edsr")
    expect(page.locator("#pull")).to_contain_text("EDSR 39 MB is not on this server yet")
    page.click("#pull button")
    expect(page.locator("#pull")).to_contain_text("Fetching EDSR 39 MB: 40 %")
    expect(page.locator("#pull progress")).to_be_visible()
    expect(page.locator("#pull")).to_be_hidden()
    assert len(pulled) == 1


def test_a_server_that_does_not_let_pages_fetch(visits: Callable[..., Visit]) -> None:
    """The page says who can, and how."""
    with served(ALLOW_PULL="false", WORKER_THREADS="1") as url:
        visit = visits(url).open()
        visit.until("document.querySelector('#model').options.length > 3")
        visit.page.select_option("#model", "edsr")
        expect(visit.page.locator("#pull")).to_contain_text("upres models pull edsr")
        expect(visit.page.locator("#pull button")).to_have_count(0)
