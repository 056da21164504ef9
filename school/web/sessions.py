"""Web sessions in files or Redis, kept as tagged JSON: nothing is ever unpickled.

Flask-Session's own serializers differ by backend (pickle in files, msgpack with a pickle fallback
in Redis); this one is the same everywhere, so a development installation shows what production
would do. The stored key is a hash of the session id: who reads the store cannot sign in with it.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from cachelib.file import FileSystemCache
from flask import Flask, current_app, session
from flask.json.tag import TaggedJSONSerializer
from flask_session import Session
from markupsafe import Markup
from redis import Redis

from config_enhanced import Settings
from school import clock


class SafeSerializer:
    """Tagged JSON, with every face the session backends ask for."""

    def __init__(self) -> None:
        self._json = TaggedJSONSerializer()

    def encode(self, value: Any) -> bytes:
        return self._json.dumps(_plain(dict(value))).encode()

    def decode(self, data: bytes) -> Any:
        return self._json.loads(data.decode())

    def dumps(self, value: Any) -> bytes:
        # cachelib writes bare numbers too (its own counters).
        return self._json.dumps(_plain(value)).encode()

    def loads(self, data: bytes | None) -> Any:
        try:
            return self._json.loads(data.decode()) if data else None
        except ValueError:
            return None  # not ours, or damaged: no session

    def dump(self, value: Any, file: IO[bytes], **_options: Any) -> None:
        file.write(self.dumps(value))

    def load(self, file: IO[bytes]) -> Any:
        return self.loads(file.read())


def _plain(value: Any) -> Any:
    """Lazy translations and the like become the text they stand for."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str | bytes | Markup):
        return value
    return str(value) if type(value).__name__ in {"LazyString", "_LazyString"} else value


def init_sessions(app: Flask, settings: Settings) -> None:
    """Install the session interface for these settings."""
    app.config.update(
        SESSION_PERMANENT=True,
        PERMANENT_SESSION_LIFETIME=timedelta(minutes=settings.session_idle_min),
        SESSION_COOKIE_NAME="__Host-school" if settings.secure_cookies else "school",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_PATH="/",
        **_backend(settings),
    )
    Session(app)
    interface: Any = app.session_interface
    interface.serializer = SafeSerializer()
    if hasattr(interface, "cache"):
        interface.cache.serializer = SafeSerializer()
    interface._get_store_id = lambda sid: "session:" + sha256(sid.encode()).hexdigest()  # noqa: SLF001


def _backend(settings: Settings) -> dict[str, Any]:
    if settings.redis_url:
        client = Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=2)
        return {"SESSION_TYPE": "redis", "SESSION_REDIS": client}
    folder = Path(settings.data_dir) / "sessions"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    # threshold 0: never throw out a signed-in person to make room.
    return {
        "SESSION_TYPE": "cachelib",
        "SESSION_CACHELIB": FileSystemCache(str(folder), threshold=0, mode=0o600),
    }


def rotate_session_id() -> None:
    """A new session id for the same session: at sign-in, sign-out and a change of rights."""
    interface: Any = current_app.session_interface
    interface.regenerate(session)


def sweep_sessions(app: Flask) -> int:
    """Remove expired session files; Redis forgets by itself. Returns how many went."""
    store: FileSystemCache | None = getattr(app.session_interface, "cache", None)
    if store is None:
        return 0
    before = len(list(store._list_dir()))  # noqa: SLF001 - cachelib has no public way
    store._remove_expired(clock.now().timestamp())  # noqa: SLF001
    return before - len(list(store._list_dir()))  # noqa: SLF001
