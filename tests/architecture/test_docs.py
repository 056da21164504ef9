"""What the documents say is so: generated pages are fresh, links lead somewhere, commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config_enhanced import Settings
from tools.reference_pages import PLACE, pages

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
]
DOCUMENTS += [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "benchmarks" / "README.md"]


def test_the_reference_pages_are_as_the_code_says() -> None:
    """Write them anew with: python -m tools.reference_pages"""
    stale = [
        name for name, text in pages().items() if (PLACE / name).read_text(encoding="utf-8") != text
    ]
    assert stale == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_in_a_document_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_in_a_document_exists(document: Path) -> None:
    known = (PLACE / "commands.md").read_text(encoding="utf-8")
    for words in re.findall(
        r"python -m school ((?:[a-z][a-z-]+ ?)+)", document.read_text(encoding="utf-8")
    ):
        name = words.split()[0]
        assert re.search(rf"^## {re.escape(name)}\b", known, re.MULTILINE), words


def test_every_setting_of_the_example_is_a_setting() -> None:
    names = re.findall(
        r"^#?\s?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert names
    assert {name.lower() for name in names} <= set(Settings.model_fields)
