"""Accounts, memberships and tokens for tests, straight from the models."""

from __future__ import annotations

from typing import Any

from flask_security import hash_password

from school.accounts.models import Membership, User
from school.db import db, transaction
from school.permissions import Person, Role
from school.tenancy.models import School
from tests.conftest import make_member

PASSWORD = "correct horse battery"


def make_user_with_password(school: School | None, role: Role | None, **overrides: Any) -> User:
    """Somebody who can sign in with PASSWORD."""
    return make_member(school, role, password=hash_password(PASSWORD), **overrides)


def add_role(user: User, school: School, role: Role) -> None:
    with transaction():
        db.session.add(Membership(user_id=user.id, school_id=school.id, role=role))


def person_of(user: User, school: School | None, *roles: Role, **more: Any) -> Person:
    """The account as policies and services see it."""
    return Person(
        user_id=user.id, display_name=user.display_name, email=user.email,
        school_id=school.id if school else None, roles=frozenset(roles), **more,
    )
