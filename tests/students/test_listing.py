"""The list: order, filters, pages, and a fixed number of statements."""

from __future__ import annotations

import pytest

from school.errors import Invalid
from school.permissions import Role
from school.students.queries.listing import SORTS, StudentFilter, list_students
from school.web.pagination import Place, read_place
from tests.factories.academics import make_class
from tests.factories.students import make_guardian, make_student


@pytest.fixture
def office(in_school, person_as):
    return person_as(Role.REGISTRAR)


def names(page) -> list[str]:
    return [row.name for row in page.page.rows]


def test_names_sort_by_family_name_wherever_it_stands(office):
    make_student(given_name="Hoàng Long", family_name="Nguyễn", family_name_first=True)
    make_student(given_name="Łucja", family_name="Zielińska")
    make_student(given_name="Åsa", family_name="Öberg")
    make_student(given_name=None, family_name="Suharto")
    assert names(list_students(office, StudentFilter())) == [
        "Nguyễn Hoàng Long",
        "Åsa Öberg",
        "Suharto",
        "Łucja Zielińska",
    ]


@pytest.mark.parametrize("sort", SORTS)
def test_paging_forwards_and_back_meets_everybody_once(office, sort):
    classes = [make_class("8B"), make_class("10A"), None]
    for n in range(11):
        make_student(
            family_name=f"F{n % 4}", admission_number=f"{n:03}", school_class=classes[n % 3]
        )
    whole = [r.id for r in list_students(office, StudentFilter(), sort=sort, size=50).page.rows]
    place, forwards, places = None, [], []
    while True:
        page = list_students(office, StudentFilter(), sort=sort, place=place, size=3).page
        forwards.append([row.id for row in page.rows])
        places.append(page)
        if page.after is None:
            break
        place = read_place(page.after)
    assert [i for part in forwards for i in part] == whole
    back = read_place(places[-1].before)
    again = list_students(office, StudentFilter(), sort=sort, place=back, size=3).page
    assert [row.id for row in again.rows] == forwards[-2]


def test_sorting_by_class_puts_8b_before_10a_and_nobodys_class_last(office):
    make_student(family_name="Tenth", school_class=make_class("10A"))
    make_student(family_name="Eighth", school_class=make_class("8B"))
    make_student(family_name="Nowhere")
    found = list_students(office, StudentFilter(), sort="class").page.rows
    assert [row.family_name for row in found] == ["Eighth", "Tenth", "Nowhere"]


def test_each_filter_leaves_what_it_says(office):
    school_class = make_class("8B")
    girl = make_student(gender_code="F", grade_level="8", school_class=school_class)
    boy = make_student(gender_code="M", grade_level="9", status="joining")
    left = make_student(status="left")
    make_guardian(girl)

    def ids(**wanted):
        return {row.id for row in list_students(office, StudentFilter(**wanted)).page.rows}

    assert ids() == {girl.id, boy.id}
    assert ids(status="all") == {girl.id, boy.id, left.id}
    assert ids(status="left") == {left.id}
    assert ids(class_id=school_class.id) == {girl.id}
    assert ids(no_class=True) == {boy.id}
    assert ids(grade_level="9") == {boy.id}
    assert ids(gender="F") == {girl.id}
    assert ids(without_guardian=True) == {boy.id}


@pytest.mark.parametrize("sort", ["name", "class", "number"])
@pytest.mark.parametrize(
    "place", [Place((1, "x", "y", "no id")), Place(("x", "no id")), Place((7, 1, 1, 1))]
)
def test_a_damaged_place_is_refused_not_a_fault(office, sort, place):
    make_student()
    if sort == "number" and len(place.values) == 1:
        return
    with pytest.raises(Invalid):
        list_students(office, StudentFilter(), sort=sort, place=place)


def test_the_number_of_students_is_never_older_than_the_last_write(office):
    for n in range(3):
        make_student(family_name=f"F{n}")
    assert list_students(office, StudentFilter(), size=2).total == 3
    make_student(family_name="F3")
    assert list_students(office, StudentFilter(), size=2).total == 4


@pytest.mark.parametrize("q", ["", "dab"])
@pytest.mark.parametrize("sort", ["name", "-number", "class"])
def test_the_page_takes_as_many_statements_at_fifty_rows_as_at_one(
    client_for, in_school, count_queries, q, sort
):
    school_class = make_class("8B")
    make_guardian(make_student(school_class=school_class))
    client = client_for(Role.REGISTRAR)
    counts = []
    for more in (0, 49):
        for _ in range(more):
            make_guardian(make_student(school_class=school_class))
        client.get("/students", query_string={"q": q, "sort": sort})  # what is remembered is there
        with count_queries() as queries:
            response = client.get("/students", query_string={"q": q, "sort": sort})
        assert response.text.count('<th scope="row">') == 1 + more
        counts.append(queries.count)
    assert counts[0] == counts[1] <= 4
