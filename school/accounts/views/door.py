"""The blueprint all pages of this domain hang on."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("accounts", __name__)
