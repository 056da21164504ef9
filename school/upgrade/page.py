"""The report as a page that stands by itself: no script, nothing fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

_TEMPLATE = Environment(
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    loader=FileSystemLoader(Path(__file__).parent),
).get_template("report.html")


def render(report: dict[str, Any]) -> str:
    """`report`: what Report.as_json gives."""
    looked = report["is_trial"]
    return _TEMPLATE.render(
        report=report,
        title="A look before moving to PostgreSQL" if looked else "From SQLite to PostgreSQL",
        good_look=looked and not report["problems"],
    )
