"""The door: `python -m school.bootstrap` or `python school/bootstrap`; old Pythons can read it."""

from __future__ import annotations

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is the check itself, before newer syntax is read
    sys.exit(
        "Schoolhouse needs Python 3.11 or newer; this is Python %d.%d.\n"  # noqa: UP031
        "What to do: install a newer Python from python.org or your system, and run this again."
        % sys.version_info[:2]
    )

# Run as a folder, Python looks for modules in that folder first; it should look in the project.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120

from school.bootstrap.start import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
