"""Schoolhouse's own database on its way to PostgreSQL.

The engine knows no domain; here it gets our tables, our migrations and our settings.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sqlite3
from pathlib import Path
from urllib.parse import quote

from alembic import command as alembic
from alembic.config import Config
from alembic.script import ScriptDirectory

from config_enhanced import SETTINGS_FILE, FaultySettings, Settings, read_settings
from school import app  # noqa: F401 - brings every table
from school.db import Base
from school.to_postgresql import switch
from school.upgrade import own
from school.upgrade.command import Door
from school.upgrade.layout import Inferred, Layout
from school.upgrade.report import Report

MIGRATIONS = Path(__file__).parent.parent.parent / "migrations"


class OwnDoor(Door):
    """Knows our tables, and makes the program use the new database."""

    def __init__(self) -> None:
        self._is_ours = False

    def layout(self, asked: argparse.Namespace) -> Layout:
        self._is_ours = _is_ours(asked.sqlite_path)
        return our_layout() if self._is_ours else Inferred()

    def when_looked(self, asked: argparse.Namespace, report: Report) -> None:
        if self._is_ours:
            report.checks += switch.checks(_program_url(asked), _settings_for_checks(), empty=True)

    def when_complete(self, asked: argparse.Namespace, report: Report) -> None:
        if not self._is_ours:
            return
        report.checks += switch.checks(_program_url(asked), _settings_for_checks())
        if not asked.no_switch:
            report.checks.append(
                switch.switch(_env_file(asked.sqlite_path), asked.sqlite_path, _program_url(asked))
            )


def our_layout() -> own.Own:
    """The tables of the newest migration."""
    heads = ScriptDirectory(str(MIGRATIONS)).get_heads()
    return own.Own(Base.metadata, frozenset(heads), migration_sql)


def migration_sql() -> str:
    """What the migrations do to an empty PostgreSQL database, without their own transactions."""
    told = io.StringIO()
    config = Config(
        output_buffer=told, cmd_opts=argparse.Namespace(x=["url=postgresql+psycopg://"])
    )
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with contextlib.redirect_stdout(io.StringIO()):
        alembic.upgrade(config, "head", sql=True)
    lines = told.getvalue().splitlines()
    return "\n".join(line for line in lines if line not in {"BEGIN;", "COMMIT;"})


def _is_ours(path: Path) -> bool:
    """False for what cannot be read, too: the engine says what is wrong with it."""
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as plain:
            return own.is_own(plain, Base.metadata.tables)
    except sqlite3.Error:
        return False


def _program_url(asked: argparse.Namespace) -> str:
    return str(asked.program_url or asked.postgresql_url)


def _settings() -> Settings | None:
    try:
        return read_settings()
    except FaultySettings:
        return None


def _settings_for_checks() -> switch.Wanted:
    settings = _settings()
    if settings is None:
        return switch.Wanted()
    return switch.Wanted(settings.redis_url, settings.db_pool_size, settings.db_max_overflow)


def _env_file(source: Path) -> Path | None:
    """The settings file that names this very SQLite file; None where there is none."""
    settings, file = _settings(), Path(SETTINGS_FILE)
    if settings is None or not file.exists():
        return None
    return file if switch.is_same_file(settings.database, source) else None
