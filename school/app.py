"""The factory: settings in, application out; the only place that opens views, api and jobs."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask, current_app, request, session
from flask_babel import Babel, get_locale
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from sqlalchemy.exc import OperationalError
from werkzeug.middleware.proxy_fix import ProxyFix

import school.tenancy.walls  # noqa: F401 - puts up the walls
from config_enhanced import Settings, read_settings
from school import cache, worker
from school import db as database
from school.academics import queries as academics_queries
from school.accounts import api as accounts_api
from school.accounts import views as accounts_views
from school.admin import jobs as admin_jobs  # noqa: F401 - registers its handler
from school.admin import views as admin_views
from school.db import db
from school.errors import Unavailable
from school.faults import format_trace
from school.files import api as files_api
from school.files import jobs as files_jobs  # noqa: F401 - registers its handlers
from school.files import views as files_views
from school.files.service import shelf as files_shelf
from school.files.service.moving.following import Follower
from school.files.service.shelf import Shelf
from school.mail import jobs as mail_jobs  # noqa: F401 - registers its handler
from school.permissions import Person
from school.roster import api as roster_api
from school.roster import jobs as roster_jobs  # noqa: F401 - registers its handlers
from school.roster import views as roster_views
from school.storage.factory import open_storage
from school.storage.protocol import StorageProvider
from school.students import api as students_api
from school.students import views as students_views
from school.upgrade.standing import why_not_served
from school.web import api, errors, formats, headers, health, sessions, static_files
from school.web.access import current_person
from school.web.navigation import navigation_for
from school.web.storage import storage_in_use

LOCALES = {"en": "English", "de": "Deutsch"}
csrf = CSRFProtect()


class Migrations(Migrate):
    """Flask-Migrate puts the folder into an ini file, where % begins a placeholder."""

    def get_config(self, directory: str | None = None, **more: Any) -> Any:
        return super().get_config((directory or self.directory).replace("%", "%%"), **more)


def create_app(settings: Settings | None = None) -> Flask:
    """An application for these settings (default: the environment and `.env`)."""
    settings = settings or read_settings()
    app = Flask("school", root_path=str(Path(__file__).parent))
    _configure(app, settings)
    configure_logging(settings)
    _init_database(app, settings)
    _check_database(settings)
    cache.init_cache(
        app, redis_url=settings.redis_url, folder=str(Path(settings.data_dir) / "cache")
    )
    sessions.init_sessions(app, settings)
    csrf.init_app(app)
    Babel(app, locale_selector=_choose_locale, timezone_selector=_choose_time_zone)
    errors.init_errors(app)
    headers.init_headers(app, https=settings.secure_cookies)
    formats.init_formats(app)
    static_files.init_static_files(app)
    app.extensions["school.storage"] = open_storage(
        settings.storage,
        copy_url=settings.storage_copy_url,
        signing_keys=settings.signing_keys,
        public_base_url=settings.public_url,
    )
    app.extensions["school.follower"] = Follower(settings.storage, partial(_open_place, settings))
    worker.connect_transport(app)
    _open_doors(app)
    return app


def _open_place(settings: Settings, url: str) -> StorageProvider:
    """The storage of another address, on the way to which files may be."""
    return open_storage(
        url, signing_keys=settings.signing_keys, public_base_url=settings.public_url
    )


def _configure(app: Flask, settings: Settings) -> None:
    Path(settings.data_dir).mkdir(parents=True, exist_ok=True, mode=0o700)
    limit = settings.max_upload_mib * 1024 * 1024
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.secret_key.get_secret_value(),
        TESTING=settings.testing,
        MAX_CONTENT_LENGTH=limit + 1024 * 1024,
        MAX_FORM_MEMORY_SIZE=2 * 1024 * 1024,
        MAX_FORM_PARTS=20_000,
        WTF_CSRF_TIME_LIMIT=None,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=365),
        BABEL_DEFAULT_LOCALE=settings.default_locale,
        BABEL_TRANSLATION_DIRECTORIES=str(Path(__file__).parent / "translations"),
        LOCALES=LOCALES,
    )
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]


def configure_logging(settings: Settings) -> None:
    """Structured events on standard error; never names, marks or birth dates."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Any = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(format_trace),
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("huey", "waitress.queue", "botocore", "urllib3", "fontTools"):
        logging.getLogger(noisy).setLevel("WARNING")


