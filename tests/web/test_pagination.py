"""Pages by key: forwards and backwards give the same rows, whatever happens between."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from school.errors import Invalid
from school.web.pagination import Page, Place, after_place, in_direction, read_place, take_page

engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
people = sa.Table("people", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True),
                  sa.Column("name", sa.String))


def pages_of(names: list[str], place: str | None, *, size: int, descending: bool = False) -> Page[tuple]:
    columns = [people.c.name, people.c.id]
    where = read_place(place)
    with engine.begin() as connection:
        people.metadata.drop_all(connection)
        people.metadata.create_all(connection)
        if names:
            connection.execute(people.insert(), [{"id": i, "name": n} for i, n in enumerate(names)])

        def fetch(limit: int) -> list[tuple]:
            return list(connection.execute(
                sa.select(*columns).where(after_place(columns, where, descending=descending))
                .order_by(*in_direction(columns, where, descending=descending)).limit(limit)
            ))

        return take_page(fetch, place=where, key=tuple, size=size)


@settings(deadline=None)
@given(names=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3), max_size=12),
       size=st.integers(1, 5), descending=st.booleans())
def test_walking_forwards_and_back_shows_every_row_once(
    names: list[str], size: int, descending: bool
) -> None:
    forwards, places = [], [None]
    page = pages_of(names, None, size=size, descending=descending)
    forwards.extend(page.rows)
    while page.after:
        places.append(page.after)
        page = pages_of(names, page.after, size=size, descending=descending)
        forwards.extend(page.rows)
    assert len(forwards) == len(set(forwards)) == len(names)
    backwards = list(page.rows)
    while page.before:
        page = pages_of(names, page.before, size=size, descending=descending)
        backwards = [*page.rows, *backwards]
    assert backwards == forwards


@pytest.mark.parametrize("text", ["x", "e30", "W10", "WzFd", "WyJhIl0", "!!", "W3RydWVd" * 50])
def test_a_damaged_place_is_named_as_such(text: str) -> None:
    with pytest.raises(Invalid, match="damaged"):
        read_place(text)


@given(values=st.lists(st.one_of(st.text(), st.integers(), st.none()), min_size=1), backwards=st.booleans())
def test_a_place_survives_its_address(values: list, backwards: bool) -> None:
    place = Place(tuple(values), backwards)
    assert read_place(str(place)) == place
