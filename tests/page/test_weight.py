"""How much the page weighs, and when it can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser import Visit

MOST_BYTES = 150_000
MOST_MS = 1000


def test_light_and_soon_there(
    visits: Callable[..., Visit], record_property: Callable[[str, object], None]
) -> None:
    """All that comes over the wire, headers too, with nothing kept; ready when scripts have run.

    The time holds for an idle machine; the proof measures it on one.
    """
    visit = visits()
    browser = visit.page.context.new_cdp_session(visit.page)
    sizes: list[float] = []

    def arrived(event: Any) -> None:
        sizes.append(event["encodedDataLength"])

    browser.on("Network.loadingFinished", arrived)
    browser.send("Network.enable")
    visit.open()
    visit.page.wait_for_load_state("networkidle")
    ready = visit.page.evaluate("performance.getEntriesByName('ready')[0].startTime")
    record_property("bytes", sum(sizes))
    record_property("requests", len(sizes))
    record_property("interactive_ms", ready)
    assert 10_000 < sum(sizes) < MOST_BYTES
    assert ready > 0
