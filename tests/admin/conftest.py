"""Somebody who looks after all schools."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from school.accounts.models import Membership
from school.db import transaction
from school.permissions import Role
from school.tenancy.models import School
from tests.conftest import make_member


@pytest.fixture
def platform(client_for: Callable[..., FlaskClient]) -> FlaskClient:
    """Their browser; they belong to no school."""
    user = make_member(None, None, display_name="Pat Form", is_platform_admin=True)
    return client_for(None, user=user)


@pytest.fixture
def both(client_for: Callable[..., FlaskClient], school: School) -> FlaskClient:
    """The browser of somebody who also is an administrator of the school they are in."""
    user = make_member(None, None, display_name="Bo Both", is_platform_admin=True)
    with transaction() as session:
        session.add(Membership(school_id=school.id, user_id=user.id, role=Role.ADMINISTRATOR))
    return client_for(Role.ADMINISTRATOR, user=user)
