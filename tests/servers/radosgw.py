"""A throwaway real S3: Ceph's object gateway over a store in memory, on loopback only.

It checks signatures, expiry and preconditions, which the mock does not. Ready in about two
seconds; nothing is kept. `with throwaway_radosgw() as server:` or the fixture `radosgw_server`.
"""

from __future__ import annotations

import base64
import os
import shutil
import struct
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
import requests

from tests.servers.s3 import BUCKET
from tests.servers.schoolhouse import free_port

START_LIMIT_S = 60
PROGRAMS = ("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool")
CREDENTIALS = {
    "aws_access_key_id": "school-test",
    "aws_secret_access_key": "only-for-this-run",
}  # pragma: allowlist secret

# One copy, few placement groups, no waiting for others to agree: it is alone. cephx stays on,
# because the gateway does not start without it.
CONFIG = """
[global]
fsid={fsid}
mon_host={monitor}
public_addr=127.0.0.1
cluster_addr=127.0.0.1
keyring={folder}/keyring
run_dir={folder}
crash_dir={folder}
admin_socket={folder}/$name.asok
log_file={folder}/$name.log
mon_cluster_log_file={folder}/cluster.log
mon_data={folder}/mon
osd_data={folder}/osd
osd_objectstore=memstore
memstore_device_bytes=4294967296
osd_pool_default_size=1
osd_pool_default_min_size=1
osd_pool_default_pg_num=1
osd_pool_default_pgp_num=1
osd_pool_default_pg_autoscale_mode=off
osd_crush_chooseleaf_type=0
mon_allow_pool_size_one=true
mon_max_pg_per_osd=1000
paxos_propose_interval=0.05
paxos_min_wait=0.02
mon_tick_interval=1
osd_tick_interval=0.5
[client.rgw.a]
rgw_frontends=beast endpoint=127.0.0.1:{port}
rgw_data={folder}
rgw_thread_pool_size=32
rgw_run_sync_thread=false
rgw_enable_gc_threads=false
rgw_enable_lc_threads=false
"""
_ALL = "allow *"
_RIGHTS = {
    "mon.": {"mon": _ALL},
    "client.admin": {"mon": _ALL, "osd": _ALL, "mgr": _ALL},
    "osd.0": {"mon": "allow profile osd", "osd": _ALL},
    "client.rgw.a": {"mon": "allow rw", "osd": "allow rwx"},
}


class NoRadosgw(Exception):
    """It cannot run here; the message says why."""


@dataclass(frozen=True)
class Radosgw:
    """A running gateway, with the bucket BUCKET."""

    url: str
    credentials: Mapping[str, str]
    process: subprocess.Popen[bytes]  # the gateway's: SIGSTOP it and the cloud hangs


@contextmanager
def throwaway_radosgw() -> Iterator[Radosgw]:
    """Start everything in a temporary folder and take it all away at the end."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise NoRadosgw(
            f"no real S3 here: {', '.join(missing)} not installed (Debian/Ubuntu: apt-get install "
            "--no-install-recommends radosgw ceph-mon ceph-osd)"
        )
    folder = Path(tempfile.mkdtemp(prefix="shrgw-", dir="/tmp"))
    cluster = _Cluster(folder)
    try:
        yield cluster.start()
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


class _Cluster:
    """The three daemons, in the order they need each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._config = folder / "ceph.conf"
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._ends_at = time.monotonic() + START_LIMIT_S

    def start(self) -> Radosgw:
        port, fsid, disk = free_port(), str(uuid.uuid4()), str(uuid.uuid4())
        monitor = f"[v2:127.0.0.1:{free_port()},v1:127.0.0.1:{free_port()}]"
        self._write(port=port, fsid=fsid, monitor=monitor)
        self._make_monitor(monitor, fsid)
        self._daemon("ceph-mon", "-i", "a")
        self._run("ceph", "osd", "new", disk, "0")
        self._run("ceph", "auth", "import", "-i", self._folder / "keyring")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self._daemon("ceph-osd", "-i", "0")
        gateway = self._daemon("radosgw", "-n", "client.rgw.a")
        self._make_user()
        url = f"http://127.0.0.1:{port}"
        self._wait_for(url)
        _make_bucket(url)
        return Radosgw(url, CREDENTIALS, gateway)

    def _write(self, *, port: int, fsid: str, monitor: str) -> None:
        for name in ("mon", "osd"):
            (self._folder / name).mkdir()
        text = CONFIG.format(folder=self._folder, port=port, fsid=fsid, monitor=monitor)
        self._config.write_text(text)
        (self._folder / "keyring").write_text("".join(map(_key_entry, _RIGHTS)))

    def _make_monitor(self, monitor: str, fsid: str) -> None:
        mon_map, keyring = self._folder / "monmap", self._folder / "keyring"
        self._run("monmaptool", "--create", "--addv", "a", monitor, "--fsid", fsid, mon_map)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", mon_map, "--keyring", keyring)

    def _make_user(self) -> None:
        access, secret = CREDENTIALS.values()
        self._run(
            "radosgw-admin", "user", "create", "--uid", "school", "--display-name", "School",
            "--access-key", access, "--secret-key", secret,
        )  # fmt: skip

    def _wait_for(self, url: str) -> None:
        while time.monotonic() < self._ends_at:
            try:
                requests.get(url, timeout=2)
            except requests.RequestException:
                time.sleep(0.05)
            else:
                return
        raise NoRadosgw("the gateway did not answer in time")

    def _run(self, program: str, *arguments: str | Path) -> None:
        try:
            done = subprocess.run(
                [program, "-c", self._config, *arguments],
                capture_output=True, text=True, check=False, cwd=self._folder,
                timeout=max(self._ends_at - time.monotonic(), 0.1),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise NoRadosgw(f"{program} did not end in time") from None
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["no message"]
            raise NoRadosgw(f"{program} says: {said[-1]}")

    def _daemon(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        daemon = subprocess.Popen(
            [program, "-c", self._config, "-f", *arguments],
            stdin=quiet, stdout=quiet, stderr=quiet, cwd=self._folder,
        )  # fmt: skip
        self._daemons.append(daemon)
        return daemon

    def stop(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.kill()
            daemon.wait()


def _key_entry(name: str) -> str:
    """One entry of a keyring: a secret (type, time, length, bytes) and what it may do."""
    secret = struct.pack("<HIIH", 1, int(time.time()), 0, 16) + os.urandom(16)
    caps = "".join(f' caps {daemon} = "{cap}"\n' for daemon, cap in _RIGHTS[name].items())
    return f"[{name}]\n key = {base64.b64encode(secret).decode()}\n{caps}"


def _make_bucket(url: str) -> None:
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **CREDENTIALS)
    client.create_bucket(Bucket=BUCKET)


@pytest.fixture(scope="session")
def radosgw_server() -> Iterator[Radosgw]:
    """A real S3 of this test run's own; skips, saying why, where it cannot run."""
    try:
        with throwaway_radosgw() as server:
            yield server
    except NoRadosgw as reason:
        pytest.skip(str(reason))
