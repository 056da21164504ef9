"""One student: overview and history."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import current_app, render_template, request, url_for
from flask_babel import gettext as _

from school.academics.models import SchoolClass
from school.audit.history import list_events
from school.enrollment import queries as enrollment
from school.permissions import Permission, Person
from school.students import policy, queries
from school.students.models import Student, StudentStatus
from school.students.queries.visibility import visible_to
from school.students.views import words
from school.students.views.blueprint import students as bp
from school.students.views.history import entries_of
from school.web.access import requires, the_person
from school.web.formats import age, tint
from school.web.history import page_of


def student_tabs(student_id: UUID, person: Person, current: str) -> list[dict[str, Any]]:
    """Overview, files, history: links this person may open."""
    tabs = [("show", _("Overview"), "students.show", True)]
    if "files.of_student" in current_app.view_functions:
        tabs.append(("files", _("Files"), "files.of_student", person.may(Permission.FILE_VIEW)))
    tabs.append(("history", _("History"), "students.history", person.may(Permission.HISTORY_VIEW)))
    return [
        {
            "label": label,
            "url": url_for(endpoint, student_id=student_id),
            "current": key == current,
        }
        for key, label, endpoint, is_open in tabs
        if is_open
    ]


def headline(student: Student, school_class: SchoolClass | None) -> str:
    """Who, in one line: 'Class 8B · 13 years old · number 20431'."""
    years = age(student.birth_date)
    parts = [
        _("Class %(name)s", name=school_class.name) if school_class else "",
        _("%(years)s years old", years=years) if years is not None else "",
        _("number %(number)s", number=student.admission_number),
    ]
    return " · ".join(part for part in parts if part)


def head_of(student: Student, person: Person, current: str) -> dict[str, Any]:
    """What the top of each of a student's pages shows."""
    school_class = enrollment.class_of(student.id)
    photo = None
    if student.photo_file_id and "files.photo" in current_app.view_functions:
        photo = url_for("files.photo", file_id=student.photo_file_id)
    return {
        "student": student,
        "name": words.full_name(student),
        "headline": headline(student, school_class),
        "initials": words.letters(student),
        "tint": tint(student.id),
        "photo": photo,
        "school_class": school_class,
        "tabs": student_tabs(student.id, person, current),
        "is_archived": student.status == StudentStatus.ARCHIVED,
    }


@bp.get("/<uuid:student_id>")
@requires(Permission.STUDENT_VIEW)
def show(student_id: UUID) -> str:
    person = the_person()
    student = policy.get_visible(person, student_id)
    shows_history = person.may(Permission.HISTORY_VIEW)
    links = queries.guardian_links(student.id) if person.may(Permission.GUARDIAN_VIEW) else []
    events = list_events(student.id, entity="student", limit=4) if shows_history else []
    return render_template(
        "students/show.html",
        **head_of(student, person, "show"),
        medical=student.medical_note if policy.may_view_medical(person) else None,
        guardians=[_guardian(person, link, guardian) for link, guardian in links],
        siblings=_siblings(person, student),
        facts=_facts(student),
        contact=_contact(student),
        enrollments=enrollment.list_enrollments(student.id),
        history=entries_of(events, person, short=True),
        shows_history=shows_history,
        may_edit=policy.may_edit(person, student.id),
    )


def _guardian(person: Person, link: Any, guardian: Any) -> dict[str, Any]:
    sees = policy.may_see_contact_of(person, guardian)
    notes = [
        link.relationship,
        _("call first") if link.emergency_order == 1 else None,
        None if link.lives_with or not sees else _("lives elsewhere"),
        None if link.has_custody or not sees else _("no custody"),
        None if link.may_be_contacted or not sees else _("not to be contacted"),
        _("prefers %(language)s", language=guardian.language)
        if guardian.language and sees
        else None,
    ]
    return {
        "name": guardian.name,
        "url": url_for("guardians.show", guardian_id=guardian.id) if sees else None,
        "second": " · ".join(note for note in notes if note),
        "tint": tint(guardian.id),
        "phone": guardian.phone if sees else None,
        "email": guardian.email if sees else None,
        "warns": sees and not (link.has_custody and link.may_be_contacted),
    }


def _siblings(person: Person, student: Student) -> list[dict[str, Any]]:
    """Brothers and sisters this person may see, with their class."""
    siblings = queries.list_siblings(student.id, visible_to(person))
    classes = enrollment.classes_of([sibling.id for sibling in siblings])
    return [
        {
            "name": words.full_name(sibling),
            "initials": words.letters(sibling),
            "tint": tint(sibling.id),
            "url": url_for("students.show", student_id=sibling.id),
            "class_name": classes[sibling.id].name if sibling.id in classes else None,
        }
        for sibling in siblings
    ]


def _facts(student: Student) -> list[tuple[str, Any]]:
    return [
        (_("Born"), words.long_date(student.birth_date)),
        (_("Known as"), student.preferred_name),
        (_("Gender"), words.plain_word("gender_code", student.gender_code)),
        (_("Grade level"), student.grade_level),
        (_("Status"), words.plain_word("status", student.status)),
        *words.own_facts(student),
    ]


def _contact(student: Student) -> list[tuple[str, Any]]:
    return [
        (_("Phone"), student.phone),
        (_("E-mail"), student.email),
        (_("Address"), student.address),
        (_("Town"), " ".join(p for p in (student.postcode, student.town) if p)),
    ]


@bp.get("/<uuid:student_id>/history")
@requires(Permission.STUDENT_VIEW, Permission.HISTORY_VIEW)
def history(student_id: UUID) -> str:
    person = the_person()
    student = policy.get_visible(person, student_id)
    also = [("guardian", guardian.id) for _link, guardian in queries.guardian_links(student.id)]
    events, older = page_of(student.id, "student", also, request.args.get("before"))
    return render_template(
        "students/history.html",
        **head_of(student, person, "history"),
        entries=entries_of(events, person),
        older=older,
    )
