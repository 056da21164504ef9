"""Sensitive files lie encrypted, whoever keeps them, and come out as they went in."""

from __future__ import annotations

import dataclasses
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from school.db import db
from school.files import queries
from school.files.cli import files as commands
from school.files.models import Blob, File
from school.files.service import shelf as shelves
from school.files.service.sealing import opened, rewrap
from school.files.service.sweeping import sweep
from school.permissions import Role
from school.storage.container import KeyRing
from school.storage.errors import Denied, IntegrityError
from school.storage.hybrid import HybridStorage
from school.storage.local import LocalStorage
from school.storage.protocol import StorageProvider
from school.tenancy.scope import school_scope
from tests.factories.files import make_file
from tests.files.conftest import content_of
from tests.files.samples import PDF

SECRET = PDF[:-6] + b"allergy: peanuts\n" * 9_000 + b"\n%%EOF\n"
OLD, NEW = (
    f"{name}:{b64encode(letter * 32).decode()}" for name, letter in (("1", b"e"), ("2", b"n"))
)


def keep(student: Any, data: bytes = SECRET) -> File:
    return make_file(student, data, purpose="medical")


def read(file: File, start: int = 0, length: int | None = None) -> bytes:
    with opened(queries.get_content(file), start=start, length=length) as blocks:
        return b"".join(blocks)


def blob_of(file: File) -> Blob:
    content = queries.get_content(file)
    return db.session.scalars(
        sa.select(Blob).where(Blob.id == content.blob_id).execution_options(populate_existing=True)
    ).one()


@pytest.fixture
def use_keys(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Configure other encryption keys."""
    find = shelves._find[0]

    def use(text: str) -> None:
        keys = KeyRing(text)
        monkeypatch.setattr(shelves, "_find", [lambda: dataclasses.replace(find(), keys=keys)])

    return use


def test_what_lies_with_any_provider_cannot_be_read_there(
    provider: StorageProvider, student: Any
) -> None:
    file = keep(student)
    content = queries.get_content(file)
    at_rest = content_of(provider, content.key)
    assert b"allergy" not in at_rest
    assert b"%PDF" not in at_rest
    blob = blob_of(file)
    assert (blob.stored_bytes, blob.size_bytes) == (len(at_rest), len(SECRET))
    assert read(file) == SECRET
    assert read(file, 70_000, 1_000) == SECRET[70_000:71_000]
    assert read(file, len(SECRET) - 5) == SECRET[-5:]


def test_what_is_not_sensitive_lies_as_it_came(student: Any) -> None:
    blob = blob_of(make_file(student, SECRET))
    assert (blob.envelope, blob.stored_bytes, blob.stored_sha256) == (None, None, None)


def test_a_copy_is_the_same_sealed_bytes(
    app: Flask, student: Any, put_on_shelf: Callable[[Any], None], tmp_path: Path
) -> None:
    first = app.extensions["school.storage"]
    second = LocalStorage(
        tmp_path / "second", signing_keys=["k" * 40], public_base_url="http://c", name="second"
    )
    put_on_shelf(HybridStorage(first, second))
    file = keep(student)
    assert sweep().copied == 1
    key = queries.get_content(file).key
    assert content_of(second, key) == content_of(first, key)
    assert first.delete(key)
    assert read(file) == SECRET


@pytest.mark.parametrize("where", [0, 40, 200, 70_000, -1])
def test_a_changed_byte_is_refused(app: Flask, student: Any, where: int) -> None:
    file = keep(student)
    path = app.extensions["school.storage"].local_path(queries.get_content(file).key)
    damaged = bytearray(path.read_bytes())
    damaged[where] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(IntegrityError):
        read(file)


def test_two_objects_cannot_change_places(app: Flask, student: Any) -> None:
    provider = app.extensions["school.storage"]
    one, two = (provider.local_path(queries.get_content(keep(student)).key) for _time in (1, 2))
    other = two.read_bytes()
    two.write_bytes(one.read_bytes())
    one.write_bytes(other)
    file = db.session.scalars(sa.select(File).limit(1)).one()
    with pytest.raises(IntegrityError):
        read(file)


def test_a_new_key_rewrites_rows_and_no_object(
    app: Flask, student: Any, use_keys: Callable[[str], None]
) -> None:
    file = keep(student)
    key = queries.get_content(file).key
    before = content_of(app.extensions["school.storage"], key)
    use_keys(f"{NEW},{OLD}")
    assert read(file) == SECRET
    assert rewrap() == 1
    assert rewrap() == 0
    use_keys(NEW)
    assert read(file) == SECRET
    assert content_of(app.extensions["school.storage"], key) == before


def test_without_its_key_nothing_comes_out(student: Any, use_keys: Callable[[str], None]) -> None:
    file = keep(student)
    use_keys(NEW)
    with pytest.raises(Denied, match="encryption key 1"):
        read(file)


def test_the_command_says_how_many(
    app: Flask, student: Any, use_keys: Callable[[str], None]
) -> None:
    keep(student)
    use_keys(f"{NEW},{OLD}")
    done = app.test_cli_runner().invoke(commands, ["rewrap"])
    assert done.output == "1 keys of files wrapped anew.\n"


def test_people_get_what_was_sent_whole_and_in_parts(
    client_for: Any, school: Any, pupil: Any
) -> None:
    with school_scope(school.id):
        file = keep(pupil)
    client = client_for(Role.REGISTRAR)
    link = client.get(f"/files/{file.id}/download").location
    assert client.get(link).data == SECRET
    part = client.get(link, headers={"Range": "bytes=65530-65545"})
    assert (part.status_code, part.data) == (206, SECRET[65530:65546])


def test_a_damaged_file_is_said_to_be_so(
    app: Flask, client_for: Any, school: Any, pupil: Any, page: Any
) -> None:
    with school_scope(school.id):
        file = keep(pupil)
        path = app.extensions["school.storage"].local_path(queries.get_content(file).key)
    path.write_bytes(b"XX" + path.read_bytes()[2:])
    client = client_for(Role.REGISTRAR)
    link = client.get(f"/files/{file.id}/download").location
    assert "This file is damaged" in page(client, link, status=503).text


def test_the_web_server_is_never_sent_to_what_it_cannot_read(
    app: Flask, client_for: Any, school: Any, pupil: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = app.config["SETTINGS"].model_copy(update={"accel_redirect": True})
    monkeypatch.setitem(app.config, "SETTINGS", settings)
    with school_scope(school.id):
        file = keep(pupil)
    client = client_for(Role.REGISTRAR)
    answer = client.get(client.get(f"/files/{file.id}/download").location)
    assert "X-Accel-Redirect" not in answer.headers
    assert answer.data == SECRET
