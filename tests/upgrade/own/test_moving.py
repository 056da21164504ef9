"""Schoolhouse's own database in PostgreSQL: as the migrations make it, with every row."""

from __future__ import annotations

import difflib
import re
import signal
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from flask_migrate import upgrade as migrate

from school import clock
from school.db import Base
from school.to_postgresql import ours
from school.upgrade import own, rejects, upgrading
from school.upgrade.errors import UpgradeStopped
from school.upgrade.layout import Inferred
from school.upgrade.target import Target
from tests.architecture.test_access_matrix import address, is_our_page, methods, rules
from tests.upgrade.own.conftest import OldSchool, close, move, open_app

ROOT = Path(__file__).parents[3]
CATALOGUE = {
    "columns": "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
    " a.attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a"
    " JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND"
    " d.adnum = a.attnum WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
    " AND a.attnum > 0 ORDER BY 1, a.attnum",
    "constraints": "SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid),"
    " convalidated, condeferrable, condeferred FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
    "indexes": "SELECT tablename, indexname, indexdef, indisvalid, indisprimary FROM pg_indexes"
    " JOIN pg_index ON indexrelid = format('public.%I', indexname)::regclass"
    " WHERE schemaname = 'public' ORDER BY 1, 2",
    "walls": "SELECT relname, relrowsecurity, relforcerowsecurity, relacl::text FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1",
    "policies": "SELECT * FROM pg_policies WHERE schemaname = 'public' ORDER BY tablename",
    "functions": "SELECT proname, pg_get_functiondef(oid), proacl::text FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
    "triggers": "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal",
    "sequences": "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'",
    "revision": "SELECT version_num FROM alembic_version",
}  # fmt: skip


def described(url: str) -> dict[str, list[tuple]]:
    with psycopg.connect(url) as connection:
        return {name: connection.execute(sql).fetchall() for name, sql in CATALOGUE.items()}


def test_every_table_came_and_the_file_is_as_it_was(old_school, moved_url):
    report = upgrading.verify(
        upgrading.Options(old_school.file, Target(moved_url)), ours.our_layout()
    )
    assert report.is_complete
    assert {table.name for table in report.tables} == set(Base.metadata.tables)
    loaded = {table.name: table.loaded for table in report.tables}
    for name in ("student", "file", "audit_event", "search_word", "user", "api_token", "share"):
        assert loaded[name] > 0, name
    assert not Path(f"{old_school.file}-journal").exists()


def test_the_target_is_what_the_migrations_make(moved_url, new_url, old_school):
    app = open_app(old_school.folder, new_url)
    with app.app_context():
        migrate()
    close(app)
    moved, made = described(moved_url), described(new_url)
    assert [one for name in CATALOGUE for one in moved[name] if one not in made[name]] == []
    assert [one for name in CATALOGUE for one in made[name] if one not in moved[name]] == []


PASSING = (
    r'"/[fp]/[^"]+"', r">/[fp]/[^<]+",
    r'(name="csrf_token"|data-token|nonce)[^>]*', r"<code class=\"num\">[0-9a-f]{32}</code>",
    r"(expires|signature|sig|token|e|s)=[\w.~%-]+",
)  # fmt: skip
"""What is new at every request: form tokens, codes to quote, signed links."""


def normal(html: str) -> str:
    for passing in PASSING:
        html = re.sub(passing, "", html)
    return html


def test_every_page_shows_the_same(old_school, moved_url, frozen_clock):
    frozen_clock(clock.now().replace(microsecond=0))
    different, shown = compare_pages(old_school, moved_url)
    assert not different, "\n".join(f"{place}: {one}" for place, one in different.items())
    assert shown > 40


def compare_pages(old_school: OldSchool, moved_url: str) -> tuple[dict[str, list[str]], int]:
    """Every page of both databases: what differs, by address, and how many pages were there."""
    urls = {"sqlite": f"sqlite:///{old_school.file}", "postgres": moved_url}
    seen = {name: _walk(open_app(old_school.folder, url), old_school) for name, url in urls.items()}
    assert seen["sqlite"].keys() == seen["postgres"].keys()
    different = {
        place: _differences(text, there)
        for place, text in seen["sqlite"].items()
        if text != (there := seen["postgres"][place])
    }
    # What is in use, and how large it is, are the one thing that has changed.
    different.pop("/platform/database", None)
    return different, sum(text.startswith("200") for text in seen["postgres"].values())


def _differences(text: str, there: str) -> list[str]:
    return list(difflib.unified_diff(text.splitlines(), there.splitlines(), n=0, lineterm=""))[2:]


def _walk(app, old_school) -> dict[str, str]:
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = old_school.who
        session["_fresh"] = True
        session["signed_in_at"] = clock.now().timestamp()
        session["school_id"] = str(old_school.school_id)
    found = {}
    for rule in rules(app):
        if "GET" in methods(rule) and is_our_page(rule):
            place = address(rule, old_school.objects)
            answer = client.get(place)
            found[place] = f"{answer.status_code} {normal(answer.get_data(as_text=True))}"
    close(app)
    return found


def test_row_level_security_still_bites(moved_url, old_school):
    with psycopg.connect(moved_url) as connection:
        count = "SELECT count(*), count(DISTINCT school_id) FROM student"
        assert connection.execute(count).fetchone() == (0, 0)
        connection.execute(
            "SELECT set_config('app.school_id', %s, false)", [str(old_school.school_id)]
        )
        rows, schools = connection.execute(count).fetchone()
        assert (rows > 0, schools) == (True, 1)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE student SET school_id = gen_random_uuid()")


