"""The demo school: founded, its roster imported, and a few weeks of ordinary life recorded."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from PIL import Image, ImageDraw

from school import clock
from school.academics import queries as academics
from school.accounts.models import User
from school.accounts.service import add_member, make_user
from school.admin.service import found_school, furnish
from school.audit.actor import Actor, acting_as
from school.db import db, transaction
from school.demo.files import fill_folders
from school.demo.people import DemoStudent, invent_students
from school.files.models import OwnerKind
from school.files.service import keeping as files
from school.permissions import Role
from school.roster.service.committing import commit
from school.roster.service.staging import stage
from school.roster.service.uploads import new_import
from school.spreadsheets.writing import write_csv
from school.students import service as students
from school.students.models import Guardian, Student, StudentGuardian
from school.tenancy.models import School
from school.tenancy.scope import school_scope

PASSWORD = "northfield-demo"  # noqa: S105 - shown on the demo's sign-in page
SCHOOL = "Northfield School"
STAFF = (
    ("ingrid.solberg", "Ingrid Solberg", Role.ADMINISTRATOR),
    ("yusuf.demir", "Yusuf Demir", Role.REGISTRAR),
    ("amara.okafor", "Amara Okafor", Role.TEACHER),
    ("peter.lindqvist", "Peter Lindqvist", Role.TEACHER),
    ("hannah.osei", "Hannah Osei", Role.TEACHER),
)
COLUMNS = (
    "Admission No", "Surname", "Forename", "Date of birth", "Gender", "Year", "Class", "Address",
    "Town", "Postcode", "Guardian 1 Name", "Guardian 1 Relationship", "Guardian 1 Phone",
    "Guardian 1 Email", "Guardian 2 Name", "Guardian 2 Relationship", "Guardian 2 Phone",
    "Guardian 2 Email",
)  # fmt: skip


def find_demo_school() -> School | None:
    return db.session.scalar(sa.select(School).where(School.is_demo).limit(1))


def tell_story() -> School:
    """Fill the demo school; found it first if need be. Already told, it is left as it is.

    Each step looks whether it was done, so a demo that was cut off is completed.
    """
    school = find_demo_school() or found_school(SCHOOL, time_zone="Europe/London", is_demo=True)
    furnish(school)
    accounts = _open_accounts(school)
    with school_scope(school.id):
        if db.session.scalar(sa.select(Student.id).limit(1)) is None:
            _import_roster(accounts)
        # What is told last tells whether all was told.
        archived = sa.select(Student.id).where(Student.archived_at.is_not(None)).limit(1)
        if db.session.scalar(archived) is None:
            _live(accounts)
    return school


def _open_accounts(school: School) -> dict[str, User]:
    with transaction():
        accounts = {name: _account(name, shown) for name, shown, _ in STAFF}
        accounts["guardian"] = _account("guardian", "A guardian")
        accounts["student"] = _account("student", "A student")
        accounts["operator"] = _account("operator", "Platform administrator", operator=True)
        for name, _, role in STAFF:
            add_member(accounts[name], school_id=school.id, role=role)
        add_member(accounts["guardian"], school_id=school.id, role=Role.GUARDIAN)
        add_member(accounts["student"], school_id=school.id, role=Role.STUDENT)
    return accounts


def _account(name: str, shown: str, *, operator: bool = False) -> User:
    found = db.session.scalar(sa.select(User).where(User.username == name))
    return found or make_user(
        f"{name}@northfield.example.org",
        shown,
        username=name,
        password=PASSWORD,
        is_platform_admin=operator,
    )


@contextmanager
def _on(days_ago: int, hour: int, minute: int, user: User) -> Iterator[None]:
    """As this person, on a day in the past."""
    day = datetime.now(UTC).replace(hour=hour, minute=minute, second=0) - timedelta(days=days_ago)
    with clock.set_to(min(day, datetime.now(UTC))), acting_as(Actor(user.display_name, user.id)):
        yield


def _import_roster(accounts: dict[str, User]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Roster autumn.csv"
        with path.open("wb") as stream:
            write_csv([COLUMNS, *map(_row, invent_students(today=clock.today()))], stream)
        with _on(40, 9, 12, accounts["yusuf.demir"]):
            with transaction():
                imported = new_import(path.name, size_bytes=path.stat().st_size, sha256="")
            stage(imported.id, path)
            with transaction():
                commit(imported.id)


def _row(student: DemoStudent) -> list[str]:
    cells = [student.number, student.family_name, student.given_name, student.born_on.isoformat(),
             student.gender, str(student.grade), student.class_name, student.address, student.town,
             student.postcode]  # fmt: skip
    for guardian in student.guardians:
        cells += [guardian.name, guardian.relationship, guardian.phone, guardian.email]
    return cells + [""] * (len(COLUMNS) - len(cells))


def _live(accounts: dict[str, User]) -> None:
    """A few weeks of what an office does."""
    office, head = accounts["yusuf.demir"], accounts["ingrid.solberg"]
    some = _some_students(24)
    _correct_facts(some, office)
    _note_health(some, head)
    with _on(12, 11, 47, office), transaction():
        other = academics.list_classes()[3]
        students.move_to_class([some[4].id, some[5].id], other, clock.today())
    _keep_files(some, accounts)
    _know_family(some[0], accounts)
    fill_folders(some[0], accounts, on=_on, draw=_document)
    _admit_newcomers(office)
    with _on(6, 14, 5, head), transaction():
        students.archive_students([some[22].id, some[23].id])


def _admit_newcomers(office: User) -> None:
    """Three who join after the holidays; nobody has asked for their guardians yet."""
    for place, (family, given) in enumerate(
        [("Ionescu", "Andrei"), ("Te Rangi", "Tama"), ("Lindgren", "Elsa")]
    ):
        with _on(2, 11, 10 + 7 * place, office), transaction():
            students.admit_student(
                family_name=family,
                given_name=given,
                status="joining",
                birth_date=clock.today().replace(year=clock.today().year - 12, day=3 + place),
            )


def _some_students(count: int) -> list[Student]:
    rows = db.session.scalars(sa.select(Student).order_by(Student.admission_number))
    return list(rows)[:: 600 // count][:count]


def _correct_facts(some: list[Student], office: User) -> None:
    for place, student in enumerate(some[:8]):
        with _on(30 - 3 * place, 8, 20 + place, office), transaction():
            students.edit_student(
                student,
                version=student.version,
                phone=f"+44 7700 9008{place:02}",
                address=f"{place + 3} Mill Lane",
                town="Northfield",
            )
    for place, student in enumerate(some[8:12]):
        with _on(place + 1, 10, 5 * place, office), transaction():
            guardian = _first_guardian(student.id)
            students.edit_guardian(
                guardian,
                version=guardian.version,
                phone=f"+44 7700 9007{place:02}",
                language="Polish",
            )


def _note_health(some: list[Student], head: User) -> None:
    notes = ("Asthma. Blue inhaler in the bag, spare in the office. Call home after every use.",
             "Allergic to nuts. Pen in the office, second one with the tutor.",
             "Type 1 diabetes. May eat and measure in class at any time.")  # fmt: skip
    for student, note in zip(some[::8], notes, strict=False):
        with _on(20, 15, 4, head), transaction():
            students.edit_student(student, version=student.version, medical_note=note)


def _keep_files(some: list[Student], accounts: dict[str, User]) -> None:
    teacher, office = accounts["amara.okafor"], accounts["yusuf.demir"]
    for place, student in enumerate(some[:6]):
        with _on(18 - place, 9, 30, office):
            plan = files.store_upload(
                _document(
                    f"Plan for {student.given_name or ''} {student.family_name}", "First version"
                ),
                owner_kind=OwnerKind.STUDENT,
                owner_id=student.id,
                filename="Support plan.pdf",
            )
        with _on(9 - place, 13, 10, teacher):
            files.add_version(
                plan,
                _document("Support plan", "After the meeting in October"),
                filename="Support plan.pdf",
                note="After the meeting in October",
            )
    with _on(3, 16, 0, office):
        files.store_upload(
            io.BytesIO(b"Bus 31, on her own. Leaves at 15:40.\n"),
            owner_kind=OwnerKind.STUDENT,
            owner_id=some[0].id,
            filename="Way home.txt",
        )


def _document(title: str, text: str) -> io.BytesIO:
    """A one-page PDF, drawn."""
    page = Image.new("RGB", (827, 1169), "white")
    pen = ImageDraw.Draw(page)
    pen.text((80, 90), title, fill="black", font_size=36)
    pen.text((80, 160), text, fill="black", font_size=22)
    stream = io.BytesIO()
    page.save(stream, "PDF", resolution=100)
    stream.seek(0)
    return stream


def _know_family(student: Student, accounts: dict[str, User]) -> None:
    """The guardian's and the student's accounts belong to a real family of the school."""
    guardian = _first_guardian(student.id)
    with transaction():
        student.user_id = accounts["student"].id
        guardian.user_id = accounts["guardian"].id
        accounts[
            "student"
        ].display_name = f"{student.given_name or ''} {student.family_name}".strip()
        accounts["guardian"].display_name = guardian.name


def _first_guardian(student_id: UUID) -> Guardian:
    return db.session.scalars(
        sa.select(Guardian)
        .join(StudentGuardian, StudentGuardian.guardian_id == Guardian.id)
        .where(StudentGuardian.student_id == student_id)
        .order_by(StudentGuardian.emergency_order)
        .limit(1)
    ).one()
