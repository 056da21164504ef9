"""What the session store may and may not do: keep half-done work out, run nothing, open nothing."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from flask import Blueprint, Flask, flash, session
from flask.testing import FlaskClient
from flask_babel import lazy_gettext
from markupsafe import Markup

from school.accounts.models import User
from school.db import db
from school.web.access import public
from tests.conftest import REDIS_URL, make_app


def _half_done() -> tuple[str, int]:
    session["touched"] = 1
    db.session.add(User(email="half@example.org", display_name="Half done"))
    return "no", 400


def _flushed_and_failed() -> str:
    session["touched"] = 2
    db.session.add(User(email="half@example.org", display_name="Half done"))
    db.session.flush()
    raise RuntimeError


def _say() -> str:
    flash(Markup("<b>bold</b>"), "done")
    flash(lazy_gettext("Sign in"), "done")
    session["pair"] = (1, 2)
    return "said"


def _hear() -> dict[str, object]:
    told = session.get("_flashes", [])
    return {
        "texts": [str(text) for _, text in told],
        "pair": isinstance(session.get("pair"), tuple),
    }


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with make_app(tmp_path_factory.mktemp("sessions")) as app:
        bp = Blueprint("probe", __name__)
        for name, view in (
            ("half", _half_done),
            ("failed", _flushed_and_failed),
            ("say", _say),
            ("hear", _hear),
        ):
            bp.add_url_rule(f"/probe/{name}", name, public(view))
        app.register_blueprint(bp)
        yield app


@pytest.mark.parametrize(("path", "status"), [("/probe/half", 400), ("/probe/failed", 500)])
def test_saving_the_session_saves_nothing_else(app: Flask, path: str, status: int) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert app.test_client().get(path).status_code == status
    db.session.remove()
    assert db.session.query(User).filter_by(email="half@example.org").count() == 0


def test_bold_and_translated_notes_and_pairs_survive_the_session(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/probe/say").status_code == 200
    assert client.get("/probe/hear").json == {"texts": ["<b>bold</b>", "Sign in"], "pair": True}


class Bomb:
    """What an attacker would plant: unpickling it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.target), "w"))


def _plant(app: Flask, client: FlaskClient, payload: bytes) -> None:
    store_id = "session:" + sha256(client.get_cookie("school").value.encode()).hexdigest()
    if REDIS_URL:
        app.config["SESSION_REDIS"].set(store_id, payload)
        return
    cache = app.session_interface.cache
    file = Path(cache._get_filename(store_id))
    assert file.exists(), "the session lies where the test looks"
    head = file.read_bytes()[:8]
    file.write_bytes(head + payload)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_planted_pickle_is_not_run(app: Flask, tmp_path: Path, protocol: int) -> None:
    client, target = app.test_client(), tmp_path / "ran"
    client.get("/probe/say")
    _plant(app, client, pickle.dumps({"_user_id": Bomb(target)}, protocol=protocol))
    client.get("/probe/hear")
    assert not target.exists()
    pickle.loads(pickle.dumps(Bomb(target), protocol=protocol)).close()
    assert target.exists(), "the payload would have worked"


def test_whoever_reads_the_store_cannot_sign_in_with_it(app: Flask) -> None:
    client = app.test_client()
    client.get("/probe/say")
    sid = client.get_cookie("school").value
    if REDIS_URL:
        keys = [key.decode() for key in app.config["SESSION_REDIS"].keys("*")]
    else:
        keys = [file.name for file in Path(app.config["SETTINGS"].data_dir, "sessions").iterdir()]
    assert keys
    assert not any(sid in key for key in keys)


def test_session_files_are_for_the_owner_only(app: Flask) -> None:
    if REDIS_URL:
        return
    app.test_client().get("/probe/say")
    folder = Path(app.config["SETTINGS"].data_dir, "sessions")
    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
