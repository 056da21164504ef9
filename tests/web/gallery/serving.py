"""The gallery on a port of its own, for tests that need a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.web.gallery.app import create_gallery


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_args: object) -> None:
        """Requests are of no interest here."""


@contextmanager
def served_gallery() -> Iterator[str]:
    """Yields the address."""
    server = make_server("127.0.0.1", 0, create_gallery(), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=5)
