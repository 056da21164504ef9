"""An installation whose files move: from a folder to S3, from S3 to GCS, from folder to folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextvars import Context
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from school import clock
from school.accounts.service.profile import set_avatar
from school.db import db, transaction
from school.files import queries
from school.files.models import BlobLocation, StorageMove, StorageTask
from school.files.service import keeping
from school.files.service.moving import following, running
from school.files.service.moving.beginning import begin
from school.files.service.moving.books import Books, take_move
from school.files.service.moving.following import Follower
from school.files.service.sealing import opened
from school.storage.gcs import GcsStorage
from school.storage.local import LocalStorage
from school.storage.protocol import StorageProvider
from school.storage.s3 import S3Storage
from school.tenancy.scope import school_scope
from school.web.storage import storage_in_use
from tests.conftest import make_member
from tests.factories.files import make_file, make_owner
from tests.files.samples import PDF, picture
from tests.servers import gcs as gcs_place
from tests.servers import s3 as s3_place


class Installation:
    """A school at work on a storage that moves."""

    def __init__(self, app: Flask, school_id: UUID, source: str, target: str) -> None:
        self.app = app
        self.school_id = school_id
        self.source_url, self.target_url = source, target
        self.promised: dict[UUID, str] = {}
        self.worked: set[tuple[str, str]] = set()
        self.number = 0

    # -- what people do --------------------------------------------------------------------------

    def apart(self, act: Callable[[], Any]) -> Any:
        """As a request of its own would, whatever is going on here."""

        def work() -> Any:
            with self.app.app_context():
                return act()

        return Context().run(work)

    def at_work(self, act: Callable[[], Any]) -> Any:
        """And in the school."""

        def work() -> Any:
            with school_scope(self.school_id):
                return act()

        return self.apart(work)

    def upload(self, *, purpose: str = "document") -> UUID:
        self.number += 1
        data = PDF + f"% {self.number}\n%%EOF\n".encode()

        def store() -> UUID:
            owner = make_owner()
            file = make_file(owner, data, filename=f"{self.number}.pdf", purpose=purpose)
            return file.id

        file_id: UUID = self.at_work(store)
        self.promised[file_id] = sha256(data).hexdigest()
        return file_id

    def refuse(self) -> None:
        """An upload whose bytes lie there already when it is refused: they are deleted."""

        def act() -> None:
            file = queries.get_file(next(iter(self.promised)))
            with pytest.raises(Exception, match="changed by somebody"):
                keeping.add_version(
                    file, io.BytesIO(PDF + b"% no\n"), filename="a.pdf", expected_version=99
                )

        self.at_work(act)

    def check_downloads(self) -> None:
        """Every file that somebody was told is kept is read as it was sent."""
        found = self.at_work(lambda: {one: self._digest(one) for one in self.promised})
        assert found == self.promised

    def _digest(self, file_id: UUID) -> str:
        digest = sha256()
        with opened(queries.get_content(queries.get_file(file_id))) as blocks:
            for block in blocks:
                digest.update(block)
        return digest.hexdigest()

    def work_once(self, books: Books) -> None:
        """Told of progress: a little of everything in each stage of each step."""
        moment = (books.move.step, books.stage)
        if moment not in self.worked:
            self.worked.add(moment)
            self.work()

    def work(self) -> None:
        """A little of everything."""
        self.upload()
        self.refuse()
        self.check_downloads()

    def set_avatar(self) -> str:
        def act() -> str:
            with transaction():
                person = make_member(None, None)
                set_avatar(person, io.BytesIO(picture()), storage=storage_in_use())
            return str(person.avatar_key)

        return self.apart(act)

    # -- the move --------------------------------------------------------------------------------

    def begin(self, **more: Any) -> None:
        begin(self.target_url, **more)

    def step(self) -> str:
        move = take_move()
        assert move is not None
        return move.step

    def counts(self) -> dict[str, Any]:
        move = take_move()
        assert move is not None
        return move.counts

    def place(self, url: str) -> Any:
        follower: Follower = self.app.extensions["school.follower"]
        own = self.app.extensions["school.storage"]
        move = follower.move()
        name = "x" if move is None else move.name_of(url) or "x"
        return follower.place(own, url, name)

    @property
    def source(self) -> Any:
        return self.place(self.source_url)

    @property
    def target(self) -> Any:
        return self.place(self.target_url)

    def restart_with(self, url: str) -> Follower:
        """STORAGE_URL was changed, and the program started again."""
        old: Follower = self.app.extensions["school.follower"]
        self.app.extensions["school.follower"] = Follower(url, old.open_place)
        self.app.extensions["school.storage"] = old.open_place(url)
        return self.app.extensions["school.follower"]

    def rows(self) -> dict[tuple[str, str], int]:
        """{(place, state): number}."""
        query = sa.select(BlobLocation.provider, BlobLocation.state, sa.func.count())
        query = query.group_by(BlobLocation.provider, BlobLocation.state)
        return self.at_work(lambda: {(row[0], row[1]): row[2] for row in db.session.execute(query)})

    def tasks(self) -> int:
        query = sa.select(sa.func.count()).select_from(StorageTask)
        return self.at_work(lambda: db.session.scalar(query))

    def keys(self) -> set[str]:
        return self.at_work(lambda: set(db.session.scalars(sa.select(BlobLocation.key))))


def held(provider: StorageProvider) -> set[str]:
    return {info.key for info in provider.list("")}


def a_week_goes_by() -> None:
    """For the row: reading was switched eight days ago."""
    with transaction() as session:
        session.execute(sa.update(StorageMove).values(switched_at=clock.now() - timedelta(days=8)))
    db.session.remove()


def open_place(request: pytest.FixtureRequest, url: str) -> StorageProvider:
    scheme, _, rest = url.partition("://")
    if scheme == "file":
        return LocalStorage(Path(rest), signing_keys=["k" * 40], public_base_url="http://c")
    bucket, _, prefix = rest.partition("/")
    if scheme == "s3":
        server = request.getfixturevalue("s3_server")
        return S3Storage(bucket, prefix, endpoint_url=server, credentials=s3_place.CREDENTIALS)
    credentials, _ = request.getfixturevalue("gcs_key")
    server = request.getfixturevalue("gcs_server")
    return GcsStorage(bucket, prefix, endpoint_url=server, credentials=credentials)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question looks, and nobody has to be waited for."""
    monkeypatch.setattr(following, "MEMORY_S", 0.0)
    monkeypatch.setattr(following, "BARRIER_S", 0.0)


PAIRS = ["file-s3", "s3-gs", "file-file"]


@pytest.fixture(params=["file-file"])
def house(
    request: pytest.FixtureRequest, app: Flask, school: Any, tmp_path: Path, at_once: None
) -> Iterator[Installation]:
    own = app.extensions["school.storage"], app.extensions["school.follower"]
    urls = []
    for kind in request.param.split("-"):
        name = uuid4().hex
        urls.append(
            {
                "file": (tmp_path / name).as_uri(),
                "s3": f"s3://{s3_place.BUCKET}/{name}",
                "gs": f"gs://{gcs_place.BUCKET}/{name}",
            }[kind]
        )
    for url in urls:
        if url.startswith("file"):
            Path(url.removeprefix("file://")).mkdir()
    app.extensions["school.storage"] = open_place(request, urls[0])
    app.extensions["school.follower"] = Follower(urls[0], lambda url: open_place(request, url))
    yield Installation(app, school.id, *urls)
    app.extensions["school.storage"], app.extensions["school.follower"] = own


def go_on(house: Installation, **more: Any) -> str:
    return running.go_on(say=more.pop("say", lambda _books: None), **more).step
