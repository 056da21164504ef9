"""The settings every benchmark runs under."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config_enhanced import Settings

KEY = "x" * 40


def settings_for(folder: Path, url: str = "", **more: Any) -> Settings:
    """Of an installation in `folder`, on SQLite there unless `url` names a database."""
    return Settings(
        _env_file=None,
        data_dir=folder,
        database_url=url or f"sqlite:///{folder / 'bench.db'}",
        secret_key=KEY,
        password_salt=KEY,
        file_signing_keys=KEY,
        file_encryption_keys=f"1:{'A' * 43}=",
        totp_secrets=f"1:{KEY}",
        log_level="ERROR",
        **more,
    )
