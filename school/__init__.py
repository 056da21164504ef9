"""Schoolhouse: school management that starts with one command and grows to thousands of schools."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Hand out `create_app` on demand: importing a room never starts the building."""
    if name == "create_app":
        return import_module("school.app").create_app
    raise AttributeError(name)
