"""Which uploaded spreadsheets are still wanted, for whoever looks through the storage."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from school.db import db
from school.files.service.reconciling import know_keys
from school.roster.models import RosterImport


def wanted_uploads(keys: Collection[str]) -> set[str]:
    """Of these keys, those that an import of the school in scope names."""
    found = db.session.scalars(
        sa.select(RosterImport.storage_key).where(RosterImport.storage_key.in_(keys))
    )
    return {key for key in found if key}


know_keys("import/", wanted_uploads, in_each_school=True)
