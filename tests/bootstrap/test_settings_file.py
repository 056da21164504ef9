"""The settings file: fresh, private, readable by the program, never overwritten."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config_enhanced import Settings
from school.bootstrap.console import Stop
from school.bootstrap.platforms import Platform
from school.bootstrap.settings_file import (
    Wanted,
    read_settings_file,
    settings_file_faults,
    settings_text,
    taken_over,
    write_settings,
)

LINUX = Platform("linux")
SECRETS = ("SECRET_KEY", "PASSWORD_SALT", "FILE_SIGNING_KEYS", "FILE_ENCRYPTION_KEYS", "TOTP_SECRETS")


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_program_reads_what_set_up_writes(tmp_path):
    file = tmp_path / ".env"
    assert write_settings(file, Wanted(tmp_path / "data", 8123, demo=True), LINUX)
    read = Settings(_env_file=file)
    assert (read.data_dir, read.port, read.demo) == (tmp_path / "data", 8123, True)
    assert read.public_url == "http://127.0.0.1:8123"
    assert read.database == f"sqlite:///{tmp_path / 'data' / 'schoolhouse.db'}"
    assert read.storage == f"file://{tmp_path / 'data'}/files"
    assert read.totp_keys.keys() == {"1"}
    assert len(read.signing_keys) == 1


def test_only_the_owner_may_read_it(tmp_path):
    write_settings(tmp_path / ".env", Wanted(tmp_path, 8000), LINUX)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_a_file_that_is_there_stays_as_it_is(tmp_path):
    file = tmp_path / ".env"
    file.write_text("PORT=9000\n")
    file.chmod(0o640)
    assert not write_settings(file, Wanted(tmp_path, 8000), LINUX)
    assert file.read_text() == "PORT=9000\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_secrets_are_new_every_time_and_all_different():
    found = [
        value
        for _ in range(2)
        for name, value in re.findall(
            r"^(\w+)=(.+)$", settings_text(Wanted(Path("/d"), 1)), re.MULTILINE
        )
        if name in SECRETS
    ]
    assert len(found) == len(set(found)) == 2 * len(SECRETS)
    assert all(len(value) >= 32 for value in found)


def test_addresses_of_the_first_run_are_kept_for_the_next(tmp_path):
    given_addresses = {
        "DATABASE_URL": "postgresql://school:p%40ss@db/school",
        "REDIS_URL": "",
        "HOME": "/root",
    }
    assert taken_over(given_addresses) == (
        ("DATABASE_URL", "postgresql://school:p%40ss@db/school"),
    )
    file = tmp_path / ".env"
    write_settings(file, Wanted(tmp_path, 8000, more=taken_over(given_addresses)), LINUX)
    assert Settings(_env_file=file).database == "postgresql://school:p%40ss@db/school"


FOLDERS = st.text(
    st.characters(
        min_codepoint=32,
        blacklist_categories=("Cs", "Cc", "Zl", "Zp"),
        blacklist_characters="\x7f\x85/",
    ),
    min_size=1,
    max_size=30,
).map(lambda s: f"/srv/{s}")


@settings(max_examples=200, deadline=None)
@given(FOLDERS.filter(lambda s: "${" not in s))
def test_any_folder_name_is_read_back_the_same_by_both_readers(tmp_path_factory, folder):
    file = tmp_path_factory.mktemp("env") / ".env"
    write_settings(file, Wanted(Path(folder), 8000), LINUX)
    assert str(Settings(_env_file=file).data_dir) == str(Path(folder))
    assert read_settings_file(file)["DATA_DIR"] == Path(folder).as_posix()


def test_a_windows_folder_is_written_with_forward_slashes(tmp_path):
    from pathlib import PureWindowsPath

    text = settings_text(Wanted(PureWindowsPath(r"C:\Users\Head Teacher\school\data"), 8000))
    assert "DATA_DIR='C:/Users/Head Teacher/school/data'\n" in text


def test_lines_a_person_adds_are_understood(tmp_path):
    file = tmp_path / ".env"
    file.write_text(
        '\ufeff# note\n\nexport PORT = 9000\nDATA_DIR="/srv/our data"\ndemo=true  # for now\n',
        "utf-8",
    )
    assert read_settings_file(file) == {"PORT": "9000", "DATA_DIR": "/srv/our data", "DEMO": "true"}


def test_a_note_may_follow_a_value_in_quotes(tmp_path):
    file = tmp_path / ".env"
    file.write_text("DATA_DIR='/srv/our # data' # here\n")
    assert read_settings_file(file)["DATA_DIR"] == "/srv/our # data"
    assert (
        str(
            Settings(_env_file=file, **{name.lower(): "1:" + "x" * 43 + "=" for name in SECRETS}).data_dir
        )
        == "/srv/our # data"
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"PORT=1\n# gr\xfcn\nMAIL_FROM=Gr\xfcn\n",
            "Line 3 of .env has a letter that is not written in UTF-8",
        ),
        (
            "PORT=1\n".encode("utf-16"),
            ".env is not plain text (UTF-16, perhaps): save it as UTF-8.",
        ),
        (b"PORT=1\nhello there\n", "Line 2 of .env is no setting"),
        (
            b"PORT=1\r\nDATA_DIR='/srv/data\r\n",
            "Line 2 of .env is no setting: write NAME=value, and close every quote.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_its_line(tmp_path, content, sentence):
    file = tmp_path / ".env"
    file.write_bytes(content)
    (fault,) = settings_file_faults(file)
    assert fault.startswith(sentence)
    with pytest.raises(Stop, match=re.escape(sentence)):
        read_settings_file(file)


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / ".env").mkdir()
    assert settings_file_faults(tmp_path / ".env")[0].endswith("cannot be read: it is a folder.")


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert settings_file_faults(tmp_path / ".env")[0].endswith("cannot be read: permission denied.")


def test_no_file_means_no_settings(tmp_path):
    assert read_settings_file(tmp_path / ".env") == {}
