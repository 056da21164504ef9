"""Each of the four walls alone stops what it is there to stop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from school.db import Base, db, transaction
from school.students.models import Guardian, Student, StudentGuardian
from school.tenancy.models import School, tenant_tables
from school.tenancy.scope import NoSchool, OtherSchool, find_school_id, school_scope
from tests.conftest import POSTGRES_URL


def admit(school: School, number: str = "1", **values: object) -> Student:
    with school_scope(school.id), transaction() as session:
        student = Student(**{"admission_number": number, "family_name": "Okafor",
                             "sort_name": "okafor", **values})
        session.add(student)
    return student


def test_without_a_school_in_scope_tenant_rows_cannot_be_asked_for(school: School) -> None:
    with pytest.raises(NoSchool):
        db.session.scalars(sa.select(Student)).all()


def test_without_a_school_in_scope_tenant_rows_cannot_be_written(school: School) -> None:
    with pytest.raises(NoSchool), transaction() as session:
        session.add(Student(school_id=school.id, admission_number="1", family_name="A", sort_name="a"))


@pytest.mark.parametrize("ask", [
    lambda: db.session.scalars(sa.select(Student)).all(),
    lambda: db.session.scalars(sa.select(Student).where(Student.family_name == "Okafor")).all(),
    lambda: db.session.scalars(sa.select(sa.func.count()).select_from(Student)).all(),
    lambda: db.session.scalars(sa.select(Student.id).union(sa.select(Student.id))).all(),
    lambda: db.session.scalars(
        sa.select(Student).where(Student.id.in_(sa.select(Student.id)))).all(),
], ids=["all", "where", "count", "union", "subquery"])
def test_a_select_finds_only_the_schools_own(
    ask: Callable[[], list[object]], school: School, other_school: School
) -> None:
    admit(school)
    admit(other_school)
    with school_scope(school.id):
        found = ask()
    assert len(found) == 1
    assert found[0] != 2


def test_another_schools_row_is_not_found_by_its_key(school: School, other_school: School) -> None:
    theirs = admit(other_school)
    with school_scope(school.id):
        assert db.session.get(Student, (other_school.id, theirs.id)) is None


def test_update_and_delete_reach_only_the_schools_own(school: School, other_school: School) -> None:
    admit(school)
    theirs = admit(other_school)
    with school_scope(school.id), transaction() as session:
        session.execute(sa.update(Student).values(phone="changed"))
        session.execute(sa.delete(Student))
    with school_scope(other_school.id):
        kept = db.session.get(Student, (other_school.id, theirs.id))
        assert kept is not None
        assert kept.phone is None


def test_a_row_for_another_school_is_refused_at_flush(school: School, other_school: School) -> None:
    with pytest.raises(OtherSchool), school_scope(school.id), transaction() as session:
        session.add(Student(school_id=other_school.id, admission_number="1",
                            family_name="A", sort_name="a"))


def test_a_link_to_another_schools_row_cannot_be_stored(school: School, other_school: School) -> None:
    theirs = admit(other_school)
    with (pytest.raises(sa.exc.IntegrityError), school_scope(school.id), transaction() as session):
        guardian = Guardian(name="Amara", sort_name="amara")
        session.add(guardian)
        session.flush()
        session.add(StudentGuardian(student_id=theirs.id, guardian_id=guardian.id))


def test_the_same_number_may_be_used_in_two_schools(school: School, other_school: School) -> None:
    assert admit(school, "007").id != admit(other_school, "007").id


def test_one_scope_cannot_be_entered_from_another(school: School, other_school: School) -> None:
    with school_scope(school.id), pytest.raises(OtherSchool), school_scope(other_school.id):
        pass


def test_after_a_scope_nothing_of_it_stays_in_the_session(school: School, other_school: School) -> None:
    ours = admit(school)
    with school_scope(school.id):
        assert db.session.get(Student, (school.id, ours.id)) is not None
    assert find_school_id() is None
    with school_scope(other_school.id):
        assert db.session.get(Student, (school.id, ours.id)) is None


def test_every_tenant_key_begins_with_the_school() -> None:
    for table in tenant_tables(Base.metadata):
        assert next(iter(table.primary_key.columns)).name == "school_id", table.name
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint):
                assert "school_id" in constraint.columns, f"{table.name}: {constraint.name}"
            if isinstance(constraint, sa.ForeignKeyConstraint):
                tenant = "school_id" in constraint.referred_table.primary_key.columns
                assert not tenant or constraint.column_keys[0] == "school_id", constraint.name


def test_tables_with_a_school_that_are_no_tenant_tables_are_known() -> None:
    tenants = {table.name for table in tenant_tables(Base.metadata)}
    loose = {t.name for t in Base.metadata.sorted_tables if "school_id" in t.c} - tenants
    assert loose == {"membership", "job", "mail_message"}


@pytest.mark.postgres
@pytest.mark.skipif(not POSTGRES_URL, reason="row-level security is PostgreSQL's")
class TestRowSecurity:
    def test_a_core_select_sees_only_the_school_in_scope(
        self, app: Flask, school: School, other_school: School
    ) -> None:
        admit(school)
        admit(other_school)
        with school_scope(school.id):
            assert len(db.session.execute(sa.select(Student.__table__)).all()) == 1
            assert len(db.session.execute(sa.text("SELECT id FROM student")).all()) == 1

    def test_without_a_school_named_no_row_is_seen(self, app: Flask, school: School) -> None:
        admit(school)
        with db.engine.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM student")).scalar() == 0

    def test_the_named_school_ends_with_the_transaction(self, app: Flask, school: School) -> None:
        admit(school)
        with school_scope(school.id):
            db.session.scalars(sa.select(Student)).all()
        with db.engine.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM student")).scalar() == 0

    def test_a_core_insert_for_another_school_is_refused(
        self, app: Flask, school: School, other_school: School
    ) -> None:
        admit(other_school)
        with school_scope(school.id), pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
            db.session.execute(sa.text(
                "INSERT INTO gender (school_id, code, label, position) VALUES (:s, 'Z', 'Z', 9)"
            ), {"s": other_school.id})

    def test_every_tenant_table_is_secured_and_forced(self, app: Flask) -> None:
        with db.engine.connect() as connection:
            rows = connection.execute(sa.text(
                "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
            )).scalars().all()
        assert set(rows) >= {table.name for table in tenant_tables(Base.metadata)}

    def test_the_application_may_not_bypass_it(self, app: Flask) -> None:
        with db.engine.connect() as connection:
            role = connection.execute(sa.text(
                "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")).one()
        assert not any(role)
