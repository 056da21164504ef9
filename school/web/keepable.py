"""Text that every database can keep: no NUL, no half of a surrogate pair."""

from __future__ import annotations

from typing import Any

UNKEEPABLE = "This text holds a character that cannot be kept."


def is_keepable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def find_faults(value: Any) -> Any:
    """What cannot be kept of something read from JSON, by its place in it; None: nothing."""
    if isinstance(value, str):
        return None if is_keepable(value) else [UNKEEPABLE]
    if isinstance(value, dict):
        parts = {str(name): find_faults(part) for name, part in value.items()}
        parts |= {name: [UNKEEPABLE] for name in parts if not is_keepable(name)}
    elif isinstance(value, list):
        parts = {str(at): find_faults(part) for at, part in enumerate(value)}
    else:
        return None
    return {name: part for name, part in parts.items() if part} or None
