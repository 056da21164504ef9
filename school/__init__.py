"""Schoolhouse: school management that starts with one command and grows to thousands of schools."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Hand out `create_app` on demand: importing a room never starts the building."""
    if name == "create_app":
        from school.app import create_app  # noqa: PLC0415 - lazy on purpose, see the docstring

        return create_app
    raise AttributeError(name)
