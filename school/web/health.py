"""`/healthz`: this process answers. `/readyz`: everything it needs answers too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, Flask, Response, current_app, jsonify
from sqlalchemy.exc import DBAPIError

from school.cache import cache
from school.db import db
from school.upgrade.standing import why_not_served
from school.web.access import public
from school.web.storage import storage_in_use

bp = Blueprint("health", __name__)


def init_health(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.get("/healthz")
@public
def healthz() -> Response:
    return jsonify({"status": "ok"})


@bp.get("/readyz")
@public
def readyz() -> tuple[Response, int]:
    """503 with the part that is down, for load balancers; no detail an outsider could use."""
    parts = {name: _check(check) for name, check in CHECKS.items()}
    ready = all(part["ok"] for part in parts.values())
    return jsonify({"status": "ok" if ready else "down", "parts": parts}), 200 if ready else 503


def _check(check: Callable[[], bool]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        ok = check()
    except Exception:
        # Whatever a broken part raises, the answer is the same: not ready.
        current_app.logger.warning("health.part_down", exc_info=True)
        ok = False
    return {"ok": ok, "ms": round((time.monotonic() - began) * 1000, 1)}


def _database_answers() -> bool:
    with db.engine.connect() as connection:
        return connection.execute(sa.text("SELECT 1")).scalar() == 1


def _cache_answers() -> bool:
    cache.set("health", "ok", timeout=10)
    return bool(cache.get("health") == "ok")


def _storage_answers() -> bool:
    try:
        provider = storage_in_use()
    except DBAPIError:
        # That the database is away is told by its own check.
        provider = current_app.extensions["school.storage"]
    return bool(provider.healthcheck(timeout_s=2.0).ok)


def _migrations_at_head() -> bool:
    script = ScriptDirectory(current_app.extensions["migrate"].directory)
    with db.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == set(
            script.get_heads()
        )


def _may_be_served() -> bool:
    with db.engine.connect() as connection:
        fault = why_not_served(connection)
    if fault:
        current_app.logger.error("health.not_served: %s", fault)
    return fault is None


CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database_answers,
    "cache": _cache_answers,
    "storage": _storage_answers,
    "migrations": _migrations_at_head,
    "upgrade": _may_be_served,
}
