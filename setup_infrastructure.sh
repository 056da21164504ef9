#!/bin/sh
# Sets up Schoolhouse in this folder and starts it; run again at any time. Options:
#   --demo --test --production --port N --data-dir DIR --school NAME --email ADDR --no-start
#   --domain NAME --certificate FILE --certificate-key FILE --yes --dry-run --help
# All the work is done by school/bootstrap; this finds a Python that is new enough.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
for python in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
    command -v "$python" >/dev/null 2>&1 || continue
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        exec "$python" "$here/school/bootstrap" "$@"
    fi
done
echo "Schoolhouse needs Python 3.11 or newer, and none was found here." >&2
echo "What to do: install it from python.org or your system, and run this again." >&2
exit 1