def _init_database(app: Flask, settings: Settings) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = database.engine_options(
        settings.database,
        pool_size=settings.db_pool_size,
        max_overflow=settings.db_max_overflow,
        pool_timeout_s=settings.db_pool_timeout_s,
        pool_recycle_s=settings.db_pool_recycle_s,
        statement_timeout_ms=settings.db_statement_timeout_ms,
        lock_timeout_ms=settings.db_lock_timeout_ms,
    )
    db.init_app(app)
    Migrations(
        app,
        db,
        directory=str(Path(__file__).parent.parent / "migrations"),
        render_as_batch=True,
        compare_type=True,
    )


def _check_database(settings: Settings) -> None:
    """Raises Unavailable for a database that may not be served: half filled, or moved away."""
    options = {"connect_timeout": 3} if settings.database.startswith("postgres") else {}
    engine = sa.create_engine(settings.database, poolclass=sa.NullPool, connect_args=options)
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        return
    try:
        with engine.connect() as connection:
            fault = why_not_served(connection)
    except OperationalError:
        return  # whoever needs the database tells that it is away
    if fault:
        raise Unavailable(fault)


def _choose_locale() -> str | None:
    """The person's choice, else what they picked on the sign-in page, else their browser's."""
    person = current_person()
    if person is not None and person.locale:
        return person.locale
    if not request:
        return None
    picked = request.args.get("locale")
    if picked in LOCALES:
        session["locale"] = picked
    return session.get("locale") or request.accept_languages.best_match(list(LOCALES))


def _choose_time_zone() -> str | None:
    person = current_person()
    return person.time_zone if person is not None else None


def _open_doors(app: Flask) -> None:
    """Register every domain's pages, endpoints and jobs."""
    health.init_health(app)
    app.context_processor(_page_context)
    accounts_views.init_sign_in(app)
    app.register_blueprint(accounts_views.bp)
    app.register_blueprint(admin_views.bp)
    _open_files(app)
    students_views.register(app)
    app.register_blueprint(roster_views.bp)
    _open_api(app)


def _open_api(app: Flask) -> None:
    """`/api/v1`. Only tokens open it, and a browser sends none by itself: no CSRF token needed."""
    api_of_all = api.init_api(app)
    for endpoints in (
        accounts_api.schools,
        accounts_api.users,
        students_api.students,
        students_api.guardians,
        files_api.files,
        roster_api.imports,
    ):
        csrf.exempt(endpoints)
        api_of_all.register_blueprint(endpoints)


def _open_files(app: Flask) -> None:
    files_shelf.connect(_find_shelf)
    app.register_blueprint(files_views.bp)


def _find_shelf() -> Shelf:
    settings = current_app.config["SETTINGS"]
    return Shelf(
        provider=storage_in_use(),
        follower=current_app.extensions["school.follower"],
        most_bytes=settings.max_upload_mib * 1024 * 1024,
        signing_keys=tuple(settings.signing_keys),
        keys=settings.encryption_keys,
        both_for=settings.both_for,
        scanner_url=settings.clamav_url,
        school_bytes=settings.school_quota_mib * 1024 * 1024,
        person_bytes=settings.person_quota_mib * 1024 * 1024,
        trash_days=settings.trash_days,
        sends_direct=settings.upload_direct,
    )


def _page_context() -> dict[str, Any]:
    person = current_person()
    return {
        "current_person": person,
        "current_school": _school_of(person),
        "nav": navigation_for(person),
        "links": {"notifications": None, "help": None},
        "locale": str(get_locale() or "en"),
        "locales": LOCALES,
        "demo": current_app.config["SETTINGS"].demo,
    }


def _school_of(person: Person | None) -> dict[str, Any] | None:
    """What the frame says of the school: its name and the running year."""
    if person is None or person.school_id is None:
        return None
    name = dict(person.schools).get(person.school_id, "")
    period = cache.remember(person.school_id, "academics", "period", _period, seconds=3600)
    return {"id": person.school_id, "name": name, "period": period}


def _period() -> str:
    year = academics_queries.find_current_year()
    return year.name if year else ""
