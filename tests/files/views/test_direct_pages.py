"""Pages that send straight to the cloud: only where it is one, and it is wanted; and what the bucket
has to allow for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from school.errors import Conflict, Unavailable
from school.files.cli import files
from school.files.service.uploading import direct
from school.files.service.uploading.allowing import cors_rules
from school.permissions import Role
from school.storage.gcs import GcsStorage
from school.storage.hybrid import HybridStorage
from school.storage.protocol import MOST_PUT_BYTES
from school.storage.s3 import S3Storage
from school.students.models import Student
from school.tenancy.scope import school_scope
from school.web.headers import POLICY
from tests.factories.files import make_file
from tests.files.samples import PDF
from tests.files.views.test_direct_uploads import announce, finish
from tests.files.views.test_tus import files_of

CLOUD = "https://store.example"


def bucket(**more: Any) -> S3Storage:
    """Nobody asks it for anything: links are signed here."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}  # pragma: allowlist secret
    return S3Storage("files", **{"endpoint_url": f"{CLOUD}/path", "credentials": keys, **more})


@pytest.fixture
def wanted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    told = app.config["SETTINGS"].model_copy(update={"upload_direct": True})
    monkeypatch.setitem(app.config, "SETTINGS", told)


def policy_of(client: FlaskClient, path: str) -> tuple[bool, str]:
    """Whether the page asks for links, and what it may connect to."""
    shown = client.get(path)
    assert shown.status_code == 200
    parts = shown.headers["Content-Security-Policy"].split("; ")
    (connect,) = [part for part in parts if part.startswith("connect-src")]
    assert "; ".join(parts).replace(connect, "connect-src 'self'").startswith(POLICY)
    return 'data-direct="/files/uploads/direct"' in shown.text, connect


def test_the_page_names_the_cloud_and_only_the_page_that_sends(
    client_for: Any,
    school: Any,
    pupil: Student,
    put_on_shelf: Callable[[Any], None],
    wanted: None,
) -> None:
    with school_scope(school.id):
        file = make_file(pupil)
        note = make_file(pupil, purpose="medical", filename="Note.pdf")
    put_on_shelf(bucket())
    client = client_for(Role.ADMINISTRATOR)

    open_to_cloud = (True, f"connect-src 'self' {CLOUD}")
    assert policy_of(client, f"/students/{pupil.id}/files") == open_to_cloud
    assert policy_of(client, "/files/mine") == open_to_cloud
    assert policy_of(client, f"/files/{file.id}") == open_to_cloud
    closed = (False, "connect-src 'self'")
    assert policy_of(client, f"/files/{note.id}") == closed  # sealed: we read it first
    assert policy_of(client, f"/students/{pupil.id}") == closed
    assert policy_of(client, "/imports") == closed


def test_without_the_setting_or_a_cloud_nothing_leaves_for_elsewhere(
    app: Flask,
    client_for: Any,
    pupil: Student,
    storage: Any,
    put_on_shelf: Callable[[Any], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, page = client_for(Role.TEACHER), f"/students/{pupil.id}/files"
    closed, opened = (False, "connect-src 'self'"), (True, f"connect-src 'self' {CLOUD}")
    put_on_shelf(bucket())
    assert policy_of(client, page) == closed
    told = app.config["SETTINGS"].model_copy(update={"upload_direct": True})
    monkeypatch.setitem(app.config, "SETTINGS", told)
    for provider, expected in (
        (storage, closed),
        (HybridStorage(storage, bucket()), closed),
        (HybridStorage(bucket(), storage), opened),
        (bucket(credentials={}), closed),  # cannot sign
    ):
        if expected is closed and isinstance(provider, S3Storage):
            monkeypatch.setattr(provider, "_sign", _refuse)
        put_on_shelf(provider)
        assert policy_of(client, page) == expected


def _refuse(*_args: Any, **_more: Any) -> str:
    raise direct.errors.Denied("no credentials")


def test_amazons_own_host_is_named_with_the_bucket() -> None:
    place = bucket(endpoint_url=None, region="eu-west-1")
    key = "part/direct/ab/cd/abcd"
    signed = place.presign_put(
        key, expires=direct.LIFETIME, size=1, content_type="text/plain", sha256="0" * 64
    )
    assert place.upload_origin() == "https://files.s3.amazonaws.com"
    assert signed.url.startswith(f"{place.upload_origin()}/{key}?")


def test_without_a_type_it_is_that_of_the_name(
    client_for: Any, school: Any, pupil: Student
) -> None:
    client = client_for(Role.TEACHER)
    told = announce(client, pupil, type="").json
    assert told["send"]["headers"]["Content-Type"] == "application/pdf"
    assert client.put(told["send"]["url"], data=PDF, headers=told["send"]["headers"])
    assert finish(client, told).json["state"] == "kept"
    assert [row.name for row in files_of(school, pupil)] == ["Report.pdf"]
    assert announce(client, pupil, type="", filename="page.html").status_code == 422


def test_no_link_takes_more_than_clouds_take(client_for: Any, pupil: Student) -> None:
    answer = announce(client_for(Role.TEACHER), pupil, size=str(MOST_PUT_BYTES + 1))
    assert (answer.status_code, "in pieces" in answer.json["detail"]) == (413, True)


def test_the_rules_name_what_a_page_sends(
    app: Flask, put_on_shelf: Callable[[Any], None], gcs_key: Any
) -> None:
    put_on_shelf(bucket())
    (rule,) = json.loads(cors_rules("https://school.example:8443/x"))["CORSRules"]
    assert rule["AllowedOrigins"] == ["https://school.example:8443"]
    assert rule["AllowedMethods"] == ["PUT"]
    assert rule["AllowedHeaders"] == ["content-type", "if-none-match", "x-amz-checksum-sha256"]
    xml = ET.fromstring(cors_rules("https://school.example", as_xml=True))
    told = [(one.tag, one.text) for one in xml.iter() if one.tag.startswith("Allowed")]
    assert told[0] == ("AllowedOrigin", "https://school.example")
    assert [text for tag, text in told if tag == "AllowedHeader"] == rule["AllowedHeaders"]

    told = CliRunner().invoke(files, ["cors"], catch_exceptions=False)
    assert json.loads(told.output)["CORSRules"][0]["AllowedOrigins"] == ["http://localhost"]

    put_on_shelf(GcsStorage("files", endpoint_url=CLOUD, credentials=gcs_key[0]))
    (rule,) = json.loads(cors_rules("https://school.example"))
    assert (rule["origin"], rule["method"]) == (["https://school.example"], ["PUT"])
    assert "x-goog-if-generation-match" in rule["responseHeader"]
    assert "content-type" in rule["responseHeader"]
    with pytest.raises(Conflict, match="JSON"):
        cors_rules("https://school.example", as_xml=True)


def test_there_are_no_rules_for_a_folder_or_without_a_key(
    app: Flask, put_on_shelf: Callable[[Any], None]
) -> None:
    with pytest.raises(Conflict, match="no bucket"):
        CliRunner().invoke(files, ["cors"], catch_exceptions=False)
    place = bucket()
    place._sign = _refuse  # type: ignore[method-assign]
    put_on_shelf(place)
    with pytest.raises(Unavailable):
        cors_rules("https://school.example")
