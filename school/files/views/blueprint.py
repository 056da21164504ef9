"""The blueprint of the file pages."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("files", __name__)
