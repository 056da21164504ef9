"""One installation with two places for files, in which a process dies at a given step."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from flask import Flask

from school import clock
from school.audit.actor import Actor, acting_as
from school.db import SchoolSession
from school.errors import DomainError
from school.files import queries
from school.files.models import File
from school.files.service import keeping
from school.files.service.reconciling import reconcile
from school.files.service.sealing import opened
from school.files.service.sweeping import BACKUPS_KEPT
from school.files.service.writing import LEASE
from school.jobs import queue
from school.permissions import Role
from school.storage.local import LocalStorage
from school.tenancy.scope import school_scope
from school.worker import run_until_done
from tests.conftest import make_member, make_school
from tests.factories.files import make_owner
from tests.files.samples import PDF

NEWER = PDF + b"% newer\n%%EOF\n"
# Three pieces on their way to the disk.
LONG = b"0123456789abcde;Northfield School;7B\n" * 70_000


@dataclass(frozen=True)
class Point:
    """Where a process dies: at the `turn`th call of `place` in the second half of `path`.

    `place`: "local.put", "cloud.delete" (a provider's), "commit" (a transaction's), or
    "files.service.keeping:settle" as the module below `school` that calls it knows it.
    """

    name: str
    path: Callable[[House], Iterator[None]]
    place: str
    after: bool = False
    turn: int = 1


class House:
    """What paths are told with."""

    def __init__(self, app: Flask, folder: Path) -> None:
        self.app = app
        self.folder = folder
        provider = app.extensions["school.storage"]
        self.both = provider
        self.local, self.cloud = provider.members
        self.owner: Any = None

    # -- what was there --------------------------------------------------------------------------

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """A school with one student, in scope, and a teacher who does everything."""
        with self.app.app_context():
            school = make_school()
            teacher = make_member(school, Role.TEACHER)
            actor = Actor(name=teacher.display_name, user_id=teacher.id)
            with school_scope(school.id), acting_as(actor):
                self.owner = make_owner()
                yield

    def file(
        self, data: bytes = PDF, *, filename: str = "a.pdf", purpose: str = "document"
    ) -> File:
        """A file that somebody was told is kept, so that it may never be lost."""
        return self.promise(self.upload(data, filename=filename, purpose=purpose))

    def promise(self, file: File, *, only: int | None = None) -> File:
        """Every version, or `only` this one."""
        told = self.promises()
        told[str(file.id)] = {
            str(version.number): version.sha256
            for version in queries.list_versions(file)
            if only in {None, version.number}
        }
        (self.folder / "promised.json").write_text(json.dumps(told))
        return file

    def promises(self) -> dict[str, dict[str, str]]:
        """{file: {version: sha256}}."""
        path = self.folder / "promised.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def known_stray(self, key: str) -> str:
        """This object alone may end in the lost and found."""
        (self.folder / "stray.txt").write_text(key)
        return key

    def strays(self) -> set[str]:
        path = self.folder / "stray.txt"
        return {path.read_text()} if path.exists() else set()

    def key(self, file: File) -> str:
        return queries.get_content(file).key

    @contextmanager
    def without_cloud(self) -> Iterator[None]:
        """As if the second place had been named only later."""
        self.app.extensions["school.storage"] = self.local
        try:
            yield
        finally:
            self.app.extensions["school.storage"] = self.both

    def days_go_by(self, days: int = 3) -> None:
        """For what lies on the disks."""
        then = time.time() - days * 86400
        for root in (self.local._root, self.cloud._root):
            for path in root.rglob("*"):
                if path.is_file():
                    os.utime(path, (then, then))

    # -- what is killed --------------------------------------------------------------------------

    def upload(
        self, data: bytes = PDF, *, filename: str = "b.pdf", purpose: str = "document"
    ) -> File:
        return keeping.store_upload(
            io.BytesIO(data),
            owner_kind="student",
            owner_id=self.owner.id,
            filename=filename,
            purpose=purpose,
        )

    def replace(self, file: File, *, expected_version: int | None = None) -> None:
        keeping.add_version(
            file, io.BytesIO(NEWER), filename="a.pdf", expected_version=expected_version
        )

    def arm(self, point: Point) -> None:
        """From here on the process dies at the point."""
        owner, name = self._where(point.place)
        real, calls = getattr(owner, name), [0]

        def armed(*args: Any, **more: Any) -> Any:
            calls[0] += 1
            if calls[0] == point.turn and not point.after:
                die()
            answer = real(*args, **more)
            if calls[0] == point.turn:
                die()
            return answer

        setattr(owner, name, armed)

    def _where(self, place: str) -> tuple[Any, str]:
        if place == "commit":
            return SchoolSession, "commit"
        module, colon, names = place.partition(":")
        if not colon:
            provider, _, name = place.partition(".")
            return getattr(self, provider), name
        owner: Any = import_module(f"school.{module}")
        *path, name = names.split(".")
        for step in path:
            owner = getattr(owner, step)
        return owner, name

    # -- afterwards ------------------------------------------------------------------------------

    def restart(self) -> None:
        """A worker starts and keeps house for some days: the waiting jobs, and the reconciler.
        Nobody else does anything."""
        self.days_go_by()
        began = clock.now()
        with self.app.app_context():
            queue.reap(stale_s=0)
        for passed in (LEASE, BACKUPS_KEPT):
            with clock.set_to(began + passed + timedelta(hours=1)):
                run_until_done(self.app)
                with self.app.app_context():
                    reconcile()

    def empty(self) -> None:
        """Nothing lies anywhere, and nothing was promised. (The rows go otherwise.)"""
        for told in ("promised.json", "stray.txt"):
            (self.folder / told).unlink(missing_ok=True)
        for provider in (self.local, self.cloud):
            shutil.rmtree(provider._root)
            LocalStorage(provider._root, signing_keys=["k" * 40])


def die() -> NoReturn:
    """`kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def digest_of(content: queries.Content) -> str:
    """Of the bytes as a reader gets them."""
    digest = sha256()
    with opened(content) as blocks:
        for block in blocks:
            digest.update(block)
    return digest.hexdigest()


def refused(act: Callable[[], object]) -> None:
    """A rule says no."""
    try:
        act()
    except DomainError:
        return
    raise AssertionError("It was not refused.")
