"""The pages, as a browser without script meets them."""

from __future__ import annotations

import io
import re

import pytest
import sqlalchemy as sa
from flask_babel import force_locale, gettext

from school.cache import cache
from school.db import db, transaction
from school.errors import Conflict
from school.files.models import HoldTarget
from school.files.service import holding
from school.jobs.models import Job, JobState
from school.permissions import Role
from school.roster.models import ImportState, RosterImport, RosterRow
from school.roster.service import repairing, staging, undoing, uploads
from school.roster.service.reporting import plain_counts
from school.roster.views import words
from school.students import service as students_service
from school.students.models import Student
from school.tenancy.scope import school_scope
from tests.conftest import make_member
from tests.roster.conftest import ROSTERS, stage_file
from tools.translations import LANGUAGES


@pytest.fixture
def office(client_for):
    return client_for(Role.REGISTRAR)


@pytest.fixture
def send(office, run_jobs):
    """Upload a file and let the work be done; the address of the import."""

    def upload(path_or_bytes, name=None) -> str:
        data = path_or_bytes if isinstance(path_or_bytes, bytes) else path_or_bytes.read_bytes()
        answer = office.post(
            "/imports", data={"file": (io.BytesIO(data), name or path_or_bytes.name)},
            content_type="multipart/form-data",
        )
        assert answer.status_code == 303, answer.text[:500]
        run_jobs()
        return answer.headers["Location"]

    return upload


def test_an_empty_list_says_what_to_do(page, office):
    shown = page(office, "/imports")
    assert "Nothing was imported yet" in shown.text


def test_from_file_to_students_in_the_list(page, office, send, run_jobs, school, roster):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,Jo Smith,0113 496 0000,jo@example.org"))
    assert office.get(place).headers["Location"].endswith("/preview")
    shown = page(office, f"{place}/preview")
    assert "Import all 1 rows" in shown.text or "Import 1 row" in shown.text
    assert office.post(f"{place}/commit").status_code == 303
    run_jobs()
    done = page(office, place)
    assert "New students 1" in done.text
    with school_scope(school.id):
        assert db.session.scalar(sa.select(Student.family_name)) == "Smith"


def test_brothers_and_sisters_share_a_guardian_and_the_preview_says_so(
    page, office, send, run_jobs, roster
):
    ann = "1,Smith,Ann,2015-03-01,7A,Jo Smith,0113 496 0000,jo@example.org"
    bea = "2,Smith,Bea,2013-05-09,9B,Jo Smith,0113 496 0000,jo@example.org"
    shown = page(office, f"{send(roster(ann, bea))}/preview")
    assert "Jo Smith is the same person as in row 2" in shown.text
    place = send(roster(ann))
    office.post(f"{place}/commit")
    run_jobs()
    assert "Jo Smith is here already" in page(office, f"{send(roster(ann, bea))}/preview").text


def test_a_repair_of_something_else_still_says_who_is_shared(page, office, send, roster):
    ann = "1,Smith,Ann,2015-03-01,7A,Jo Smith,0113 496 0000,jo@example.org"
    bea = "2,Smith,Bea,2013-02-31,9B,Jo Smith,0113 496 0000,jo@example.org"
    place = send(roster(ann, bea))
    office.post(f"{place}/rows/3", data={"c3": "2013-02-28"})
    assert "Jo Smith is the same person as in row 2" in page(office, f"{place}/preview").text
    office.post(f"{place}/rows/3", data={"c5": "Kim Smith"})
    assert "the same person as in row 2" not in page(office, f"{place}/preview").text


def test_an_import_left_half_way_waits_on_the_page_of_today(page, office, send, run_jobs, roster):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    assert "1 import waits to be finished" in page(office, "/").text
    office.post(f"{place}/commit")
    run_jobs()
    assert "waits to be finished" not in page(office, "/").text


def test_progress_is_told_in_the_readers_language(client_for, run_jobs, roster, school):
    reader = make_member(school, Role.REGISTRAR, locale="de")
    german = client_for(Role.REGISTRAR, user=reader)
    file = (io.BytesIO(roster("1,Smith,Ann,2015-03-01,7A,,,").read_bytes()), "roster.csv")
    place = german.post(
        "/imports", data={"file": file}, content_type="multipart/form-data"
    ).headers["Location"]
    with school_scope(school.id):
        job = db.session.scalars(sa.select(Job).where(Job.kind == uploads.STAGE)).one()
        job.state = JobState.RUNNING
        db.session.commit()
    told = [0.5, "Read %(done)s of %(total)s rows", {"done": 1000, "total": 6344}]
    cache.set(f"job:{job.id}:progress", told)
    assert "1.000 von 6.344 Zeilen gelesen" in german.get(f"{place}/work").text


