"""`--production`: one Debian or Ubuntu server with PostgreSQL, Redis, nginx and services.

`plan.py` says what will be, `actions.py` makes it so; the texts put in place lie in `deploy/`.
"""
