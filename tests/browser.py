"""A browser's visit to a real `upres serve`, for tests of the page."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from picture_files import saved, scene
from playwright.sync_api import expect, sync_playwright
from web_server import Web, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, FileChooser, Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
]
PATIENCE_MS = 45_000
CAT = Path(__file__).parent.parent / "examples" / "cat.png"
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
_UNREACHABLE = "Failed to load resource"
"""What a browser itself logs of an answer that is an error; the page tells it in its own words."""


class Serve(Web):
    """`upres serve`, web and worker, on a free port."""

    command = "serve"

    def stop(self) -> None:
        """End it as an operator would."""
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def served(*, models: Path | None = None, **settings: str) -> Iterator[str]:
    """Run a service in a folder of its own; yield where it listens.

    Models that were pulled on this machine are not there for the page, unless `models` is where.
    """
    given = {
        "REQUESTS_PER_MINUTE": "100000",
        "OUTPUT_MEGAPIXELS_PER_MINUTE": "100000",
        "UPLOAD_BYTES": "5000000",
        "INPUT_PIXELS": "4000000",
    }
    with TemporaryDirectory() as name:
        variables = {"UPRES_MODEL_DIR": str(models or Path(name) / "models")}
        running = Serve(Path(name), variables, **(given | settings))
        try:
            url = running.ready()
            yield url
        finally:
            running.stop()


class Visit:
    """One browser window on the page, which keeps an eye on what must not happen."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.wrong: list[str] = []
        self._choosers: list[FileChooser] = []
        # asked for from the beginning: a browser under load may open one before it hears of it
        page.on("filechooser", self._asked_for)
        self.may_fail = False
        """Whether requests may be answered with errors."""
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(_WATCH)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error.stack}"))

    def _asked_for(self, chooser: FileChooser) -> None:
        self._choosers.append(chooser)

    def _heard(self, message: Any) -> None:
        if message.type not in {"error", "warning"}:
            return
        if self.may_fail and message.text.startswith(_UNREACHABLE):
            return
        self.wrong.append(f"{message.type}: {message.text}")

    def open(self, path: str = "/") -> Visit:
        """Go to the page and wait until it works."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector("html[data-ready]", state="attached")
        return self

    def check(self) -> None:
        """Nothing was refused by the policy, nothing was logged."""
        if not self.page.is_closed():
            self.wrong += self.page.evaluate("window.violations ?? []")
        assert not self.wrong, self.wrong

    def pick(self, *files: Any) -> None:
        """Choose files by a click on the surface, or on `Add`."""
        surface = self.page.locator("#drop input, #add").locator("visible=true").first
        surface.click()
        self.choose(*files)

    def choose(self, *files: Any) -> None:
        """Choose files in the dialog that was just asked for."""
        eventually(lambda: self.page.evaluate("0") or self._choosers)
        self._choosers.pop().set_files(list(files))

    def until(self, expression: str) -> None:
        """Wait until an expression holds; the page's policy forbids playwright's own way."""
        eventually(lambda: bool(self.page.evaluate(expression)))

    def state(self, words: str) -> None:
        """Wait until the caption says something."""
        expect(self.page.locator("#facts")).to_contain_text(words, timeout=PATIENCE_MS)

    def done(self, number: int = 1) -> None:
        """Wait until so many pictures are done, the one on the table among them."""
        cards = self.page.locator('.card[data-state="done"]')
        expect(cards).to_have_count(number, timeout=PATIENCE_MS)
        expect(self.page.locator("#download")).to_be_visible(timeout=PATIENCE_MS)
        self.page.wait_for_selector("#after img")

    def cards(self) -> Locator:
        """Return the cards of the film strip."""
        return self.page.locator(".card")

    def violations(self) -> list[str]:
        """Return what axe finds wrong, by rule and place."""
        # what fades in is judged when it is there
        self.page.evaluate(
            "Promise.all(document.getAnimations().map((one) => one.finished.catch(() => 0)))"
            if self.page.evaluate("matchMedia('(scripting: enabled)').matches")
            else "0"
        )
        found = Axe().run(self.page)
        return [
            f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
            for one in found.response["violations"]
            for node in one["nodes"]
        ]


def file(name: str, data: bytes, kind: str = "image/png") -> dict[str, Any]:
    """Return a file as playwright takes it."""
    return {"name": name, "mimeType": kind, "buffer": data}


def small(name: str = "small.png", seed: int = 0) -> dict[str, Any]:
    """Return a picture that is done at once, another one for each seed."""
    picture = scene(40, 60).copy()
    picture[0, 0] = seed % 256, seed // 256, 7
    return file(name, saved(picture, "png"))


def slow(
    name: str = "slow.png", seed: int = 0, sides: tuple[int, int] = (600, 900)
) -> dict[str, Any]:
    """Return a picture of several tiles, none of them flat, that takes some seconds."""
    grain = np.random.default_rng(seed).integers(-24, 25, (*sides, 1))
    picture = (scene(*sides) + grain).clip(0, 255).astype(np.uint8)
    return file(name, saved(np.ascontiguousarray(picture), "jpeg", quality=90), "image/jpeg")


def launch_options() -> dict[str, Any]:
    """Return how the browser is started."""
    unprivileged = [] if os.geteuid() else ["--no-sandbox"]
    return {"executable_path": CHROMIUM, "args": [*FLAGS, *unprivileged]}


@contextmanager
def launched() -> Iterator[Browser]:
    """Run Debian's browser without a window; skip where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(**launch_options())
        yield started
        started.close()


def new_visit(browser: Browser, url: str, **options: Any) -> Visit:
    """Return a window of its own: nothing is kept from other visits."""
    given: dict[str, Any] = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}}
    return Visit(browser.new_context(**(given | options)).new_page(), url)