def test_a_repair_is_judged_at_once(page, office, send, run_jobs, roster, school):
    place = send(roster("1,,Ann,2015-03-01,7A,,,", "2,Lee,Bo,2015-02-31,7A,,,"))
    shown = page(office, f"{place}/preview")
    assert "1 row still needs repair" in shown.text
    assert "There is no surname" in shown.text
    assert office.post(f"{place}/rows/2", data={"c1": "Smith"}).status_code == 303
    shown = page(office, f"{place}/preview")
    assert "Cells marked red are not taken: in 1 row." in shown.text
    office.post(f"{place}/commit")
    run_jobs()
    with school_scope(school.id):
        assert set(db.session.scalars(sa.select(Student.family_name))) == {"Smith", "Lee"}


def test_a_repair_by_script_answers_with_the_row_and_the_counts(office, send, roster):
    place = send(roster("1,,Ann,2015-03-01,7A,,,"))
    answer = office.post(f"{place}/rows/2", data={"c1": "Smith"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert '<tr id="row-2"' in answer.text
    assert "Smith" in answer.text
    assert '<hx-partial hx-target="#counts"' in answer.text
    assert "Import 1 row" in answer.text or "Import all 1 rows" in answer.text


def test_what_was_typed_and_not_saved_is_shown_before_anything_is_imported(
    page, office, send, run_jobs, roster, school
):
    place = send(roster("1,,Ann,2015-03-01,7A,,,", "2,Lee,Bo,2015-02-01,7A,,,"))
    # As the script sends it: the row's whole form beside the import's own.
    typed = {"f2-c1": "Smith", "f2-show": "", "overwrite_edited": "on"}
    answer = office.post(f"{place}/commit", data=typed)
    assert answer.headers["Location"].endswith("/preview?overwrite_edited=on")
    shown = page(office, f"{place}/preview", overwrite_edited="on")
    assert "What you typed is saved and checked now" in shown.text
    assert "Import all 2 rows" in shown.text
    assert 'name="overwrite_edited" checked' in shown.html
    office.post(f"{place}/commit")
    run_jobs()
    with school_scope(school.id):
        assert set(db.session.scalars(sa.select(Student.family_name))) == {"Smith", "Lee"}


def test_unsaved_cells_of_rows_that_are_not_there_are_refused(office, send, roster):
    place = send(roster("1,,Ann,2015-03-01,7A,,,"))
    assert office.post(f"{place}/commit", data={"f99-c1": "Smith"}).status_code == 404
    assert office.post(f"{place}/commit", data={"f2-c99": "Smith"}).status_code == 422


def test_leaving_a_row_out_keeps_what_was_typed_in_it(page, office, send, roster):
    place = send(roster("1,,Ann,2015-03-01,7A,,,"))
    office.post(f"{place}/rows/2", data={"c1": "Smith", "choice": "out"})
    office.post(f"{place}/rows/2", data={"choice": "in"})
    assert "Nothing is left to repair" in page(office, f"{place}/preview").text


def test_a_cell_with_two_problems_has_one_field(page, office, send, roster):
    place = send(roster("1.23E+05,Smith,Ann,2015-03-01,7A,,,", "1.23E+05,Lee,Bo,2015-02-01,7A,,,"))
    shown = page(office, f"{place}/preview")
    assert len(re.findall(r'name="c0" form="f3"', shown.html)) == 1
    assert "Row 2 has the number 1.23E+05 too" in shown.text
    assert shown.text.count("The spreadsheet program shortened this number") == 2


def test_decisions_survive_a_change_of_columns(page, office, send, run_jobs, roster, school):
    file = roster(
        "1,,Ann,2015-03-01,7A,,,", "2,Lee,Bo,2015-02-01,7A,,,", "2,Poe,Cy,2015-02-02,7A,,,"
    )
    place = send(file)
    office.post(f"{place}/rows/2", data={"c1": "Smith"})
    office.post(f"{place}/rows/3", data={"choice": "out"})
    office.post(f"{place}/rows/4", data={"c0": "3"})
    office.post(f"{place}/columns", data={"column-7": "ignore"})
    run_jobs()
    shown = page(office, f"{place}/preview").text
    assert "Nothing is left to repair" in shown
    assert "Import 2, leave 1 out" in shown
    office.post(f"{place}/commit")
    run_jobs()
    with school_scope(school.id):
        names = db.session.execute(sa.select(Student.admission_number, Student.family_name))
        assert set(map(tuple, names)) == {("1", "Smith"), ("3", "Poe")}
        assert "decided" not in db.session.scalars(sa.select(RosterImport)).one().options


def test_two_rows_that_swapped_numbers_stay_repaired(page, office, send, run_jobs, roster):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,,,", "1,Lee,Bo,2015-02-01,7A,,,"))
    office.post(f"{place}/rows/2", data={"c0": "2"})
    office.post(f"{place}/rows/3", data={"c0": "1"})
    office.post(f"{place}/columns", data={"column-7": "ignore"})
    run_jobs()
    assert "Import all 2 rows" in page(office, f"{place}/preview").text


def test_decisions_survive_reading_that_was_cut_off(send, office, roster, school):
    place = send(roster("1,,Ann,2015-03-01,7A,,,"))
    office.post(f"{place}/rows/2", data={"c1": "Smith"})
    with school_scope(school.id):
        imported = db.session.scalars(sa.select(RosterImport)).one()
        path = roster("1,,Ann,2015-03-01,7A,,,")
        for _time in (1, 2):  # the second time finds no repaired rows any more
            staging.stage(imported.id, path)
        with transaction():
            repairing.lay_over(imported.id)
        assert db.session.scalars(sa.select(RosterRow)).one().repairs == {"1": "Smith"}


def test_a_stale_check_can_be_done_again_and_keeps_repairs(
    page, office, send, run_jobs, roster, school
):
    first = send(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    second = send(roster("1,Smith,Anna,2015-03-01,7A,,,", "2,,Bo,2015-02-01,7A,,,"))
    office.post(f"{second}/rows/3", data={"c1": "Lee"})
    for place in (first, second):
        office.post(f"{place}/commit")
        run_jobs()
    stopped = page(office, second)
    assert "row 2 now means somebody else. Check the file again." in stopped.text
    assert "Try again" not in stopped.text
    assert f'href="{second}/columns"' in stopped.html
    office.post(re.search(r'action="([^"]+/again)"', stopped.html)[1])
    run_jobs()
    assert "Import all 2 rows" in page(office, f"{second}/preview").text
    office.post(f"{second}/commit")
    run_jobs()
    with school_scope(school.id):
        names = db.session.execute(sa.select(Student.given_name, Student.family_name))
        assert set(map(tuple, names)) == {("Anna", "Smith"), ("Bo", "Lee")}


def test_a_stale_check_is_done_again_with_the_same_columns(page, office, send, run_jobs, roster):
    first, second = (send(roster("1,Smith,Ann,2015-03-01,7A,,,")) for _time in (1, 2))
    for place in (first, second):
        office.post(f"{place}/commit")
        run_jobs()
    office.post(f"{second}/columns", data={"column-0": "admission_number"})
    run_jobs()
    assert "Nothing to import" in page(office, f"{second}/preview").text


def test_why_a_file_was_refused_is_told_in_the_readers_language(client_for, run_jobs, school):
    german = client_for(Role.REGISTRAR, user=make_member(school, Role.REGISTRAR, locale="de"))
    for content, said in (
        (b"Admission No,Surname\n", "Unter den Überschriften in Zeile 1 steht niemand."),
        (b"%PDF-1.7 something", "Diese Datei ist keine Tabelle"),
    ):
        file = {"file": (io.BytesIO(content), "list.csv")}
        place = german.post("/imports", data=file, content_type="multipart/form-data").location
        run_jobs()
        assert said in german.get(place).text


def test_remarks_keep_their_values_apart_for_translation(in_school, roster):
    imported = stage_file(roster("007,Smith,Ann,01/02/2015,7A,,,", "8,Lee,Bo,,7A,,,"))
    assert imported.counts["remarks"][0]["params"]["column"] == "Date of Birth"
    told = plain_counts(imported)["remarks"]
    assert told[0].startswith("The dates in “Date of Birth” can be read day first or month first")
    assert words.remarks(imported) == told
    imported.counts = {"remarks": ["Said before."]}  # as older imports keep it
    assert words.remarks(imported) == plain_counts(imported)["remarks"] == ["Said before."]
    db.session.rollback()


def test_numbers_that_no_file_reaches_are_refused(office, send, roster):
    place = send(roster("1,,Ann,2015-03-01,7A,,,"))
    for line in ("999999999999999999999", "2000001"):
        assert office.post(f"{place}/rows/{line}", data={"c1": "Smith"}).status_code == 404
    for name in ("c99", "c123456", "c" + "9" * 5_000):
        assert office.post(f"{place}/rows/2", data={name: "Smith"}).status_code == 422


def test_a_number_put_right_clears_the_duplicate(page, office, send, roster):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,,,", "1,Lee,Bo,2015-02-01,7A,,,"))
    assert "Row 2 has the number 1 too" in page(office, f"{place}/preview").text
    office.post(f"{place}/rows/2", data={"c0": "7"})
    shown = page(office, f"{place}/preview")
    assert "Row 2 has the number" not in shown.text
    assert "Nothing is left to repair" in shown.text


def test_a_row_left_out_is_not_imported(page, office, send, run_jobs, roster, school):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,,,", "2,Lee,Bo,2015-02-01,7A,,,"))
    office.post(f"{place}/rows/3", data={"choice": "out"})
    assert "Import 1, leave 1 out" in page(office, f"{place}/preview").text
    office.post(f"{place}/commit")
    run_jobs()
    with school_scope(school.id):
        assert db.session.scalars(sa.select(Student.family_name)).all() == ["Smith"]


def test_counts_filter_the_rows(page, office, send):
    place = send(ROSTERS / "uk-semicolon-cp1252.csv")
    shown = page(office, f"{place}/preview", show="repair")
    assert "2 on this page of 2 rows" in shown.text
    assert len(re.findall(r'<tr id="row-', shown.html)) == 2
    assert "50 on this page of 410 rows" in page(office, f"{place}/preview", show="new").text


def test_paging_walks_through_all_rows_once(page, office, send):
    place = send(ROSTERS / "in-utf16-tab.csv")
    seen: list[str] = []
    query: dict[str, str] | None = {}
    while query is not None:
        shown = page(office, f"{place}/preview", **query)
        seen += re.findall(r'<tr id="row-(\d+)"', shown.html)
        following = re.search(r'rel="next" href="[^"]*place=([^"&]+)"', shown.html)
        query = {"place": following[1]} if following else None
    assert len(seen) == len(set(seen)) == 230


def test_a_corrected_column_is_remembered_for_the_next_file(page, office, send, run_jobs, roster):
    file = roster("1,Smith,Ann,Blue", headings="Admission No,Surname,Forename,House")
    place = send(file)
    assert "House" in page(office, f"{place}/columns").text
    office.post(f"{place}/columns", data={"column-3": "class_name"})
    run_jobs()
    shown = page(office, f"{place}/preview").text
    assert "1 class is new." in shown and "exist already" not in shown
    office.post(f"{place}/commit")
    run_jobs()
    again = send(file)
    columns = page(office, f"{again}/columns")
    assert "as last time" in columns.text
    assert '<option value="class_name" selected' in columns.html


def test_a_broken_file_gets_a_sentence_and_saves_nothing(page, office, send, school):
    place = send(b"%PDF-1.7 something", "list.csv")
    shown = page(office, place)
    assert "This file is a PDF, not a spreadsheet" in shown.text
    with school_scope(school.id):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(RosterRow)) == 0


def test_sending_nothing_is_said(office):
    answer = office.post("/imports", data={}, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "No file was chosen" in answer.text


def test_pressing_import_twice_imports_once(office, send, run_jobs, roster, school):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    office.post(f"{place}/commit")
    office.post(f"{place}/commit")
    run_jobs()
    assert office.post(f"{place}/commit").status_code == 409
    with school_scope(school.id):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Student)) == 1


def test_undo_is_one_click(page, office, send, run_jobs, roster, school):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,Jo Smith,0113 496 0000,"))
    office.post(f"{place}/commit")
    run_jobs()
    assert "Undo this import" in page(office, place).text
    office.post(f"{place}/undo")
    run_jobs()
    assert "This import was undone" in page(office, place).text
    with school_scope(school.id):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Student)) == 0


