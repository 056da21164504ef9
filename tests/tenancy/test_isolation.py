"""Whatever two schools do in whatever order, neither ever sees a letter of the other.

Every text a school stores carries its canary; every read of the other school is searched for it.
"""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from school.academics.models import AcademicYear, SchoolClass
from school.audit.log import record
from school.audit.models import AuditEvent
from school.cache import forget, remember
from school.db import db, transaction
from school.enrollment.models import Enrollment
from school.search.index import having_word, index_words
from school.search.models import Kind, SearchWord
from school.students.models import Guardian, Student, StudentGuardian
from school.tenancy.models import School
from school.tenancy.scope import school_scope
from tests.conftest import _empty, make_school

SIDES = st.sampled_from(["left", "right"])
TENANT_CLASSES = [Student, Guardian, StudentGuardian, SchoolClass, AcademicYear, Enrollment, AuditEvent, SearchWord]


def machine_for(app: Flask) -> type[RuleBasedStateMachine]:
    class TwoSchools(RuleBasedStateMachine):
        schools: dict[str, School]

        @initialize()
        def found_schools(self) -> None:
            self.context = app.app_context()
            self.context.push()
            self.schools = {side: make_school(f"{side} {uuid.uuid4().hex[:6]}") for side in ("left", "right")}
            self.ids: dict[str, list[uuid.UUID]] = {"left": [], "right": []}

        def teardown(self) -> None:
            if hasattr(self, "context"):
                db.session.remove()
                self.context.pop()
                _empty(app)

        @rule(side=SIDES, number=st.integers(0, 9))
        def admit(self, side: str, number: int) -> None:
            with school_scope(self.schools[side].id):
                if db.session.scalar(sa.select(Student).where(Student.admission_number == str(number))):
                    return
                with transaction() as session:
                    student = Student(admission_number=str(number), family_name=f"canary{side}",
                                      sort_name=f"canary{side}")
                    guardian = Guardian(name=f"canary{side}", sort_name=f"canary{side}")
                    session.add_all([student, guardian])
                    session.flush()
                    session.add(StudentGuardian(student_id=student.id, guardian_id=guardian.id))
                    index_words(Kind.STUDENT, student.id, [student.family_name, "shared"])
                    record("student.admitted", "student", student.id, after={"family_name": f"canary{side}"})
                self.ids[side].append(student.id)

        @rule(side=SIDES)
        def change_everybody(self, side: str) -> None:
            with school_scope(self.schools[side].id), transaction() as session:
                session.execute(sa.update(Student).values(address=f"canary{side}"))

        @rule(side=SIDES)
        def remove_everybody(self, side: str) -> None:
            with school_scope(self.schools[side].id), transaction() as session:
                session.execute(sa.delete(SearchWord))
                session.execute(sa.delete(StudentGuardian))
                session.execute(sa.delete(Student))
            self.ids[side].clear()

        @rule(side=SIDES, other=st.booleans())
        def look_up_by_key(self, side: str, other: bool) -> None:
            stranger = "right" if side == "left" else "left"
            for row_id in self.ids[stranger if other else side]:
                with school_scope(self.schools[side].id):
                    found = db.session.scalar(sa.select(Student).where(Student.id == row_id))
                    assert (found is None) == other

        @rule(side=SIDES)
        def search(self, side: str) -> None:
            with school_scope(self.schools[side].id):
                found = db.session.scalars(having_word(Kind.STUDENT, "shared")).all()
                assert set(found) == set(self.ids[side])

        @rule(side=SIDES)
        def count_remembered(self, side: str) -> None:
            school_id = self.schools[side].id
            with school_scope(school_id):
                with transaction():
                    forget(school_id, "students")
                count = remember(school_id, "students", "count", lambda: db.session.scalar(
                    sa.select(sa.func.count()).select_from(Student)))
                assert count == len(self.ids[side])

        @invariant()
        def neither_sees_the_other(self) -> None:
            if not hasattr(self, "schools"):
                return
            for side, other in (("left", "right"), ("right", "left")):
                with school_scope(self.schools[side].id):
                    for cls in TENANT_CLASSES:
                        for row in db.session.scalars(sa.select(cls)):
                            assert f"canary{other}" not in repr(_values(row))
                            assert row.school_id == self.schools[side].id

    return TwoSchools


def _values(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in sa.inspect(type(row)).column_attrs}


def test_two_schools_never_meet(app: Flask) -> None:
    run_state_machine_as_test(machine_for(app), settings=settings(
        max_examples=15, stateful_step_count=20, deadline=None,
        suppress_health_check=list(HealthCheck),
    ))
