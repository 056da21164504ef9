"""Flask-Security's sentences; where they are not plain enough, ours."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext
from flask_security.babel import FsDomain
from flask_security.core import _default_messages

OURS = {
    "INVALID_RESET_PASSWORD_TOKEN": lazy_gettext(
        "This link was used already or is too old. Ask for a new one."
    ),
    "PASSWORD_RESET": lazy_gettext("Your new password is set, and you are signed in."),
    "PASSWORD_RESET_NO_LOGIN": lazy_gettext("Your new password is set. Sign in with it."),
}
_BY_THEIRS = {_default_messages[key][0]: words for key, words in OURS.items()}


class Sentences(FsDomain):
    """The library's own translations, which know nothing of our words."""

    def gettext(self, string: str, **variables: Any) -> str:
        ours = _BY_THEIRS.get(string)
        if ours is not None:
            return str(ours)
        return str(super().gettext(string, **variables))  # type: ignore[no-untyped-call]
