"""The page about the HTTP interface says what the application does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from upres import errors
from upres.errors import Blame, UpresError
from upres.web.codes import ALL
from upres.web.options import PictureOptions
from upres.web.problems import STATUSES

if TYPE_CHECKING:
    from apiflask import APIFlask
    from endpoint_cases import Reader

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "http.md"
OF_BLAME = {Blame.CALLER: 422, Blame.CAPACITY: 503}


def codes_told() -> dict[str, int]:
    text = PAGE.read_text("utf-8")
    return {
        code: int(status)
        for status, code in re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", text, flags=re.MULTILINE)
    }


def test_every_code_is_explained_where_its_type_leads(client: Reader) -> None:
    """On the page `/docs` of every server."""
    page = client.get("/docs").text
    for code, status in codes_told().items():
        assert ALL[code] == status
        assert f'id="problem-{code}"' in page
    assert len(ALL) == page.count('id="problem-')


def test_every_code_has_its_status_on_the_page() -> None:
    """Of the errors that are the caller's to know."""
    told = codes_told()
    leaves = [
        kind
        for kind in (getattr(errors, name) for name in errors.__all__ if name != "Blame")
        if not kind.__subclasses__() and issubclass(kind, UpresError)
    ]
    assert len(leaves) > 30
    for kind in leaves:
        if kind.blame in OF_BLAME:
            assert told.get(kind.code) == STATUSES.get(kind.code, OF_BLAME[kind.blame]), kind.code
    assert STATUSES.items() <= told.items()


def test_every_address_and_option_is_on_the_page(app: APIFlask) -> None:
    """Beside what is for browsers and operators."""
    text = PAGE.read_text("utf-8")
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/api/", "/upload")):
            address = rule.rule.replace("<job_id>", "ID").replace("<name>", "NAME")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                assert f"`{method} {address}" in text
    for option in PictureOptions.model_fields:
        assert f"`{option}`" in text
