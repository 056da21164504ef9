"""Endpoints: students, their guardians, the school's own fields."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from flask import url_for

from school.academics.models import SchoolClass
from school.academics.queries import get_class
from school.db import transaction
from school.enrollment import queries as enrollment
from school.errors import Conflict, Forbidden, Invalid
from school.permissions import Permission, Person
from school.students import policy, queries, schemas, service
from school.students.models import (
    CustomField,
    CustomFieldKind,
    Guardian,
    Student,
    StudentGuardian,
    StudentStatus,
)
from school.students.queries.families import list_guardians, students_of
from school.students.queries.listing import StudentFilter, list_students
from school.students.queries.visibility import visible_to
from school.web.access import requires, the_person
from school.web.api import (
    VERSION_HEADERS,
    Endpoints,
    check_version,
    conditional,
    page_of,
    page_schema,
    place_of,
    version_header,
    whole_page,
)
from school.web.idempotency import idempotent

P = Permission
Said = dict[str, Any]
Answer = tuple[Said, dict[str, str]]
students = Endpoints(
    "Students", __name__, description="Admit, read, edit, archive and restore students."
)
guardians = Endpoints(
    "Guardians", __name__, description="The adults responsible, shared by brothers and sisters."
)
_STUDENT = tuple(schemas.StudentSchema().fields.keys() - {"class_id", "class_name", "medical_note"})
_LINK = ("id", "version", "student_id", "guardian_id", "relationship", "emergency_order")
_GUARDED = ("has_custody", "may_be_contacted", "lives_with")


def _student(person: Person, student: Student, school_class: SchoolClass | None) -> Said:
    """A student as this person may read them."""
    said: Said = {name: getattr(student, name) for name in _STUDENT}
    said["custom"] = student.custom or {}
    said["class_id"] = school_class.id if school_class else None
    said["class_name"] = school_class.name if school_class else None
    if policy.may_view_medical(person):
        said["medical_note"] = student.medical_note
    return said


def _one(student: Student, **headers: str) -> Answer:
    said = _student(the_person(), student, enrollment.class_of(student.id))
    return said, {**version_header(student.version), **headers}


@students.route("/students")
@requires(P.STUDENT_VIEW)
@students.arguments(schemas.StudentsQuery, location="query")
@students.response(200, page_schema(schemas.StudentSchema))
def list_(wanted: Said) -> Said:
    """Students you may see."""
    person, by = the_person(), wanted["sort"].removeprefix("-")
    found = list_students(
        person,
        StudentFilter(
            q=wanted["q"],
            status="" if wanted["status"] == "roll" else wanted["status"],
            class_id=wanted["class_id"],
            grade_level=wanted["grade_level"],
            gender=wanted["gender_code"],
        ),
        sort=wanted["sort"],
        place=place_of(wanted["after"], size=1 if by == "number" else 2),
        size=wanted["limit"],
    )
    ids = [row.id for row in found.page.rows]
    rows = {student.id: student for student in queries.get_students(ids)}
    classes = enrollment.classes_of(ids)
    said = [_student(person, rows[id_], classes.get(id_)) for id_ in ids if id_ in rows]
    return page_of(found.page, said)


@students.route("/students", methods=["POST"])
@requires(P.STUDENT_ADMIT)
@idempotent
@students.arguments(schemas.AdmitSchema)
@students.response(201, schemas.StudentSchema, headers=VERSION_HEADERS)
def admit(values: Said) -> Answer:
    """Take a student in."""
    _check_medical(values)
    class_id = values.pop("class_id", None)
    with transaction():
        student = service.admit_student(
            **{**values, "custom": _own(values)},
            school_class=get_class(class_id) if class_id else None,
        )
    return _one(student, Location=url_for("api_students.show", student_id=student.id))


@students.route("/students/<uuid:student_id>")
@requires(P.STUDENT_VIEW)
@students.response(200, schemas.StudentSchema, headers=VERSION_HEADERS)
def show(student_id: UUID) -> Answer:
    """One student."""
    return _one(policy.get_visible(the_person(), student_id))


@students.route("/students/<uuid:student_id>", methods=["PATCH"])
@requires(P.STUDENT_VIEW, P.STUDENT_EDIT)
@conditional
@students.arguments(schemas.EditStudentSchema)
@students.response(200, schemas.StudentSchema, headers=VERSION_HEADERS)
def edit(values: Said, student_id: UUID) -> Answer:
    """Change some facts."""
    student = policy.get_visible(the_person(), student_id)
    version = check_version(student)
    _check_medical(values)
    if "status" in values and student.status == StudentStatus.ARCHIVED:
        raise Conflict("This student is archived. Restore them first.", field="status")
    with transaction():
        service.edit_student(student, version=version, **{**values, "custom": _own(values)})
    return _one(student)


@students.route("/students/<uuid:student_id>", methods=["DELETE"])
@requires(P.STUDENT_VIEW, P.STUDENT_ARCHIVE)
@conditional
@students.response(204)
def archive(student_id: UUID) -> None:
    """Archive a student: out of the lists and the class. Nothing is lost."""
    student = policy.get_visible(the_person(), student_id)
    check_version(student)
    with transaction():
        service.archive_students([student.id])


@students.route("/students/<uuid:student_id>/restore", methods=["POST"])
@requires(P.STUDENT_VIEW, P.STUDENT_ARCHIVE)
@idempotent
@students.response(200, schemas.StudentSchema, headers=VERSION_HEADERS)
def restore(student_id: UUID) -> Answer:
    """Bring an archived student back."""
    student = policy.get_visible(the_person(), student_id)
    with transaction():
        service.restore_student(student)
    return _one(student)


@students.route("/student-fields")
@requires(P.STUDENT_VIEW)
@students.response(200, page_schema(schemas.FieldSchema))
def list_fields() -> Said:
    """The school's own fields, in its order."""
    names = schemas.FieldSchema().fields.keys()
    found = queries.list_fields(include_archived=True)
    return whole_page([{name: getattr(field, name) for name in names} for field in found])