def test_problems_can_be_taken_away_repaired_and_sent_in_again(office, send, run_jobs, roster):
    place = send(roster("1,,Ann,2015-03-01,7A,,,", "2,Lee,Bo,2015-02-01,7A,,,"))
    office.post(f"{place}/commit")
    run_jobs()
    sheet = office.get(f"{place}/problems.csv").data.decode("utf-8-sig")
    assert "What to repair" in sheet.splitlines()[0]
    assert "There is no surname" in sheet
    assert office.get(f"{place}/problems.xlsx").data[:2] == b"PK"
    again = send(sheet.replace("1,,Ann", "1,Smith,Ann").encode(), "to-repair.csv")
    office.post(f"{again}/commit")
    run_jobs()
    answer = office.get(again)
    assert "What to repair" not in answer.text
    assert "New students" in answer.text


def test_the_sheet_of_problems_speaks_the_readers_language(office, send, roster):
    """And coming back, its column of reasons is known for what it is."""
    place = send(roster("1,,Ann,2015-03-01,7A,,,"))
    german = office.get(f"{place}/problems.csv", headers={"Accept-Language": "de"})
    sheet = german.data.decode("utf-8-sig")
    assert sheet.splitlines()[0].endswith(f",{staging.REASONS[1]}")
    assert "Der Nachname fehlt" in sheet
    again = send(sheet.replace("1,,Ann", "1,Smith,Ann").encode(), "to-repair.csv")
    assert "Smith" in office.get(f"{again}/preview").text
    assert staging.REASONS[1] not in office.get(f"{again}/preview").text


