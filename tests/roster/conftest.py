"""Imports made as a person makes them, without the pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from school.db import db, transaction
from school.roster.models import RosterImport
from school.roster.service.committing import commit
from school.roster.service.reporting import report
from school.roster.service.staging import stage
from school.roster.service.uploads import new_import

ROSTERS = Path(__file__).parent.parent / "data" / "rosters"
EXPECTED: dict[str, Any] = json.loads((ROSTERS / "expected.json").read_text())["files"]


def stage_file(path: Path, **options: Any) -> RosterImport:
    with transaction():
        imported = new_import(path.name, size_bytes=path.stat().st_size, sha256="")
        imported.options = options
    return stage(imported.id, path)


def import_file(path: Path, **options: Any) -> RosterImport:
    imported = stage_file(path, **options)
    assert imported.refusal is None
    with transaction():
        commit(imported.id)
    return imported


def told(imported: RosterImport) -> dict[str, Any]:
    """The report, as the command line prints it."""
    db.session.expire_all()
    return report(imported, seconds=0)


HEADINGS = "Admission No,Surname,Forename,Date of Birth,Class,Guardian 1 Name,Guardian 1 Phone,Guardian 1 Email"


@pytest.fixture
def roster(tmp_path: Path) -> Callable[..., Path]:
    """A small file: roster("1,Smith,Ann,2015-03-01,7A,Jo Smith,0113 496 0000,jo@example.org")."""

    def write(*lines: str, headings: str = HEADINGS, name: str = "roster.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([headings, *lines]) + "\n", encoding="utf-8")
        return path

    return write
