"""Somebody at the operators' page."""

from __future__ import annotations

from flask import Flask

from school import clock
from school.worker import run_until_done
from tests.conftest import FormClient

PAGE = "/platform/database"


class Operator:
    def __init__(self, app: Flask, who: str) -> None:
        app.test_client_class = FormClient
        self.app = app
        self.client = app.test_client()
        with app.app_context(), self.client.session_transaction() as session:
            session["_user_id"] = who
            session["_fresh"] = True
            session["signed_in_at"] = clock.now().timestamp()

    def look(self, url: str) -> None:
        self._post("look", {"address_with_password": url})

    def move(self) -> None:
        self._post("move", {})

    def page(self) -> str:
        with self.app.app_context():
            return self.client.get(PAGE).get_data(as_text=True)

    def _post(self, verb: str, data: dict[str, str]) -> None:
        with self.app.app_context():
            answer = self.client.post(f"{PAGE}/{verb}", data=data)
        assert answer.status_code == 303, answer.get_data(as_text=True)
        run_until_done(self.app)
