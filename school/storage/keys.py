"""Object keys: random, never used twice, with nothing of a person's in them."""

from __future__ import annotations

import re
from uuid import uuid4

from school.storage.errors import Denied

_KEY = re.compile(r"[a-z0-9_-]+(/[a-z0-9_-]+)*")
LONGEST = 200


def new_key(area: str = "blob") -> str:
    """'blob/3f/a2/3fa2…': two levels of fan-out, so that no folder grows huge."""
    name = uuid4().hex
    return check_key(f"{area}/{name[:2]}/{name[2:4]}/{name}")


def is_key(name: str) -> bool:
    return len(name) <= LONGEST and _KEY.fullmatch(name) is not None


def check_key(key: str) -> str:
    """The key itself. Raises Denied for one we would never make."""
    if not is_key(key):
        raise Denied("This is not a key of ours.", key=key)
    return key
