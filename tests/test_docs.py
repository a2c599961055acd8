from __future__ import annotations

import re
from pathlib import Path

import command_reference
import pytest

from upres.models.catalogue import Catalogue

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")]


def test_command_reference_is_what_the_command_says() -> None:
    """`make docs` writes it anew."""
    assert command_reference.PAGE.read_text("utf-8") == command_reference.render()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of a page exists."""
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readme_names_every_model(name: str) -> None:
    """In both languages."""
    text = (ROOT / name).read_text("utf-8")
    assert [model for model in Catalogue.load().names[1:] if f"`{model}`" not in text] == []


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_readmes_say_the_same_two_commands(name: str) -> None:
    """What the proofs run is what people read."""
    text = (ROOT / name).read_text("utf-8")
    assert re.findall(r"^    (make \w+)$", text, flags=re.MULTILINE) == ["make serve", "make test"]
