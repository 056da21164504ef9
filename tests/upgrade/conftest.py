"""A PostgreSQL for the engine, and files for it to read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from school.upgrade import upgrading
from school.upgrade.layout import Inferred
from school.upgrade.report import Report
from school.upgrade.rules import OnBad
from school.upgrade.target import Target
from tests.servers.postgres import PostgresServer
from tests.servers.postgres import postgres_server as postgres_server


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    """An empty database."""
    return postgres_server.create_database("upgrade_target")


@pytest.fixture
def sql(url: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """Ask or change the target."""
    with psycopg.connect(url, autocommit=True) as connection:

        def ask(statement: str) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

        yield ask


@pytest.fixture
def make_source(tmp_path: Path) -> Callable[[str], Path]:
    """Write a SQLite file by a script."""

    def make(script: str, name: str = "school.db") -> Path:
        path = tmp_path / name
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
        return path

    return make


@pytest.fixture
def options(url: str, tmp_path: Path) -> Callable[..., upgrading.Options]:
    def give(source: Path, on_bad: str = "stop", **more: Any) -> upgrading.Options:
        rejects = tmp_path / "rejected.jsonl"
        return upgrading.Options(source, Target(url), OnBad(on_bad), rejects=rejects, **more)

    return give


@pytest.fixture
def upgrade(options: Callable[..., upgrading.Options]) -> Callable[..., Report]:
    return lambda source, on_bad="stop", **more: upgrading.upgrade(
        options(source, on_bad, **more), Inferred()
    )


@pytest.fixture
def verify(options: Callable[..., upgrading.Options]) -> Callable[..., Report]:
    return lambda source: upgrading.verify(options(source), Inferred())