def test_our_own_column_of_reasons_is_known_in_every_language(app):
    with app.test_request_context():
        headings = ["What to repair"]
        for language in LANGUAGES:
            with force_locale(language):
                headings.append(gettext("What to repair"))
    assert tuple(headings) == staging.REASONS


def test_discarding_keeps_nothing(office, send, roster, school):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    assert office.post(f"{place}/discard").status_code == 303
    with school_scope(school.id):
        assert db.session.scalar(sa.select(RosterImport.state)) == ImportState.DISCARDED
        assert db.session.scalar(sa.select(sa.func.count()).select_from(RosterRow)) == 0
    assert office.get("/imports").text.count("roster.csv") == 0


def test_an_old_address_of_a_discarded_import_says_so(page, office, send, roster):
    """Not that it was imported, with the numbers of the preview."""
    for content in (roster("1,Smith,Ann,2015-03-01,7A,,,"), b"%PDF-1.4 no sheet"):
        place = send(content, "roster.csv")
        office.post(f"{place}/discard")
        assert "Nothing was kept of this file" in page(office, place).text
        for part in ("preview", "columns"):
            assert office.get(f"{place}/{part}").headers["Location"].endswith(place)
        assert office.get(f"{place}/problems.csv").status_code == 200


@pytest.mark.parametrize("role", [Role.TEACHER, Role.GUARDIAN, Role.STUDENT])
def test_others_may_not_import(client_for, role):
    assert client_for(role).get("/imports").status_code == 403


