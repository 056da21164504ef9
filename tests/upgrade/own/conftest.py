"""A school in a SQLite file, moved into PostgreSQL once for all tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import upgrade as migrate

from school.accounts.models import Membership
from school.app import create_app
from school.db import db, transaction
from school.permissions import Role
from school.to_postgresql import ours
from school.upgrade import upgrading
from school.upgrade.report import Report
from school.upgrade.target import Target
from tests.architecture.test_access_matrix import furnish
from tests.conftest import make_member, make_school, settings_for
from tests.servers.postgres import PostgresServer, postgres_server  # noqa: F401 - a fixture

SECRETS = """SECRET_KEY=0123456789012345678901234567890123456789
PASSWORD_SALT=01234567890123456789
FILE_SIGNING_KEYS=0123456789012345678901234567890123456789
FILE_ENCRYPTION_KEYS=1:ZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWU=
TOTP_SECRETS=1:0123456789012345678901234567890123456789
"""


@dataclass(frozen=True)
class OldSchool:
    """`objects`: what an address can name, in its school. `who`: somebody who may see all of it."""

    folder: Path
    file: Path
    school_id: Any
    objects: dict[str, Any]
    who: str


def open_app(folder: Path, url: str) -> Flask:
    return create_app(settings_for(folder, url))


def close(app: Flask) -> None:
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def old_school(tmp_path_factory: pytest.TempPathFactory) -> OldSchool:
    return make_old_school(tmp_path_factory.mktemp("old"))


def make_old_school(folder: Path) -> OldSchool:
    """Two schools with one of everything."""
    file = folder / "schoolhouse.db"
    app = open_app(folder, f"sqlite:///{file}")
    with app.app_context():
        migrate()
        school, other = make_school(), make_school("Millbrook Primary")
        objects = furnish(school)
        furnish(other)
        who = make_member(None, None, display_name="Bo Both", is_platform_admin=True)
        _join(school.id, who.id)
        told = OldSchool(folder, file, school.id, objects, who.fs_uniquifier)
    close(app)
    return told


def _join(school_id: Any, user_id: Any) -> None:
    with transaction() as session:
        session.add(Membership(school_id=school_id, user_id=user_id, role=Role.ADMINISTRATOR))


@pytest.fixture
def copy_of_school(old_school: OldSchool, tmp_path: Path) -> Path:
    """A file of this test's own."""
    return Path(shutil.copy(old_school.file, tmp_path / "schoolhouse.db"))


@pytest.fixture(scope="session")
def moved_url(old_school: OldSchool, postgres_server: PostgresServer) -> str:  # noqa: F811
    url = postgres_server.create_database("own_moved")
    report = move(old_school.file, url)
    assert report.is_complete, list(report.lines())
    return url


def move(file: Path, url: str, **options: Any) -> Report:
    """As the command does it, without switching."""
    wanted = upgrading.Options(file, Target(url), **options)
    return upgrading.upgrade(wanted, ours.our_layout())


@pytest.fixture
def new_url(postgres_server: PostgresServer) -> str:  # noqa: F811
    """An empty database."""
    return postgres_server.create_database("own_new")


@pytest.fixture
def settings_folder(tmp_path: Path, copy_of_school: Path, monkeypatch: Any) -> Callable[..., Path]:
    """The folder of a program that uses the copy: where the command is started."""
    (tmp_path / "data").mkdir()

    def make(line: str = "", name: str = "DATABASE_URL") -> Path:
        url = line or f"{name}=sqlite:///{copy_of_school}"
        (tmp_path / ".env").write_text(f"DATA_DIR={tmp_path}/data\n{url}\n{SECRETS}")
        (tmp_path / ".env").chmod(0o600)
        monkeypatch.chdir(tmp_path)
        return tmp_path / ".env"

    return make
