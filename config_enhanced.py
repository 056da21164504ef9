"""Settings: typed, checked, read once from the environment or `.env`.

Names are those of the ecosystem (DATABASE_URL, REDIS_URL …). Every fault is named at once, in a
sentence; `docs/reference/settings.md` is generated from the descriptions here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from school.bootstrap.settings_file import settings_file_faults
from school.files.service.clamd import scanner_url_problem
from school.storage.container import KeyRing
from school.storage.factory import storage_url_problem

SETTINGS_FILE = ".env"
LOCALES = ("en", "de")
SECRETS = frozenset({"SECRET_KEY", "PASSWORD_SALT", "FILE_SIGNING_KEYS", "FILE_ENCRYPTION_KEYS", "TOTP_SECRETS"})
MAKE_KEY = 'python -c "import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())"'
MAKE_ONE = 'python -c "import secrets; print(secrets.token_hex(32))"'

NO_SETTINGS = (
    "There is no .env in {}, and the environment holds no secrets. "
    "Run the set-up, which makes one; or run this in the folder of Schoolhouse."
)
NO_DATA_DIR = (
    "DATA_DIR names {}, and no such folder is there. No new one was made, so that nothing seems "
    "lost. If it was moved, correct DATA_DIR; if there never was anything in it, make the folder."
)


class FaultySettings(ValueError):
    """Settings cannot be used; `faults` says why, one sentence each, all at once."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("These settings need a look:\n" + "\n".join(f"  - {f}" for f in faults))
        self.faults = faults


def _address(text: str, *schemes: str) -> SplitResult:
    """The parts of an address. Raises ValueError for another scheme or a port that is no number."""
    begins = " or ".join([f"{scheme}://" for scheme in schemes])
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("is no address: behind the last colon there has to be a port, a number") from None
    if not text.lower().startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"has to begin with {begins}")
    return parts


def _listed(secret: SecretStr) -> list[str]:
    """The parts between commas, empty ones left out."""
    return [part for part in map(str.strip, secret.get_secret_value().split(",")) if part]


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",")) - {""}


