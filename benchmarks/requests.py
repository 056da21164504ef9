"""Requests of one person through the whole application, timed and counted."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from school import clock
from school.accounts.models import User
from school.db import db


def sign_in(app: Flask, user: User, school_id: UUID) -> FlaskClient:
    """A plain client that asks as this person of this school."""
    app.test_client_class = FlaskClient
    client = app.test_client()
    with client.session_transaction() as session:
        session.update(_user_id=user.fs_uniquifier, _fresh=True, school_id=str(school_id))
        session["signed_in_at"] = clock.now().timestamp()
    return client


def measure(
    client: FlaskClient, paths: list[str], rounds: int
) -> tuple[list[float], list[float], int, int]:
    """Milliseconds of each request by the clock and by the processor, most statements, largest
    page. (The processor's time tells the cost when other work shares the machine; with PostgreSQL
    it leaves out the server's part.)"""
    sent: list[str] = []
    with client.application.app_context():
        engine = db.engine

    def note(_c: Any, _cur: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    taken, spent, most, largest = [], [], 0, 0
    for turn in range(max(rounds, len(paths))):
        sent.clear()
        began, used = time.perf_counter(), time.process_time()
        response = client.get(paths[turn % len(paths)])
        taken.append((time.perf_counter() - began) * 1000)
        spent.append((time.process_time() - used) * 1000)
        assert response.status_code in {200, 404}, response.status
        most, largest = max(most, len(sent)), max(largest, len(response.data))
    event.remove(engine, "before_cursor_execute", note)
    return taken, spent, most, largest
