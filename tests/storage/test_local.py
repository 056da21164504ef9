"""The disk: never outside the root, never half a file, nobody else's to read."""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from school.storage import errors
from school.storage.factory import open_storage, storage_url_problem
from school.storage.keys import new_key
from school.storage.local import LocalStorage, _blocks


@pytest.fixture
def disk(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "files", signing_keys=["k" * 40])


def test_files_and_folders_are_the_owners_alone(disk: LocalStorage, tmp_path: Path) -> None:
    key = new_key()
    disk.put(key, io.BytesIO(b"x"))
    path = disk.local_path(key)
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_symbolic_link_is_not_followed_out_of_the_root(
    disk: LocalStorage, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (tmp_path / "files" / "blob").mkdir()
    os.symlink(secret, tmp_path / "files" / "blob" / "link")
    with pytest.raises(errors.StorageError):
        disk.stat("blob/link")
    with pytest.raises(errors.StorageError), disk.open("blob/link") as blocks:
        list(blocks)
    assert [info.key for info in disk.list("")] == []


def test_without_hard_links_a_key_is_still_written_once(
    disk: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    key = new_key()
    disk.put(key, io.BytesIO(b"first"))
    with pytest.raises(errors.AlreadyExists):
        disk.put(key, io.BytesIO(b"second"))
    with disk.open(key) as blocks:
        assert b"".join(blocks) == b"first"


def test_a_full_disk_is_said_plainly(disk: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(errors.Unavailable, match="The disk is full"):
        disk.put(new_key(), io.BytesIO(b"x"))
    assert list(disk.list("")) == []


def test_parts_of_broken_uploads_are_swept_when_old(disk: LocalStorage, tmp_path: Path) -> None:
    parts = tmp_path / "files" / ".parts"
    (parts / "old.part").write_bytes(b"x")
    (parts / "new.part").write_bytes(b"x")
    long_ago = time.time() - 100_000
    os.utime(parts / "old.part", (long_ago, long_ago))
    assert disk.abort_stale_uploads(timedelta(hours=24)) == 1
    assert [p.name for p in parts.iterdir()] == ["new.part"]


def test_a_folder_that_leads_elsewhere_is_refused(disk: LocalStorage, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("secret")
    os.symlink(elsewhere, tmp_path / "files" / "blob")
    acts: list[Callable[[], object]] = [
        lambda: disk.stat("blob/secret"),
        lambda: disk.delete("blob/secret"),
        lambda: disk.local_path("blob/secret"),
        lambda: disk.put("blob/new", io.BytesIO(b"x")),
        lambda: disk.copy("blob/secret", "other/new"),
        lambda: disk.open("blob/secret").__enter__(),
    ]
    for act in acts:
        with pytest.raises(errors.Denied):
            act()
    assert [path.name for path in elsewhere.iterdir()] == ["secret"]
    assert list(disk.list("")) == []


def test_a_folder_is_no_object(disk: LocalStorage) -> None:
    disk.put("blob/aa/x", io.BytesIO(b"x"))
    for key in ("blob/aa", "blob/aa/x/y"):
        with pytest.raises(errors.NotFound):
            disk.stat(key)
        with pytest.raises(errors.NotFound):
            disk.open(key).__enter__()
        assert disk.delete(key) is False
        with pytest.raises(errors.AlreadyExists):
            disk.put(key, io.BytesIO(b"y"))
    assert [info.key for info in disk.list("")] == ["blob/aa/x"]


def test_a_disk_that_is_not_mounted_has_not_lost_its_files(
    disk: LocalStorage, tmp_path: Path
) -> None:
    key = new_key()
    disk.put(key, io.BytesIO(b"x"))
    (tmp_path / "files").rename(tmp_path / "unmounted")
    acts: list[Callable[[], object]] = [
        lambda: disk.stat(key),
        lambda: disk.delete(key),
        lambda: disk.put(new_key(), io.BytesIO(b"x")),
        lambda: disk.open(key).__enter__(),
        lambda: list(disk.list("")),
    ]
    for act in acts:
        with pytest.raises(errors.Unavailable):
            act()
    assert not disk.healthcheck().ok
    (tmp_path / "unmounted").rename(tmp_path / "files")
    assert disk.stat(key).size_bytes == 1


def test_a_disk_that_cannot_be_read_says_so() -> None:
    class Broken(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(errors.Unavailable, match="Input/output error"):
        list(_blocks(Broken(), "blob/x", 0, None))


def test_without_hard_links_a_failed_move_frees_the_key(
    disk: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    key = new_key()
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(errors.Unavailable):
            disk.put(key, io.BytesIO(b"x"))
    with pytest.raises(errors.NotFound):
        disk.stat(key)
    disk.put(key, io.BytesIO(b"x"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://x", "begins with file"),
        ("file://host/x", "full path"),
        ("file:///", "full path"),
        ("s3:///x", "no bucket"),
        ("gs://", "no bucket"),
        ("s3://b/p?acl=public", "not known: acl"),
    ],
)
def test_a_wrong_address_is_explained(url: str, says: str) -> None:
    assert says in str(storage_url_problem(url))
    with pytest.raises(ValueError, match="storage address"):
        open_storage(url, signing_keys=["k"])


def test_an_address_opens_its_provider(tmp_path: Path) -> None:
    assert storage_url_problem(f"file://{tmp_path}") is None
    assert open_storage(f"file://{tmp_path}", signing_keys=["k"]).name == "local"
    assert (
        open_storage(
            "s3://bucket/prefix?endpoint_url=http://127.0.0.1:9&region=eu-west-1",
            signing_keys=["k"],
        ).name
        == "s3"
    )


def test_what_is_not_ours_in_the_folder_is_not_listed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path, signing_keys=["k" * 40])
    storage.put("blob/a", io.BytesIO(b"x"))
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lost+found" / "#1").write_text("a disk's own")
    (tmp_path / ".DS_Store").write_text("a desktop's")
    assert [one.key for one in storage.list("")] == ["blob/a"]
