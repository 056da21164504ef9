"""The list as a file comes back in as it went out, in every language of ours."""

from __future__ import annotations

import csv
import io

import pytest

from school.app import LOCALES
from school.db import transaction
from school.permissions import Role
from school.students import service
from tests.factories.academics import make_class
from tests.factories.students import make_guardian, make_student
from tests.roster.conftest import stage_file, told


@pytest.mark.parametrize("locale", LOCALES)
def test_what_went_out_comes_in_unchanged(client_for, in_school, tmp_path, locale):
    with transaction():
        bus = service.add_field("House", "text")
    school_class = make_class("8B")
    for number in (3, 5, 8):
        student = make_student(
            admission_number=f"{number}0471", given_name=f"Ada{number}", preferred_name="Adi",
            grade_level="8", gender_code="F", email=f"a{number}@example.org",
            phone=f"0113 496 000{number}", address="4 Mill Lane", town="Kelby", postcode="K1 2AB",
            medical_note="Nuts", school_class=school_class, custom={str(bus.id): "Blue"},
        )  # fmt: skip
        for place in (1, 2):
            make_guardian(
                student,
                name=f"Ida{place} Lis{number}",
                phone=f"0113 496 1{place}0{number}",
                email=f"g{place}{number}@example.org",
            )
    client = client_for(Role.ADMINISTRATOR)
    client.get(f"/?locale={locale}")
    sent = client.get("/students/export.csv", headers={"Accept-Language": locale})
    path = tmp_path / "list.csv"
    path.write_bytes(sent.data)
    headings = next(csv.reader(io.StringIO(sent.data.decode("utf-8-sig"))))
    assert ("Family name" in headings) == (locale == "en") and "House" in headings
    report = told(stage_file(path))["students"]
    assert (report["unchanged"], report["new"], report["changed"]) == (3, 0, 0)
    assert not report["problem"]
