"""Write docs/reference/*.md from the code: settings, permissions, schema, commands, API.

python -m tools.reference_pages            write them
python -m tools.reference_pages --check    exit 1 when one is not as the code says
"""

from __future__ import annotations

import sys
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from flask import Flask

from config_enhanced import Settings
from school.app import create_app
from school.cli import main as commands
from school.db import Base
from school.permissions import PLATFORM_PERMISSIONS, ROLE_PERMISSIONS, Permission, Role
from school.tenancy.models import tenant_tables

PLACE = Path(__file__).parent.parent / "docs" / "reference"
HEAD = "<!-- Written by tools/reference_pages.py from the code; edit that instead. -->\n\n"


def settings_page() -> str:
    """Every setting, its default and what it is for."""
    lines = [
        "# Settings",
        "",
        (
            "Set them in the environment or in `.env`. Faulty and unknown ones are all named at once "
            "when the program starts."
        ),
        "",
        "| Name | Default | For |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "required" if field.is_required() else f"`{_shown(field.default)}`"
        lines.append(f"| `{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or "(empty)"


def permissions_page() -> str:
    """Who may do what."""
    lines = [
        "# Who may do what",
        "",
        (
            "Families see their own children only; teachers and the office see their school. "
            "Anything not ticked is refused."
        ),
        "",
        "| Permission | " + " | ".join(Role) + " | platform |",
        "|---|" + "---|" * (len(Role) + 1),
    ]
    for permission in Permission:
        ticks = ["✓" if permission in ROLE_PERMISSIONS[role] else "" for role in Role]
        ticks.append("✓" if permission in PLATFORM_PERMISSIONS else "")
        lines.append(f"| `{permission}` | " + " | ".join(ticks) + " |")
    return "\n".join(lines) + "\n"


def schema_page() -> str:
    """Every table and column."""
    tenants = {table.name for table in tenant_tables(Base.metadata)}
    lines = [
        "# Tables",
        "",
        "A school's own tables have `school_id` first in their key; links between them carry it too.",
        "",
    ]
    for table in sorted(Base.metadata.tables.values(), key=lambda t: t.name):
        own = "a school's own" if table.name in tenants else "shared"
        lines += [
            f"## {table.name}",
            "",
            f"*{own}*",
            "",
            "| Column | Type | Empty? | Points at |",
            "|---|---|---|---|",
        ]
        lines += [_column_row(column) for column in table.columns]
        lines.append("")
    return "\n".join(lines)


def _column_row(column: sa.Column[Any]) -> str:
    targets = sorted({key.column.table.name for key in column.foreign_keys})
    name = f"**{column.name}**" if column.primary_key else column.name
    return f"| {name} | {column.type} | {'yes' if column.nullable else ''} | {', '.join(targets)} |"


def commands_page() -> str:
    """Every command of `python -m school`."""
    lines = [
        "# Commands",
        "",
        "Exit codes: 0 done, 1 failed (a sentence says why), 2 wrong usage.",
        "",
    ]
    _describe(commands, ["python -m school"], lines)
    return "\n".join(lines) + "\n"


def _describe(command: click.Command, path: list[str], lines: list[str]) -> None:
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            _describe(command.commands[name], [*path, name], lines)
        return
    context = click.Context(command, info_name=" ".join(path))
    lines += [f"## {' '.join(path[1:])}", "", "```", command.get_help(context), "```", ""]


def api_page(app: Flask) -> str:
    """Every endpoint of the API."""
    lines = [
        "# API",
        "",
        (
            "The running program shows the same, with every field, at `/api/docs` "
            "(OpenAPI 3.1 at `/api/v1/openapi.json`)."
        ),
        "",
        "| Endpoint | |",
        "|---|---|",
    ]
    paths = (
        app.extensions["school.api"].spec.to_dict()["paths"]
        if "school.api" in app.extensions
        else {}
    )
    for path in sorted(paths):
        for method, about in paths[path].items():
            if method != "parameters":
                lines.append(f"| `{method.upper()} {path}` | {about.get('summary', '')} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name → text, as the code says now."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(
            Settings(
                _env_file=None,
                data_dir=Path(folder),
                secret_key="x" * 40,
                password_salt="y" * 20,
                file_signing_keys="k" * 40,
                file_encryption_keys="1:" + b64encode(b"e" * 32).decode(),
                totp_secrets="1:" + "t" * 32,
            )
        )
        return {
            name: HEAD + text
            for name, text in {
                "settings.md": settings_page(),
                "permissions.md": permissions_page(),
                "schema.md": schema_page(),
                "commands.md": commands_page(),
                "api.md": api_page(app),
            }.items()
        }


def main() -> int:
    stale = []
    PLACE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        path = PLACE / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
    print(
        f"{len(stale)} page(s) {'differ' if '--check' in sys.argv else 'written'}: {', '.join(stale) or 'none'}"
    )
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
