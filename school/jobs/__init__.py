"""Work that takes longer than a page should.

The `job` row is the truth: written in the caller's transaction, it holds state, attempts,
heartbeat, progress, result and error. huey (SQLite file, PostgreSQL or Redis) only carries the
id to the worker; what it loses, the reaper finds again.
"""