def test_another_revision_is_refused(copy_of_school, new_url):
    _change(copy_of_school, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(UpgradeStopped, match="revision 0000") as stopped:
        move(copy_of_school, new_url)
    assert "Start the program once" in stopped.value.problems[0].hint
    assert _tables(new_url) == []


def test_a_missing_column_is_refused(copy_of_school, new_url):
    _change(copy_of_school, "ALTER TABLE membership RENAME COLUMN role TO part")
    with pytest.raises(UpgradeStopped, match="“membership” has no role"):
        move(copy_of_school, new_url)


def test_another_schema_is_refused(copy_of_school, new_url):
    options = upgrading.Options(copy_of_school, Target(new_url, "elsewhere"))
    with pytest.raises(UpgradeStopped, match="“public”, not in “elsewhere”"):
        upgrading.upgrade(options, ours.our_layout())


def test_a_text_that_the_column_does_not_hold_is_told_before_anything_is_written(
    copy_of_school, new_url
):
    _change(copy_of_school, "UPDATE school SET phone = printf('%.*c', 61, '1')")
    report = move(copy_of_school, new_url)
    assert [(p.table, p.column, p.count) for p in report.problems] == [("school", "phone", 2)]
    assert "longer" in report.problems[0].message
    assert _tables(new_url) == []


def test_what_is_no_table_of_ours_stays_behind_and_is_named(copy_of_school, new_url):
    _change(copy_of_school, "CREATE TABLE notes (text TEXT)")
    report = upgrading.look(upgrading.Options(copy_of_school, Target(new_url)), ours.our_layout())
    assert report.problems == []
    assert any("“notes”" in note for note in report.notes)


def test_a_file_of_another_program_keeps_its_own_tables(tmp_path):
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as plain:
        plain.execute("CREATE TABLE alembic_version (version_num TEXT)")
        plain.execute("CREATE TABLE student (id INTEGER PRIMARY KEY)")
        assert not own.is_own(plain, Base.metadata.tables)
    asked = type("Asked", (), {"sqlite_path": file})()
    assert isinstance(ours.OwnDoor().layout(asked), Inferred)


def test_a_complete_target_in_service_stays_complete(copy_of_school, new_url):
    """The same command by mistake must not take a running school out of service."""
    assert move(copy_of_school, new_url).is_complete
    with psycopg.connect(new_url) as connection:
        connection.execute("UPDATE school SET phone = '555'")
    again = move(copy_of_school, new_url)
    assert not again.is_complete
    assert [table.unequal for table in again.tables if not table.checksums_equal] == [("phone",)]
    assert _status(new_url) == "complete"


def test_killed_midway_it_goes_on(copy_of_school, new_url):
    before = sha256(copy_of_school.read_bytes()).hexdigest()
    _killed_at("index", copy_of_school, new_url)
    assert _status(new_url) == "incomplete"
    with pytest.raises(UpgradeStopped, match="not finished"):
        move(copy_of_school, new_url)
    assert move(copy_of_school, new_url, resume=True).is_complete
    assert _status(new_url) == "complete"
    assert sha256(copy_of_school.read_bytes()).hexdigest() == before


def test_cut_off_it_can_begin_anew_with_a_file_that_changed(copy_of_school, new_url):
    def cut_off(phase, *_):
        if phase == "index":
            raise KeyboardInterrupt

    options = upgrading.Options(copy_of_school, Target(new_url))
    with pytest.raises(KeyboardInterrupt):
        upgrading.upgrade(options, ours.our_layout(), cut_off)
    _change(copy_of_school, "UPDATE school SET phone = '555'")
    with pytest.raises(UpgradeStopped, match="has changed since"):
        move(copy_of_school, new_url, resume=True)
    assert move(copy_of_school, new_url, start_over=True).is_complete
    with psycopg.connect(new_url) as connection:
        assert connection.execute("SELECT DISTINCT phone FROM school").fetchall() == [("555",)]


def test_a_row_that_was_kept_out_can_be_brought_in_repaired(copy_of_school, new_url, tmp_path):
    _change(copy_of_school, "UPDATE custom_field SET label = label || char(0)")
    listed = tmp_path / "rejects.jsonl"
    report = move(copy_of_school, new_url, on_bad="reject", rejects=listed)
    assert report.is_complete
    table = next(t for t in report.tables if t.name == "custom_field")
    assert (table.source, table.loaded) == (table.rejected, 0)
    listed.write_text(listed.read_text().replace("\\u0000", ""))
    assert rejects.replay(Target(new_url), listed) == (table.source, [])
    with psycopg.connect(new_url) as connection:
        bound = "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'custom_field'"
        assert connection.execute(bound).fetchone() == (True,)


def _killed_at(phase: str, file: Path, url: str) -> None:
    """Run the command and kill it as soon as it says that it is there."""
    command = [
        sys.executable, str(ROOT / "database_upgrade.py"), "--sqlite-path", str(file),
        "--postgresql-url", "-", "--json", "--progress", "--no-switch",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=file.parent
    ) as process:
        process.stdin.write(url + "\n")
        process.stdin.close()
        for line in process.stdout:
            if f'"{phase}"' in line:
                process.kill()
        assert process.wait() == -signal.SIGKILL


def _change(file: Path, sql: str) -> None:
    with sqlite3.connect(file) as plain:
        plain.execute(sql)
    plain.close()


def _tables(url: str) -> list[tuple]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchall()


def _status(url: str) -> str:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT status FROM schoolhouse_upgrade.run").fetchone()[0]
