"""Background work over all schools: the move to PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import current_app

from school.admin.service.moving_database import JOB, Desk, Mode, carry_out
from school.audit.log import record_platform
from school.db import db, transaction
from school.jobs.queue import handler


@handler(JOB)
def move_database(*, mode: str) -> dict[str, Any]:
    """Run again in the new database, where its row came along as under way, it only notes that."""
    url = db.engine.url
    if url.get_backend_name() != "sqlite":
        with transaction():
            record_platform("database.moved", "database")
        return {"status": "complete"}
    desk = Desk(Path(current_app.config["SETTINGS"].data_dir) / "database-move")
    return carry_out(desk, Path(str(url.database)), Mode(mode))
