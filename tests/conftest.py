"""What every test can ask for: an application on a real database, schools, people, clients."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, g
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from playwright.sync_api import sync_playwright
from sqlalchemy import event

from config_enhanced import Settings
from school import clock
from school.academics.models import AcademicYear
from school.accounts.models import Membership, User
from school.app import create_app
from school.cache import cache
from school.db import Base, db, transaction
from school.permissions import Role
from school.students.models import Gender
from school.tenancy import row_security
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from school.worker import run_until_done
from tests.databases import fresh_database
from tests.pages import Page, read_page

POSTGRES_URL = os.environ.get("SCHOOLHOUSE_TEST_DATABASE_URL", "")
# As root without a sandbox of its own, and asking no other host for anything.
CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
REDIS_URL = os.environ.get("SCHOOLHOUSE_TEST_REDIS_URL", "")


# Doors, and what is about bytes rather than rows: once, on SQLite.
_ONCE = {"views", "pages", "api", "cli", "reconciling", "copying", "crashes", "moving"}
_ONCE |= {"scanning", "thumbnails", "sealing"}
# What a test that meets a database has: the application, or the means to make its own.
_OWN_DATABASE = ("make_app", "fresh_database", "POSTGRES_URL")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--part",
        choices=["database", "plain"],
        help="only tests that meet a database, or only those that do not",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Those that meet no database need not run once for each, nor do clouds, doors and bytes.

    On PostgreSQL every page and endpoint is asked for by the access matrix and the query counts.
    """
    part = config.getoption("--part")
    if part:
        left_out = {item for item in items if _meets_database(item) != (part == "database")}
        if POSTGRES_URL:
            left_out |= {item for item in items if _meets_cloud(item) or _is_tried_once(item)}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def _meets_database(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    module = getattr(item, "module", None)
    return "app" in names or any(hasattr(module, name) for name in _OWN_DATABASE)


def _meets_cloud(item: pytest.Item) -> bool:
    """One of the same test's rounds over all providers."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    return any(params.get(name) in {"s3", "gcs"} for name in ("provider", "place", "cloud"))


def _is_tried_once(item: pytest.Item) -> bool:
    return bool({*item.path.parts, *item.path.stem.split("_")} & _ONCE)


def settings_for(folder: Path, database_url: str, **more: Any) -> Settings:
    """Settings of a test installation; nothing comes from a `.env` lying about."""
    return Settings(
        _env_file=None,
        data_dir=folder,
        database_url=database_url,
        redis_url=REDIS_URL,
        secret_key="x" * 40,
        password_salt="y" * 20,
        file_signing_keys="k" * 40,
        file_encryption_keys="1:" + b64encode(b"e" * 32).decode(),
        totp_secrets="1:" + "t" * 32,
        testing=True,
        log_level="ERROR",
        public_url="http://localhost",
        **more,
    )


class FormClient(FlaskClient):
    """A browser that sends the form token a page would have given it (CSRF protection is on).

    `sends_token = False` makes it the forger's browser.
    """

    sends_token = True

    def open(self, *args: Any, **kwargs: Any) -> Any:
        # The test's application context outlives its requests; who the last one was must not.
        for kept in ("_login_user", "csrf_token", "sign_in_form"):
            g.pop(kept, None)
        if self.sends_token and kwargs.get("method", "GET") not in {"GET", "HEAD"}:
            with self.session_transaction() as session:
                known = session.setdefault("csrf_token", "0" * 40)
            signer = URLSafeTimedSerializer(self.application.secret_key, salt="wtf-csrf-token")
            kwargs["headers"] = {
                **dict(kwargs.get("headers") or {}),
                "X-CSRFToken": signer.dumps(known),
            }
        return super().open(*args, **kwargs)


@contextlib.contextmanager
def make_app(folder: Path, **settings: Any) -> Iterator[Flask]:
    """An application on a fresh database of its own."""
    with fresh_database(folder, POSTGRES_URL) as (owner_url, app_url):
        engine = sa.create_engine(owner_url)
        with engine.begin() as connection:
            Base.metadata.create_all(connection)
            row_security.secure(connection, Base.metadata)
        engine.dispose()
        app = create_app(settings_for(folder, app_url, **settings))
        app.config["OWNER_URL"] = owner_url
        app.test_client_class = FormClient
        yield app
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with make_app(tmp_path_factory.mktemp("school")) as app:
        yield app


@pytest.fixture(autouse=True)
def _clean(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins with empty tables, an empty cache and no open session."""
    if "app" not in request.fixturenames:
        yield
        return
    app: Flask = request.getfixturevalue("app")
    with app.app_context():
        cache.clear()
        app.extensions["school.follower"].rest()
        yield
        db.session.remove()
    _empty(app)


def _empty(app: Flask) -> None:
    engine = sa.create_engine(app.config["OWNER_URL"])
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            _empty_postgres(connection)
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            for table in reversed(Base.metadata.sorted_tables):
                connection.exec_driver_sql(f'DELETE FROM "{table.name}"')
    engine.dispose()


def _empty_postgres(connection: sa.Connection) -> None:
    """By DELETE: TRUNCATE makes the files of every table anew. Row-level security binds the owner
    too, so school by school."""
    asked = "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 0"
    filled = set(connection.exec_driver_sql(asked).scalars())
    tables = [t for t in reversed(Base.metadata.sorted_tables) if t.name in filled]
    of_schools = [t for t in tables if "school_id" in t.primary_key.columns]
    for school_id in connection.exec_driver_sql("SELECT id FROM school").scalars().all():
        connection.exec_driver_sql(f"SET LOCAL app.school_id = '{school_id}'")
        for table in of_schools:
            connection.exec_driver_sql(f'DELETE FROM "{table.name}"')
    for table in tables:
        if table not in of_schools:
            connection.exec_driver_sql(f'DELETE FROM "{table.name}"')


def make_school(name: str = "Northfield School") -> School:
    """A school with the genders F, M, X and a current academic year."""
    school_id = uuid.uuid4()
    with school_scope(school_id), transaction() as session:
        school = School(id=school_id, name=name, slug=name.lower().replace(" ", "-"))
        session.add(school)
        session.flush()
        for position, (code, label) in enumerate([("F", "Female"), ("M", "Male"), ("X", "Other")]):
            session.add(Gender(code=code, label=label, position=position))
        session.add(
            AcademicYear(
                name="2026–27",
                begins_on=date(2026, 9, 1),
                ends_on=date(2027, 7, 31),
                is_current=True,
            )
        )
    return school


def make_member(school: School | None, role: Role | None, **more: Any) -> User:
    """A user, with a role in a school if one is given."""
    tag = uuid.uuid4().hex[:8]
    with transaction() as session:
        user = User(
            **{
                "email": f"{role or 'person'}-{tag}@example.org",
                "active": True,
                "display_name": f"{str(role or 'person').title()} {tag}",
                "confirmed_at": clock.now(),
                **more,
            }
        )
        session.add(user)
        session.flush()
        if school is not None and role is not None:
            session.add(Membership(school_id=school.id, user_id=user.id, role=role))
    return user


@pytest.fixture
def school(app: Flask) -> School:
    return make_school()


@pytest.fixture
def other_school(app: Flask) -> School:
    return make_school("Millbrook Primary")


@pytest.fixture
def in_school(school: School) -> Iterator[School]:
    """The test works for `school`, as a service would."""
    with school_scope(school.id):
        yield school


@pytest.fixture
def client_for(app: Flask, school: School) -> Callable[..., FlaskClient]:
    """A browser signed in as somebody with this role; `client.user` is the account."""

    def make(
        role: Role | None, *, at: School | None = None, user: User | None = None
    ) -> FlaskClient:
        place = at or school
        person = user or make_member(place if role else None, role)
        client = app.test_client()
        client.user = person  # type: ignore[attr-defined]
        with client.session_transaction() as session:
            session["_user_id"] = person.fs_uniquifier
            session["_fresh"] = True
            session["signed_in_at"] = clock.now().timestamp()
            if role:
                session["school_id"] = str(place.id)
        return client

    return make


@pytest.fixture
def page(app: Flask) -> Callable[..., Page]:
    """GET a page as a client and check what every page must keep (tests/pages.py)."""

    def get(client: FlaskClient, path: str, *, status: int = 200, **query: Any) -> Page:
        return read_page(
            client.get(path, query_string=query, follow_redirects=False), status=status
        )

    return get


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, one for the whole run: Playwright starts once in a process."""
    program = os.environ.get("SCHOOLHOUSE_TEST_BROWSER") or shutil.which("chromium")
    if program is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


class Queries:
    """The statements a block sent, without transaction talk and settings."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    @property
    def count(self) -> int:
        return len(self.statements)


@pytest.fixture
def count_queries(app: Flask) -> Callable[[], contextlib.AbstractContextManager[Queries]]:
    @contextlib.contextmanager
    def counting() -> Iterator[Queries]:
        queries = Queries()

        def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith(("BEGIN", "SET LOCAL", "PRAGMA", "COMMIT", "ROLLBACK")):
                queries.statements.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield queries
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return counting


@pytest.fixture
def frozen_clock() -> Iterator[Callable[[datetime], None]]:
    """Set the clock: `frozen_clock(datetime(2026, 11, 20, 8, 20, tzinfo=UTC))`, as often as wanted."""
    with contextlib.ExitStack() as stack:
        yield lambda at: stack.enter_context(clock.set_to(at))


@pytest.fixture
def storage(app: Flask) -> Any:
    return app.extensions["school.storage"]


@pytest.fixture
def run_jobs(app: Flask) -> Callable[[], int]:
    """Do the waiting background jobs now; how many were tried."""
    return lambda: run_until_done(app)
