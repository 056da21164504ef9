"""Classes: names that sort as people count, made once, archived."""

from __future__ import annotations

import pytest

from school.academics import queries, service
from school.db import transaction
from school.errors import Conflict, Invalid, Stale
from tests.factories.academics import make_class


def test_class_8b_stands_before_10a(in_school):
    for name in ("10A", "8B", "9C"):
        make_class(name)
    assert [c.name for c in queries.list_classes()] == ["8B", "9C", "10A"]


def test_a_class_asked_for_twice_is_made_once(in_school):
    with transaction():
        first = service.get_or_create_class("8B")
        second = service.get_or_create_class(" 8B ")
    assert first.id == second.id


def test_two_classes_of_one_name_are_refused(in_school):
    make_class("8B")
    with pytest.raises(Conflict, match="8B"), transaction():
        service.create_class("8B")


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "\u202e \u2060", "x" * 101])
def test_a_class_needs_a_name(in_school, name):
    with pytest.raises(Invalid), transaction():
        service.create_class(name)


def test_renaming_over_a_newer_version_shows_both(in_school):
    school_class = make_class("8B")
    with transaction():
        service.edit_class(school_class, version=1, name="8C", grade_level=None)
    with pytest.raises(Stale) as caught, transaction():
        service.edit_class(school_class, version=1, name="8D", grade_level=None)
    assert (caught.value.theirs["name"], caught.value.yours["name"]) == ("8C", "8D")


def test_an_archived_class_leaves_the_list_and_comes_back(in_school):
    school_class = make_class("8B")
    with transaction():
        service.archive_class(school_class)
    assert queries.list_classes() == []
    with transaction():
        service.restore_class(school_class)
    assert [c.name for c in queries.list_classes()] == ["8B"]


def test_unseen_characters_make_no_second_class(in_school):
    make_class("8B")
    with pytest.raises(Conflict, match="8B"), transaction():
        service.create_class("8\u200bB\u202e")
