"""The second step of signing in: a code opens once; lost, an operator takes the step away."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from school.accounts.models import User
from school.accounts.service.people import end_sessions
from school.audit.log import record_platform
from school.db import db, transaction


def claim_code(user_id: UUID, step: int) -> bool:
    """Whether this code (by its time step) is the first of its step or later to be used.

    Committed at once: of many that bring the same code together, the database lets one through.
    """
    with transaction() as session:
        claimed = session.execute(
            sa.update(User)
            .where(
                User.id == user_id,
                sa.or_(User.last_code_step.is_(None), User.last_code_step < step),
            )
            .values(last_code_step=step)
            .execution_options(synchronize_session=False)
        )
    return bool(cast("Any", claimed).rowcount == 1)


def remove_second_step(user: User) -> None:
    """The password alone lets this person in again: for a lost phone, by whoever runs the house.

    An act of its own, told in the audit: a mailed link alone never goes round the second step.
    """
    user.tf_primary_method = user.tf_totp_secret = user.mf_recovery_codes = None
    for passkey in [passkey for passkey in user.webauthn if passkey.usage == "secondary"]:
        user.webauthn.remove(passkey)
    end_sessions(user)
    record_platform("user.second_step_removed", "user", user.id)
    db.session.flush()
