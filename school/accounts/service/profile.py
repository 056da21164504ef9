"""What a person says about themselves, and how they like the pages."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import Any, BinaryIO
from uuid import uuid4
from zoneinfo import available_timezones

from PIL import Image, ImageOps, UnidentifiedImageError

from school.accounts.models import User
from school.accounts.service.people import checked_name, end_sessions
from school.audit.log import difference, facts, record_platform
from school.db import after_commit, db
from school.errors import Invalid, TooLarge

AVATAR_PX = 256
MOST_AVATAR_BYTES = 10 * 1000 * 1000
MOST_PIXELS = 60_000_000
THEMES = ("auto", "light", "dark")
DENSITIES = ("normal", "compact")
FACTS = ("display_name", "locale", "time_zone", "theme", "density")


def update_profile(
    user: User, *, display_name: str, locale: str | None, time_zone: str | None
) -> None:
    """Name, language and time zone; None: as the browser and the school have it."""
    if time_zone and time_zone not in available_timezones():
        raise Invalid("%(zone)s is not a time zone.", field="time_zone", zone=time_zone)
    before = facts(user, FACTS)
    user.display_name = checked_name(display_name)
    user.locale, user.time_zone = locale or None, time_zone or None
    _record(user, before)


def set_look(user: User, *, theme: str | None = None, density: str | None = None) -> None:
    """Light, dark or as the device; roomy or compact rows."""
    before = facts(user, FACTS)
    if theme is not None:
        user.theme = _one_of(theme, THEMES, "theme")
    if density is not None:
        user.density = _one_of(density, DENSITIES, "density")
    _record(user, before)


def set_avatar(user: User, picture: BinaryIO, *, storage: Any) -> None:
    """Keep a picture, made anew from its pixels: nothing hidden in the file survives."""
    data = _square(picture)
    key = f"avatars/{uuid4().hex}"
    storage.put(key, BytesIO(data), size=len(data), content_type="image/png")
    _discard(user.avatar_key, storage)
    user.avatar_key = key
    record_platform("account.avatar_set", "user", user.id)
    db.session.flush()


def remove_avatar(user: User, *, storage: Any) -> None:
    """The initials show again."""
    if user.avatar_key is None:
        return
    _discard(user.avatar_key, storage)
    user.avatar_key = None
    record_platform("account.avatar_removed", "user", user.id)
    db.session.flush()


def _discard(key: str | None, storage: Any) -> None:
    """Nobody needs an earlier picture; it goes once nothing names it any more."""
    if key is not None:
        after_commit(partial(storage.delete, key))


def end_other_sessions(user: User) -> None:
    """Whoever is signed in as this person is out; the asker's own session takes the new key."""
    end_sessions(user)
    record_platform("account.sessions_ended", "user", user.id)
    db.session.flush()


def _square(picture: BinaryIO) -> bytes:
    data = picture.read(MOST_AVATAR_BYTES + 1)
    if len(data) > MOST_AVATAR_BYTES:
        raise TooLarge("The picture is larger than 10 MB. Choose a smaller one.", field="picture")
    try:
        with Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP", "GIF")) as image:
            if image.width * image.height > MOST_PIXELS:
                raise TooLarge(
                    "The picture has too many pixels. Choose a smaller one.", field="picture"
                )
            upright = ImageOps.exif_transpose(image).convert("RGB")
            square = ImageOps.fit(upright, (AVATAR_PX, AVATAR_PX))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Invalid(
            "This is not a picture we can read. Use a JPEG, PNG or WebP file.", field="picture"
        ) from None
    out = BytesIO()
    square.save(out, "PNG", optimize=True)
    return out.getvalue()


def _one_of(value: str, allowed: tuple[str, ...], field: str) -> str:
    if value not in allowed:
        raise Invalid("Choose one of the choices.", field=field)
    return value


def _record(user: User, before: dict[str, Any]) -> None:
    was, now = difference(before, facts(user, FACTS))
    if now:
        record_platform(
            "account.profile_changed", "user", user.id, details={"before": was, "after": now}
        )
        db.session.flush()
