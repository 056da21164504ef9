"""The settings file: fresh, private, readable by the program, never overwritten."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config_enhanced import Settings
from school.bootstrap.platforms import Platform
from school.bootstrap.settings_file import (
    Wanted,
    read_settings_file,
    settings_text,
    taken_over,
    write_settings,
)

LINUX = Platform("linux")
SECRETS = ("SECRET_KEY", "PASSWORD_SALT", "FILE_SIGNING_KEYS", "TOTP_SECRETS")


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


def test_no_file_means_no_settings(tmp_path):
    assert read_settings_file(tmp_path / ".env") == {}
