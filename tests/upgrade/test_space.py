"""Room and time, told before anything is written."""

from __future__ import annotations

import psycopg

from school.upgrade import space, upgrading
from school.upgrade.layout import Inferred
from tests.servers.postgres import PostgresServer


def test_a_disk_without_room_is_told_where_it_can_be_seen(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.admin_url) as connection:
        assert space.too_little_room(connection, 1 << 20) is None
        problem = space.too_little_room(connection, 1 << 60)
    assert problem is not None
    assert problem.code == "no_room"
    assert "MiB" in problem.message


def test_who_may_not_see_the_folder_is_not_stopped(url: str) -> None:
    with psycopg.connect(url) as connection:
        assert space.too_little_room(connection, 1 << 60) is None


def test_a_look_says_roughly_how_long_it_takes(make_source, options) -> None:
    report = upgrading.look(options(make_source("CREATE TABLE t (x)")), Inferred())
    assert report.as_json()["estimated_seconds"] >= 0
    assert report.verdict.endswith(" s.")
