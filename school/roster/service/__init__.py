"""Verbs of the roster import: receive, stage, repair, commit, undo."""
