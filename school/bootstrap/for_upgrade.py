"""The packages that only `database_upgrade.py` needs: installed when it is first called."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from school.bootstrap.console import Stop
from school.bootstrap.packages import Environment, prepare
from school.bootstrap.platforms import Platform, become, this_platform
from school.bootstrap.preflight import check_disk, check_network

LOCK = "requirements/upgrade.txt"
NEEDED = ("pyarrow", "adbc_driver_sqlite", "adbc_driver_postgresql", "sqlglot", "flask")
NEEDED_MIB = 800
ROOT = Path(__file__).resolve().parent.parent.parent


def ready_python(script: str, platform: Platform | None = None) -> None:
    """See to it that this process can do the upgrade: goes on, or becomes the Python that can.
    Ends the program with a sentence where that cannot be."""
    if sys.version_info < (3, 11):  # noqa: UP036 - before newer syntax is read
        sys.exit("Schoolhouse needs Python 3.11 or newer.")
    if all(importlib.util.find_spec(name) for name in NEEDED):
        return
    platform = platform or this_platform()
    environment = Environment(ROOT, platform, lock=LOCK)
    try:
        # Standard output is for the report alone.
        with redirect_stdout(sys.stderr):
            install(environment)
    except Stop as reason:
        reason.tell()
        sys.exit(reason.code)
    if Path(sys.prefix).resolve() == environment.folder.resolve():
        importlib.invalidate_caches()
        return
    become(platform, [environment.python, script, *sys.argv[1:]], cwd=Path.cwd(), env=os.environ)


def install(environment: Environment) -> None:
    """Raises Stop."""
    if environment.works() and environment.is_complete():
        return
    check_disk(environment.root, needed_mib=NEEDED_MIB)
    check_network(environment.platform)
    print("Moving to PostgreSQL needs a few packages more (about 190 MB).")
    prepare(environment)
