"""Every provider in turn as the school's shelf, and providers that die or hang."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from school import clock
from school.audit.models import AuditEvent
from school.db import db
from school.storage.gcs import GcsStorage
from school.storage.protocol import StorageProvider
from school.storage.s3 import S3Storage
from school.students.models import Student
from school.tenancy.scope import school_scope
from school.worker import run_until_done
from tests.factories.files import make_owner
from tests.servers import gcs as gcs_place
from tests.servers import s3 as s3_place
from tests.servers.gcs import gcs_key, gcs_server  # noqa: F401
from tests.servers.s3 import s3_server  # noqa: F401


@pytest.fixture
def put_on_shelf(app: Flask) -> Iterator[Callable[[Any], None]]:
    """Let the application use another provider for the length of a test."""
    own = app.extensions["school.storage"]

    def put(provider: Any) -> None:
        app.extensions["school.storage"] = provider

    yield put
    app.extensions["school.storage"] = own


@pytest.fixture(params=["local", "s3", "gcs"])
def provider(
    request: pytest.FixtureRequest, app: Flask, put_on_shelf: Callable[[Any], None]
) -> StorageProvider:
    """The application's own provider, an S3-speaking server, and the GCS emulator."""
    if request.param == "local":
        return app.extensions["school.storage"]
    prefix = uuid4().hex
    if request.param == "s3":
        cloud: StorageProvider = S3Storage(
            s3_place.BUCKET,
            prefix,
            endpoint_url=request.getfixturevalue("s3_server"),
            credentials=s3_place.CREDENTIALS,
        )
    else:
        credentials, _ = request.getfixturevalue("gcs_key")
        cloud = GcsStorage(
            gcs_place.BUCKET,
            prefix,
            endpoint_url=request.getfixturevalue("gcs_server"),
            credentials=credentials,
        )
    put_on_shelf(cloud)
    return cloud


@pytest.fixture
def student(in_school: Any) -> Student:
    return make_owner()


@pytest.fixture
def pupil(school: Any) -> Student:
    """Where no school is in scope yet, because a browser is to open it."""
    with school_scope(school.id):
        return make_owner()


@pytest.fixture
def run_jobs(app: Flask) -> Callable[[], int]:
    """Do the waiting jobs as the worker would: with no school in scope, in a session of its own."""
    return lambda: Context().run(run_until_done, app)


class Killed(BaseException):
    """The process is gone: nothing that catches errors sees it."""


class Faulty:
    """A provider in front of a real one, with a fault of its own at `put` or `delete`."""

    def __init__(self, real: StorageProvider) -> None:
        self.real = real
        self.before_put: list[BaseException | None] = []
        self.after_put: list[BaseException | None] = []
        self.before_delete: list[BaseException | None] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def put(self, key: str, stream: Any, **more: Any) -> Any:
        _raise_next(self.before_put)
        info = self.real.put(key, stream, **more)
        _raise_next(self.after_put)
        return info

    def delete(self, key: str) -> bool:
        _raise_next(self.before_delete)
        return self.real.delete(key)


def _raise_next(faults: list[BaseException | None]) -> None:
    fault = faults.pop(0) if faults else None
    if fault is not None:
        raise fault


@pytest.fixture
def faulty(provider: StorageProvider, put_on_shelf: Callable[[Any], None]) -> Faulty:
    fault = Faulty(provider)
    put_on_shelf(fault)
    return fault


def later(monkeypatch: pytest.MonkeyPatch, distance: timedelta) -> None:
    """It is so much later, and the clock stands."""
    now = clock.now() + distance
    monkeypatch.setattr(clock, "now", lambda: now)


def actions() -> list[str]:
    """What the history of the school in scope tells, the oldest first."""
    return list(db.session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)))


def content_of(provider: StorageProvider, key: str) -> bytes:
    with provider.open(key) as blocks:
        return b"".join(blocks)


@contextmanager
def killed() -> Iterator[None]:
    with pytest.raises(Killed):
        yield
