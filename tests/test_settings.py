"""Settings: every fault is named at once, in a sentence that helps; addresses hold any folder."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from config_enhanced import LOCALES, FaultySettings, Settings, read_settings
from school import app as factory
from school.storage.factory import open_storage, storage_url_problem
from school.storage.local import LocalStorage

AWKWARD = "data #1 %41 ?é 🏫 $x"
SECRETS = {
    "SECRET_KEY": "s" * 32,
    "PASSWORD_SALT": "p" * 16,
    "FILE_SIGNING_KEYS": "k" * 16,
    "FILE_ENCRYPTION_KEYS": "1:" + b64encode(b"e" * 32).decode(),
    "TOTP_SECRETS": "1:" + "t" * 32,
}


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings from an environment of its own; without a `.env`."""
    monkeypatch.chdir(tmp_path)

    def with_environment(**environment: str) -> Settings:
        for name in Settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in {**SECRETS, "DATA_DIR": str(tmp_path), **environment}.items():
            monkeypatch.setenv(name, value)
        return read_settings()

    return with_environment


@pytest.fixture
def faults(read: Callable[..., Settings]) -> Callable[..., str]:
    def found(**environment: str) -> str:
        with pytest.raises(FaultySettings) as raised:
            read(**environment)
        return str(raised.value)

    return found


def test_whatever_the_folder_is_called_database_and_files_lie_in_it(read, tmp_path):
    folder = tmp_path / AWKWARD
    folder.mkdir()
    settings = read(DATA_DIR=str(folder))
    assert sa.make_url(settings.database).database == str(folder / "schoolhouse.db")
    storage = open_storage(settings.storage, signing_keys=settings.signing_keys)
    assert isinstance(storage, LocalStorage)
    assert storage._root == (folder / "files")


def test_a_storage_address_says_how_to_write_a_number_sign():
    assert "%23" in str(storage_url_problem("file:///srv/class #1/files"))
    assert "%3F" in str(storage_url_problem("file:///srv/why?/files"))


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"FILE_SIGNING_KEYS": ","}, "FILE_SIGNING_KEYS holds no key"),
        ({"FILE_SIGNING_KEYS": "short"}, "FILE_SIGNING_KEYS holds no key, or one of fewer than 16"),
        ({"PASSWORD_SALT": "short"}, "PASSWORD_SALT has fewer than 16 characters"),
        ({"FILE_ENCRYPTION_KEYS": "secret"}, "FILE_ENCRYPTION_KEYS cannot be used: Encryption key number 1 is not"),
        ({"TOTP_SECRETS": "secret"}, "TOTP_SECRETS is not a list of number:secret pairs"),
        ({"TOTP_SECRETS": ""}, "TOTP_SECRETS is missing. Take it from your copy of .env;"),
        (
            {"DEFAULT_LOCALE": "tlh"},
            "DEFAULT_LOCALE is no language of Schoolhouse; it knows en and de.",
        ),
        ({"DATA_DIR": "~nobody-here/x"}, "DATA_DIR begins with ~, and nobody knows whose home"),
        ({"DEMO": "maybe"}, "DEMO has to be true or false."),
        ({"PORT": "eight"}, "PORT has to be a whole number."),
        ({"PORT": "99999"}, "PORT has to be at most 65535."),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL has to be DEBUG, INFO, WARNING or ERROR."),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT has to be text or json."),
        ({"REDIS_URL": "redis:6379"}, "REDIS_URL has to begin with redis:// or rediss://"),
        ({"SMTP_URL": "smtp://mail:twentyfive"}, "SMTP_URL is no address: behind the last colon"),
        ({"DATABASE_URL": "postgresql://db:x/school"}, "DATABASE_URL is not a database address"),
    ],
)
def test_a_fault_is_a_plain_sentence(faults, setting, sentence):
    assert sentence in faults(**setting)


def test_all_faults_are_named_at_once(faults):
    said = faults(PORT="0", DEMO="maybe", PASSWORD_SALT="x", DB_POOL_TIMEOUT_S="0")
    assert [line.split()[1] for line in said.splitlines()[1:]] == [
        "PASSWORD_SALT",
        "DB_POOL_TIMEOUT_S",
        "PORT",
        "DEMO",
    ]
    assert "0.0" in said


def test_empty_means_the_default(read, tmp_path, monkeypatch):
    settings = read(PORT="", HOST="", LOG_LEVEL="", REDIS_URL="")
    assert (settings.port, settings.host, settings.log_level) == (8000, "127.0.0.1", "INFO")
    # Empty in the environment still wins over what .env says: the migration of a server
    # is run without Redis that way.
    (tmp_path / ".env").write_text("REDIS_URL=redis://localhost\n")
    assert read(REDIS_URL="").redis_url == ""


def test_a_home_folder_may_be_written_short(read, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "school").mkdir()
    assert read(DATA_DIR="~/school").data_dir == tmp_path / "school"


def test_blanks_between_keys_are_no_keys(read):
    assert read(FILE_SIGNING_KEYS=f" {'a' * 16} ,, {'b' * 16},").signing_keys == [
        "a" * 16,
        "b" * 16,
    ]


def test_a_data_folder_that_is_missing_is_missed_not_made(faults, tmp_path):
    said = faults(DATA_DIR=str(tmp_path / "moved"))
    assert f"DATA_DIR names {tmp_path / 'moved'}, and no such folder is there." in said
    assert "so that nothing seems lost" in said
    assert not (tmp_path / "moved").exists()


def test_without_any_settings_it_says_where_they_are_looked_for(faults, tmp_path):
    said = faults(**dict.fromkeys(SECRETS, ""))
    assert f"There is no .env in {tmp_path}" in said
    assert said.count("\n") == 1


def test_a_settings_file_is_read_with_a_byte_order_mark(read, tmp_path):
    (tmp_path / ".env").write_text("PORT=9000\n", "utf-8-sig")
    assert read().port == 9000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"PORT=1\nMAIL_FROM=Gr\xfcn\n",
            "Line 2 of .env has a letter that is not written in UTF-8",
        ),
        ("PORT=1\n".encode("utf-16"), ".env is not plain text"),
        (b"no setting\n", "Line 1 of .env is no setting"),
        (b"PROT=1\n", "PROT is not a setting. Look for a spelling mistake in .env."),
    ],
)
def test_a_settings_file_that_cannot_be_read_is_told_by_its_line(
    faults, tmp_path, content, sentence
):
    (tmp_path / ".env").write_bytes(content)
    assert sentence in faults()


def test_the_languages_are_those_the_program_has():
    assert set(LOCALES) == set(factory.LOCALES)
