"""The disk: never outside the root, never half a file, nobody else's to read."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import textwrap
import time
from datetime import timedelta
from pathlib import Path

import pytest

from school.storage import errors
from school.storage.factory import open_storage, storage_url_problem
from school.storage.keys import new_key
from school.storage.local import LocalStorage


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


def test_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    """256 MiB in and out, in a process of its own; the bound is two blocks above idle."""
    program = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from school.storage.local import LocalStorage

        class Zeros:
            left = 256 * 1024 * 1024
            def read(self, count):
                count = min(count, self.left); self.left -= count
                return bytes(count)

        disk = LocalStorage(Path(sys.argv[1]), signing_keys=["k" * 40])
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        disk.put("blob/large", Zeros())
        with disk.open("blob/large") as blocks:
            assert sum(map(len, blocks)) == 256 * 1024 * 1024
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert int(done.stdout) < 16 * 1024


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