def test_another_schools_import_is_not_there(client_for, send, roster, other_school):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    stranger = client_for(Role.REGISTRAR, at=other_school)
    for path in (place, f"{place}/preview", f"{place}/columns", f"{place}/problems.csv"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"{place}/commit").status_code == 404
    assert stranger.post(f"{place}/rows/2", data={"c1": "X"}).status_code == 404


def test_the_preview_asks_as_little_for_fifty_rows_as_for_one(page, office, send, roster, count_queries):
    one = send(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    page(office, f"{one}/preview")  # who asks is remembered from here on
    with count_queries() as few:
        page(office, f"{one}/preview")
    many = send(roster(*[f"{n},Smith,Ann{n},2015-03-01,7A,,," for n in range(2, 62)]))
    with count_queries() as lots:
        page(office, f"{many}/preview")
    assert lots.count == few.count


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_our_own_list_sent_back_changes_nothing(page, office, send, run_jobs, roster, kind):
    lines = [f"{number},Smith,Ann{number},2015-03-01,7A,Jo Smith,0113 496 0000," for number in ("012345", "30000", "30001")]
    place = send(roster(*lines))
    office.post(f"{place}/commit")
    run_jobs()
    exported = office.get(f"/students/export.{kind}")
    assert exported.status_code == 200
    again = send(exported.data, f"list.{kind}")
    shown = page(office, f"{again}/preview", show="same")
    assert "3 on this page of 3 rows" in shown.text


def test_an_undo_that_stopped_says_so(page, office, send, run_jobs, roster, monkeypatch):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    office.post(f"{place}/commit")
    run_jobs()

    def broken(_import_id):
        raise Conflict("The school has changed.")

    monkeypatch.setattr(undoing, "undo", broken)
    office.post(f"{place}/undo")
    run_jobs()
    shown = page(office, place)
    assert "could not be undone, and nothing was changed" in shown.text
    assert "The school has changed." in shown.text


def test_what_undoing_kept_is_listed_by_name(page, office, send, run_jobs, roster, school):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,Jo Smith,,"))
    office.post(f"{place}/commit")
    run_jobs()
    with school_scope(school.id), transaction():
        student = db.session.scalars(sa.select(Student)).one()
        students_service.edit_student(student, version=student.version, given_name="Anna")
    office.post(f"{place}/undo")
    run_jobs()
    assert "Anna Smith" in page(office, place).text


def test_what_a_legal_hold_kept_is_listed_with_the_reason(
    page, office, send, run_jobs, roster, school
):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,Jo Smith,,"))
    office.post(f"{place}/commit")
    run_jobs()
    with school_scope(school.id), transaction():
        student = db.session.scalars(sa.select(Student)).one()
        holding.place_hold(HoldTarget.STUDENT, student.id, "A claim")
    office.post(f"{place}/undo")
    run_jobs()
    shown = page(office, place).text
    assert re.search(r"Ann Smith ?: it is under a legal hold", shown)


def test_a_fault_of_ours_is_told_without_its_text(page, office, send, run_jobs, roster, school):
    place = send(roster("1,Smith,Ann,2015-03-01,7A,,,"))
    office.post(f"{place}/commit")
    run_jobs()
    office.post(f"{place}/undo")
    with school_scope(school.id), transaction():
        job = db.session.scalars(sa.select(Job).where(Job.kind == uploads.UNDO)).one()
        job.state, job.error = JobState.FAILED, "IntegrityError: INSERT INTO student ('Smith')"
    shown = page(office, place)
    assert "could not be undone, and nothing was changed" in shown.text
    assert "INSERT INTO" not in shown.text


def test_leaving_out_stands_first_for_a_row_that_is_there_twice(office, send, roster):
    ann = "1,Smith,Ann,2015-03-01,7A,,,"
    place = send(roster(ann, ann, "2,,Bo,2015-02-01,7A,,,"))
    shown = office.get(f"{place}/preview").text
    twice, nameless = shown.split('<tr id="row-3"')[1], shown.split('<tr id="row-4"')[1]
    assert "This is the same student as in row 2" in twice
    buttons = re.compile(r"<button[^>]*>(Save|Leave out)<")
    assert buttons.findall(twice.split("</tr>")[0]) == ["Leave out", "Save"]
    assert buttons.findall(nameless.split("</tr>")[0]) == ["Save", "Leave out"]
    # Enter in the cell still saves it: the first button of all is the hidden one.
    assert re.search(r"<button[^>]*>", twice)[0] == '<button type="submit" hidden>'


def test_a_row_that_stays_the_same_asks_for_no_decision(office, send, run_jobs, roster):
    row = "1,Smith,Ann,2015-03-01,7A,,,"
    place = send(roster(row))
    assert '<td class="text-wrap" data-l="Decide">' in office.get(f"{place}/preview").text
    office.post(f"{place}/commit")
    run_jobs()
    shown = office.get(f"{send(roster(row))}/preview").text
    assert '<td class="text-wrap card-none" data-l="Decide">' in shown


def test_without_script_the_page_of_work_looks_again_by_itself(office, run_jobs, roster):
    file = (io.BytesIO(roster("1,Smith,Ann,2015-03-01,7A,,,").read_bytes()), "roster.csv")
    place = office.post(
        "/imports", data={"file": file}, content_type="multipart/form-data"
    ).headers["Location"]
    again = '<noscript><meta http-equiv="refresh" content="3"></noscript>'
    assert again in office.get(place).text
    assert again not in office.get(f"{place}/work", headers={"HX-Request": "true"}).text
    run_jobs()
    assert again not in office.get(place, follow_redirects=True).text
