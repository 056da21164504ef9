"""Bytes under random keys, on disk or in a cloud. Knows no web, no database, no school."""
