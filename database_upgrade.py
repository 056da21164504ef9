"""SQLite → PostgreSQL: python database_upgrade.py --sqlite-path FILE --postgresql-url URL

Starts with any Python: what it needs beside the program is installed first.
"""

from __future__ import annotations

import sys

from school.bootstrap.for_upgrade import ready_python

if __name__ == "__main__":
    ready_python(__file__)
    from school.to_postgresql.door import run

    sys.exit(run())
