"""Endpoints: the token's school, and its people."""

from __future__ import annotations

from typing import Any

from school.accounts import queries, schemas
from school.permissions import Permission
from school.tenancy.scope import current_school_id
from school.web.access import requires
from school.web.api import Endpoints, page_of, page_schema, place_of, whole_page

Said = dict[str, Any]
schools = Endpoints("Schools", __name__, description="The school a token belongs to.")
users = Endpoints("Users", __name__, description="People with an account in the school.")


@schools.route("/schools")
@requires()
@schools.response(200, page_schema(schemas.SchoolSchema))
def list_schools() -> Said:
    """The one school of this token."""
    school = queries.get_school(current_school_id())
    names = schemas.SchoolSchema().fields.keys()
    return whole_page([{name: getattr(school, name) for name in names}])


@users.route("/users")
@requires(Permission.MEMBER_VIEW)
@users.arguments(schemas.UsersQuery, location="query")
@users.response(200, page_schema(schemas.UserSchema))
def list_users(wanted: Said) -> Said:
    """People of the school, by name; an invited one has the id of the invitation until then."""
    page = queries.list_members(
        current_school_id(),
        search=wanted["q"],
        role=wanted["role"],
        state=wanted["state"],
        place=place_of(wanted["after"], size=2),
        limit=wanted["limit"],
    )
    return page_of(page, [_user(member) for member in page.rows])


def _user(member: queries.Member) -> Said:
    return {
        "id": member.id,
        "display_name": member.display_name,
        "email": member.email,
        "roles": list(member.roles),
        "state": member.state.value,
        "is_active": member.is_active,
        "last_seen_at": member.last_seen_at,
    }
