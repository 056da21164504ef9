"""What the page that follows says of what was just done."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash

from school.db import transaction
from school.errors import DomainError, NotFound
from school.web.errors import message_of


def offer_undo(message: str, url: str) -> None:
    """Say what was done, with a button that takes it back by a POST to `url`."""
    flash({"message": message, "url": url, "label": None}, "undo")  # type: ignore[arg-type]


def was_done(act: Callable[[], object]) -> bool:
    """Do it in one transaction; False when a rule was in the way, which is then told.

    What is not there stays a 404.
    """
    try:
        with transaction():
            act()
    except NotFound:
        raise
    except DomainError as error:
        flash(message_of(error), "error")
        return False
    return True