class Settings(BaseSettings):
    """All settings of Schoolhouse. The field name in capitals is the environment variable."""

    model_config = SettingsConfigDict(
        env_file=SETTINGS_FILE, env_file_encoding="utf-8-sig", extra="forbid", frozen=True,
        hide_input_in_errors=True, enable_decoding=False,
    )

    # Where things are
    data_dir: Path = Field(Path("data"), description="Folder for the database file, files, sessions and mail of an installation without other servers.")
    database_url: str = Field("", description="Database address: sqlite:///path or postgresql://user:password@host/name. Empty: schoolhouse.db in DATA_DIR.")
    redis_url: str = Field("", description="Redis address, such as redis://localhost:6379/0. Empty: sessions and cache in files.")
    storage_url: str = Field("", description="Where files lie: file:///path, s3://bucket/prefix?endpoint_url=… or gs://bucket/prefix. Empty: files in DATA_DIR.")
    storage_copy_url: str = Field("", description="Where a copy of every file goes, written like STORAGE_URL; files are read from there when the first place does not answer. Empty: no copies.")
    storage_both_for: str = Field("", description="Comma-separated purposes (document, medical, photo) whose files count only once the copy lies there too. Empty: copies follow later.")
    smtp_url: str = Field("", description="Mail server, such as smtp+starttls://user:password@mail.example.org:587. Empty: mail is kept in the outbox page and written to DATA_DIR/mail.")
    mail_from: str = Field("Schoolhouse <schoolhouse@localhost>", description="Sender of the mail.")
    public_url: str = Field("http://127.0.0.1:8000", description="How people reach this installation; links in mails begin with it.")

    # Secrets
    secret_key: SecretStr = Field(description="Signs sessions and forms. At least 32 characters; made by set-up.")
    password_salt: SecretStr = Field(description="Mixed into password hashes. At least 16 characters; made by set-up; never change it.")
    file_signing_keys: SecretStr = Field(description="Comma-separated keys of at least 16 characters that sign links to files, the newest first; old ones stay valid for reading until removed.")
    file_encryption_keys: SecretStr = Field(description="Encrypt sensitive files: comma-separated id:key pairs (32 bytes as base64), the newest first. Without them these files are lost: keep a copy apart from the backups.")
    totp_secrets: SecretStr = Field(description="Encrypts authenticator secrets: comma-separated number:secret pairs, the highest number newest.")

    # Database
    db_pool_size: int = Field(20, ge=1, le=200, description="Connections kept open to PostgreSQL, per process.")
    db_max_overflow: int = Field(30, ge=0, le=500, description="Connections opened on top when all are busy.")
    db_pool_timeout_s: float = Field(3.0, gt=0, le=60, description="Seconds to wait for a free connection before answering 503.")
    db_pool_recycle_s: int = Field(1500, ge=30, description="Seconds after which a connection is replaced.")
    db_statement_timeout_ms: int = Field(15_000, ge=100, description="Milliseconds after which PostgreSQL stops a statement.")
    db_lock_timeout_ms: int = Field(5_000, ge=100, description="Milliseconds to wait for a lock (SQLite: for the other writer).")

    # Web
    host: str = Field("127.0.0.1", description="Address the server listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port the server listens on.")
    web_threads: int = Field(8, ge=1, le=64, description="Threads answering requests, per process.")
    trusted_proxies: int = Field(0, ge=0, le=5, description="How many proxies stand in front (nginx: 1). 0: X-Forwarded headers are ignored.")
    secure_cookies: bool = Field(default=False, description="Cookies only over HTTPS. Set it wherever HTTPS is used.")
    session_idle_min: int = Field(60, ge=5, le=1440, description="Minutes without a click after which a person is signed out.")
    session_max_hours: int = Field(12, ge=1, le=168, description="Hours after which a person is signed out in any case.")
    clamav_url: str = Field("", description="Where ClamAV's clamd listens, tcp://host:port or unix:///path; every file is scanned before anybody gets it. Empty: no scanning.")
    school_quota_mib: int = Field(0, ge=0, description="Space each school has for files, in MiB; a school may be given another. 0: no limit.")
    person_quota_mib: int = Field(0, ge=0, description="Space each person has for the files they send, in MiB. 0: no limit.")
    trash_days: int = Field(30, ge=1, le=3650, description="Days after which what was thrown away is deleted for good.")
    upload_direct: bool = Field(default=False, description="Let browsers send files straight to the cloud STORAGE_URL names, past this server. The bucket has to allow it: python -m school files cors.")
    max_upload_mib: int = Field(100, ge=1, le=10_240, description="Largest file that may be uploaded, in MiB.")
    embedded_worker: bool = Field(default=True, description="Run background jobs inside the server. False where a worker process of its own runs.")
    accel_redirect: bool = Field(default=False, description="Let nginx send local files (X-Accel-Redirect to /protected-files/).")

    # Ways of running
    demo: bool = Field(default=False, description="Demo installation: the sign-in page lists the demo accounts. Never set it where real people are.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")
    log_format: Literal["text", "json"] = Field("text", description="text for a person's eyes, json for machines.")
    default_locale: str = Field("en", description="Language where nobody chose one: en or de.")
    testing: bool = Field(default=False, description="Only for the tests: cheap password hashes.")

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if value != ""}

    @field_validator("data_dir")
    @classmethod
    def _home_folder(cls, value: Path) -> Path:
        try:
            return value.expanduser()
        except RuntimeError:
            raise ValueError("begins with ~, and nobody knows whose home that is; write the full path") from None

    @field_validator("secret_key")
    @classmethod
    def _long_secret(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError(f"has fewer than 32 characters; make a longer one: {MAKE_ONE}")
        return value

    @field_validator("password_salt")
    @classmethod
    def _long_salt(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 16:
            raise ValueError(f"has fewer than 16 characters; before anybody has a password, make a longer one: {MAKE_ONE}")
        return value

    @field_validator("file_signing_keys")
    @classmethod
    def _long_keys(cls, value: SecretStr) -> SecretStr:
        keys = _listed(value)
        if not keys or any(len(key) < 16 for key in keys):
            raise ValueError(f"holds no key, or one of fewer than 16 characters; make one: {MAKE_ONE}")
        return value

    @field_validator("file_encryption_keys")
    @classmethod
    def _usable_keys(cls, value: SecretStr) -> SecretStr:
        try:
            KeyRing(value.get_secret_value())
        except ValueError as error:
            raise ValueError(f"cannot be used: {error} Make one: {MAKE_KEY} and write 1: in front of it") from None
        return value

    @field_validator("totp_secrets")
    @classmethod
    def _numbered_secrets(cls, value: SecretStr) -> SecretStr:
        pairs = [pair.partition(":") for pair in _listed(value)]
        if not pairs or not all(number.strip().isdecimal() and secret.strip() for number, _, secret in pairs):
            raise ValueError("is not a list of number:secret pairs such as 1:0f3a…")
        return value

    @field_validator("default_locale")
    @classmethod
    def _known_locale(cls, value: str) -> str:
        if value not in LOCALES:
            raise ValueError(f"is no language of Schoolhouse; it knows {' and '.join(LOCALES)}")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value:
            return value
        try:
            backend = make_url(value).get_backend_name()
        except (ArgumentError, ValueError):
            raise ValueError("is not a database address such as postgresql://user:password@host/name") from None
        if backend not in {"sqlite", "postgresql"}:
            raise ValueError(f"names {backend}; Schoolhouse knows sqlite and postgresql")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: str) -> str:
        if value:
            _address(value, "redis", "rediss", "unix")
        return value

    @field_validator("storage_url", "storage_copy_url")
    @classmethod
    def _known_storage(cls, value: str) -> str:
        problem = storage_url_problem(value) if value else None
        if problem:
            raise ValueError(problem)
        return value

    @field_validator("clamav_url")
    @classmethod
    def _known_scanner(cls, value: str) -> str:
        problem = scanner_url_problem(value) if value else None
        if problem:
            raise ValueError(problem)
        return value

    @field_validator("storage_both_for")
    @classmethod
    def _known_purposes(cls, value: str) -> str:
        unknown = sorted(_names(value) - {"document", "medical", "photo"})
        if unknown:
            raise ValueError(f"names unknown purposes: {', '.join(unknown)}")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _known_smtp(cls, value: str) -> str:
        if value:
            _address(value, "smtp", "smtps", "smtp+starttls")
        return value

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not _address(value, "http", "https").netloc:
            raise ValueError("is not a web address such as https://school.example.org")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _no_demo_in_the_open(self) -> Self:
        if self.demo and self.secure_cookies:
            raise ValueError("DEMO lists accounts with their passwords; it cannot be set together with SECURE_COOKIES")
        return self

    @property
    def database(self) -> str:
        """The database address, the default filled in."""
        file = URL.create("sqlite", database=str(self.data_dir.resolve() / "schoolhouse.db"))
        return self.database_url or file.render_as_string(hide_password=False)

    @property
    def storage(self) -> str:
        """The storage address, the default filled in."""
        return self.storage_url or (self.data_dir.resolve() / "files").as_uri()

    @property
    def both_for(self) -> frozenset[str]:
        """Purposes whose files wait for their copy."""
        return _names(self.storage_both_for)

    @property
    def signing_keys(self) -> list[str]:
        """Keys for links to files, newest first."""
        return _listed(self.file_signing_keys)

    @property
    def encryption_keys(self) -> KeyRing:
        """Keys that wrap those of sensitive files."""
        return KeyRing(self.file_encryption_keys.get_secret_value())

    @property
    def totp_keys(self) -> dict[str, str]:
        """Authenticator secrets by number."""
        pairs = (pair.split(":", 1) for pair in _listed(self.totp_secrets))
        return {number.strip(): secret.strip() for number, secret in pairs}


def read_settings(**overrides: Any) -> Settings:
    """Settings from the environment and `.env`. Raises FaultySettings naming every fault."""
    faults = settings_file_faults(Path(SETTINGS_FILE))
    if faults:
        raise FaultySettings(faults)
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise FaultySettings(_sentences(error)) from None
    if not settings.data_dir.is_dir():
        raise FaultySettings([NO_DATA_DIR.format(settings.data_dir.absolute())])
    return settings


def _sentences(error: ValidationError) -> list[str]:
    faults: list[dict[str, Any]] = [dict(fault) for fault in error.errors()]
    missing = {str(fault["loc"][0]).upper() for fault in faults if fault["type"] == "missing"}
    if missing >= SECRETS and not Path(SETTINGS_FILE).exists():
        return [NO_SETTINGS.format(Path.cwd())]
    return [_sentence(fault) for fault in faults]


def _sentence(fault: dict[str, Any]) -> str:
    name = "_".join(str(part) for part in fault["loc"]).upper()
    text = _plain(fault)
    return f"{name} {text}." if name else f"{text}."


def _plain(fault: dict[str, Any]) -> str:
    """The fault as the rest of a sentence that begins with the setting's name."""
    limits = fault.get("ctx", {})
    plain = {
        "missing": f"is missing. Take it from your copy of {SETTINGS_FILE}; where nothing is kept yet, make one: {_make(fault)}{_in_front(fault)}",
        "extra_forbidden": f"is not a setting. Look for a spelling mistake in {SETTINGS_FILE}",
        "bool_parsing": "has to be true or false",
        "int_parsing": "has to be a whole number",
        "float_parsing": "has to be a number",
        "literal_error": f"has to be {limits.get('expected')}".replace("'", ""),
        "greater_than_equal": f"has to be at least {limits.get('ge')}",
        "greater_than": f"has to be more than {limits.get('gt')}",
        "less_than_equal": f"has to be at most {limits.get('le')}",
    }
    return plain.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")


def _make(fault: dict[str, Any]) -> str:
    return MAKE_KEY if fault["loc"] == ("file_encryption_keys",) else MAKE_ONE


def _in_front(fault: dict[str, Any]) -> str:
    is_numbered = fault["loc"] in {("totp_secrets",), ("file_encryption_keys",)}
    return " and write 1: in front of it" if is_numbered else ""
