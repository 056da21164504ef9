"""Run by test_memory.py in a process of its own: 64 MiB in and out; prints what memory it took."""

from __future__ import annotations

import io
import json
import resource
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from school import clock
from school.app import create_app
from school.db import Base, db
from school.files.queries import get_file
from school.files.service import keeping, links
from school.permissions import Person, Role
from school.tenancy.scope import school_scope
from tests.conftest import make_member, make_school, settings_for
from tests.factories.files import make_file, make_owner

MIB = 1024 * 1024
LINE = b"0123456789abcde;Northfield School;7B;2026-11-20\n"


class Lines(io.RawIOBase):
    """`size` bytes of plain text that exist only while they are read."""

    def __init__(self, size: int) -> None:
        self.left, self.digest = size, sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), self.left)
        data = (LINE * (count // len(LINE) + 1))[:count]
        buffer[:count] = data
        self.left -= count
        self.digest.update(data)
        return count


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(settings_for(Path(folder), f"sqlite:///{folder}/test.db"))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            school = make_school()
            user = make_member(school, Role.TEACHER)
        with app.app_context(), school_scope(school.id):
            student = make_owner()
            make_file(student)  # whatever is loaded on first use is loaded now
            before = peak_kib()
            source = Lines(size)
            file = keeping.store_upload(
                source, owner_kind="student", owner_id=student.id, filename="all.csv"
            )
            stored = peak_kib()
            person = Person(
                user.id, "T", user.email, school_id=school.id, roles=frozenset({Role.TEACHER})
            )
            place = links.issue_link(person, get_file(file.id))
            db.session.commit()
        got, received = sha256(), 0
        client = app.test_client()
        with client.session_transaction() as session:
            session.update(
                _user_id=user.fs_uniquifier, _fresh=True, school_id=str(school.id),
                signed_in_at=clock.now().timestamp(),
            )  # fmt: skip
        answer = client.get(place, buffered=False)
        for block in answer.iter_encoded():
            got.update(block)
            received += len(block)
        same = received == size and got.digest() == source.digest.digest()
        print(
            json.dumps(
                {
                    "same": same,
                    "in_mib": (stored - before) / 1024,
                    "out_mib": (peak_kib() - stored) / 1024,
                }
            )
        )
        with app.app_context():
            db.engine.dispose()


if __name__ == "__main__":
    main(int(sys.argv[1]) * MIB)