def _check_medical(values: Said) -> None:
    if "medical_note" in values and not the_person().may(P.MEDICAL_EDIT):
        raise Forbidden("You may not write medical notes.", field="medical_note")


def _own(values: Said) -> Said:
    """The school's own fields, each value in its field's own JSON type."""
    wanted = values.get("custom") or {}
    found = {str(f.id): f for f in queries.list_fields(include_archived=True)} if wanted else {}
    for key, value in wanted.items():
        if key not in found:
            raise Invalid("There is no such field.", field="custom")
        if value is not None and not _fits(found[key], value):
            raise Invalid(
                "%(label)s is of another type.", field=f"custom_{key}", label=found[key].label
            )
    return dict(wanted)


def _fits(field: CustomField, value: Any) -> bool:
    if field.kind == CustomFieldKind.YES_NO:
        return isinstance(value, bool)
    if field.kind == CustomFieldKind.NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if field.kind == CustomFieldKind.DATE:
        return isinstance(value, str) and _is_day(value)
    return isinstance(value, str)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@guardians.route("/guardians")
@requires(P.GUARDIAN_VIEW)
@guardians.arguments(schemas.GuardiansQuery, location="query")
@guardians.response(200, page_schema(schemas.GuardianRowSchema))
def list_them(wanted: Said) -> Said:
    """Guardians by name; families see themselves."""
    page = list_guardians(the_person(), wanted["q"], place_of(wanted["after"], size=2))
    return page_of(page, [row._asdict() for row in page.rows])


@guardians.route("/guardians/<uuid:guardian_id>")
@requires(P.GUARDIAN_VIEW)
@guardians.response(200, schemas.GuardianSchema, headers=VERSION_HEADERS)
def show_guardian(guardian_id: UUID) -> Answer:
    """One guardian, with the students you may see."""
    return _guardian(policy.get_visible_guardian(the_person(), guardian_id))


@guardians.route("/guardians/<uuid:guardian_id>", methods=["PATCH"])
@requires(P.GUARDIAN_VIEW, P.GUARDIAN_EDIT)
@conditional
@guardians.arguments(schemas.EditGuardianSchema)
@guardians.response(200, schemas.GuardianSchema, headers=VERSION_HEADERS)
def edit_guardian(values: Said, guardian_id: UUID) -> Answer:
    """Change some facts, for all their students at once."""
    guardian = policy.get_visible_guardian(the_person(), guardian_id)
    with transaction():
        service.edit_guardian(guardian, version=check_version(guardian), **values)
    return _guardian(guardian)


