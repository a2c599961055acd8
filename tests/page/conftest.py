"""One service and one browser for all tests of the page, and a visit for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from browser import Visit, launched, new_visit, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return Debian's browser without a window."""
    with launched() as started:
        yield started


@pytest.fixture(scope="session")
def url(browser: Browser) -> Iterator[str]:
    """Return where a service listens, that all tests share."""
    del browser  # without one no service is needed
    with served() as address:
        yield address


@pytest.fixture
def visits(browser: Browser, url: str) -> Iterator[Callable[..., Visit]]:
    """Return a function that makes visits, of which nothing may go wrong unseen."""
    made: list[Visit] = []

    def visit(at: str = url, **options: Any) -> Visit:
        made.append(new_visit(browser, at, **options))
        return made[-1]

    yield visit
    for one in made:
        try:
            one.check()
        finally:
            one.page.context.close()


@pytest.fixture
def visit(visits: Callable[..., Visit]) -> Visit:
    """Return an English visit on a desk."""
    return visits().open()
