"""Outgoing mail: queued in the caller's transaction, sent by the worker."""