def _guardian(guardian: Guardian) -> Answer:
    names = schemas.GuardianSchema().fields.keys() - {"students"}
    said: Said = {name: getattr(guardian, name) for name in names}
    children = students_of([guardian.id], visible_to(the_person())).get(guardian.id, [])
    said["students"] = [
        {
            "id": student.id,
            "admission_number": student.admission_number,
            "family_name": student.family_name,
            "given_name": student.given_name,
            "relationship": relationship,
        }
        for student, relationship in children
    ]
    return said, version_header(guardian.version)


@guardians.route("/students/<uuid:student_id>/guardians")
@requires(P.STUDENT_VIEW, P.GUARDIAN_VIEW)
@guardians.response(200, page_schema(schemas.GuardianLinkSchema))
def list_links(student_id: UUID) -> Said:
    """A student's guardians, whom to call first."""
    student = policy.get_visible(the_person(), student_id)
    return whole_page([_said_of(*pair) for pair in queries.guardian_links(student.id)])


@guardians.route("/students/<uuid:student_id>/guardians", methods=["POST"])
@requires(P.STUDENT_VIEW, P.GUARDIAN_VIEW, P.GUARDIAN_EDIT)
@idempotent
@guardians.arguments(schemas.AddGuardianSchema)
@guardians.response(201, schemas.GuardianLinkSchema, headers=VERSION_HEADERS)
def add_guardian(values: Said, student_id: UUID) -> Answer:
    """Link a guardian the school knows, or add a new one."""
    student = policy.get_visible(the_person(), student_id)
    tie = {name: values.pop(name) for name in schemas.LinkFactsSchema().fields if name in values}
    with transaction():
        if "guardian_id" in values:
            guardian = queries.get_guardian(values["guardian_id"])
        else:
            guardian = service.add_guardian(**values)
        link = service.link_guardian(student, guardian, **tie)
    where = url_for("api_guardians.show_link", student_id=student.id, link_id=link.id)
    return _said_of(link, guardian), {**version_header(link.version), "Location": where}


@guardians.route("/students/<uuid:student_id>/guardians/<uuid:link_id>")
@requires(P.STUDENT_VIEW, P.GUARDIAN_VIEW)
@guardians.response(200, schemas.GuardianLinkSchema, headers=VERSION_HEADERS)
def show_link(student_id: UUID, link_id: UUID) -> Answer:
    """How one guardian belongs to a student."""
    link = _link(student_id, link_id)
    return _said_of(link, queries.get_guardian(link.guardian_id)), version_header(link.version)


@guardians.route("/students/<uuid:student_id>/guardians/<uuid:link_id>", methods=["PATCH"])
@requires(P.STUDENT_VIEW, P.GUARDIAN_VIEW, P.GUARDIAN_EDIT)
@conditional
@guardians.arguments(schemas.LinkFactsSchema)
@guardians.response(200, schemas.GuardianLinkSchema, headers=VERSION_HEADERS)
def edit_link(values: Said, student_id: UUID, link_id: UUID) -> Answer:
    """Change relationship, custody, contact, where the student lives."""
    link = _link(student_id, link_id)
    with transaction():
        service.edit_link(link, version=check_version(link), **values)
    return _said_of(link, queries.get_guardian(link.guardian_id)), version_header(link.version)


@guardians.route("/students/<uuid:student_id>/guardians/<uuid:link_id>", methods=["DELETE"])
@requires(P.STUDENT_VIEW, P.GUARDIAN_VIEW, P.GUARDIAN_EDIT)
@conditional
@guardians.response(204)
def unlink(student_id: UUID, link_id: UUID) -> None:
    """End the tie; the guardian stays known to the school."""
    link = _link(student_id, link_id)
    check_version(link)
    with transaction():
        service.unlink_guardian(link)


def _link(student_id: UUID, link_id: UUID) -> StudentGuardian:
    return queries.get_link(policy.get_visible(the_person(), student_id).id, link_id)


def _said_of(link: StudentGuardian, guardian: Guardian) -> Said:
    """The tie, with contact and custody only for whom they may be shown."""
    said: Said = {name: getattr(link, name) for name in _LINK} | {"name": guardian.name}
    if policy.may_see_contact_of(the_person(), guardian):
        said |= {name: getattr(link, name) for name in _GUARDED}
        said |= {"phone": guardian.phone, "email": guardian.email}
    return said
