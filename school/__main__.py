"""`python -m school`."""

from school.cli import main

main(prog_name="python -m school")
