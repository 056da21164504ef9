"""Folders and shares of the demo school, as a term leaves them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO

from school.accounts.models import User
from school.db import transaction
from school.files.models import Access, File, Folder, OwnerKind
from school.files.queries import Spot
from school.files.service import folders, keeping, sharing
from school.files.service.places import spot_of_person, spot_of_role, spot_of_school
from school.files.service.sharing import Grant
from school.permissions import Role
from school.students.models import Student

On = Callable[[int, int, int, User], AbstractContextManager[None]]
Draw = Callable[[str, str], IO[bytes]]


def fill_folders(student: Student, accounts: dict[str, User], *, on: On, draw: Draw) -> None:
    """What lies in the school's, the teachers', a teacher's and a student's folders."""
    office, teacher = accounts["yusuf.demir"], accounts["amara.okafor"]
    colleague = accounts["peter.lindqvist"]
    with on(26, 10, 5, office):
        forms = _folder(spot_of_school(), "Forms")
        _keep(forms, draw, "Consent for a trip.pdf", "Admission.pdf", "Change of address.pdf")
        _keep(_folder(forms, "Older forms"), draw, "Admission 2025.pdf")
        _keep(_folder(spot_of_school(), "Policies"), draw, "Safeguarding.pdf", "Fire drill.pdf")
        _keep(spot_of_school(), draw, "Calendar 2026-27.pdf")
    with on(15, 15, 40, teacher):
        plans = _folder(spot_of_role(Role.TEACHER), "Lesson plans")
        _keep(_folder(plans, "Year 8"), draw, "Fractions.pdf", "Rivers.pdf")
        own = _folder(spot_of_person(teacher.id), "Field trip")
        (trip,) = _keep(own, draw, "Programme.pdf")
        assert own.folder_id is not None
        _share(folders.get_folder(own.folder_id), Grant(user_id=colleague.id), Access.EDIT)
    with on(4, 12, 15, colleague):
        _keep(own, draw, "Bus times.pdf")
    with on(3, 8, 30, teacher):
        _share(trip, Grant(user_id=accounts["guardian"].id), Access.VIEW)
    with on(8, 9, 20, office):
        reports = _folder(Spot(OwnerKind.STUDENT, student.id), "Reports")
        _keep(reports, draw, "Report spring 2026.pdf", "Report autumn 2025.pdf")


def _folder(spot: Spot, name: str) -> Spot:
    with transaction():
        return folders.inside(folders.make_folder(spot, name))


def _keep(spot: Spot, draw: Draw, *names: str) -> list[File]:
    return [
        keeping.keep_upload(
            draw(name.rpartition(".")[0], "Northfield School"), **spot._asdict(), filename=name
        )
        for name in names
    ]


def _share(thing: File | Folder, grant: Grant, access: Access) -> None:
    with transaction():
        sharing.share(thing, grant, access=access)
