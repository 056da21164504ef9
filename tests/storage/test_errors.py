"""The set of what a provider can say is closed."""

from __future__ import annotations

import school.storage.factory
import school.storage.gcs
import school.storage.s3
import school.storage.signing  # noqa: F401 - whoever has errors of its own is to be seen
from school.storage import errors


def test_there_are_these_and_no_others() -> None:
    drawn = {
        "NotFound", "AlreadyExists", "PreconditionFailed", "Denied", "Throttled", "Unavailable",
        "IntegrityError", "OutcomeUnknown",
    }  # fmt: skip
    kinds = errors.StorageError.__subclasses__()
    assert {kind.__name__ for kind in kinds} == drawn
    assert all(kind.__module__ == errors.__name__ for kind in kinds)
    assert all(name in (errors.__doc__ or "") for name in drawn)
