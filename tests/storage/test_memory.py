"""However large an object is, a provider holds little of it: measured, in a process of its own.

256 MiB in the usual run; 1 GiB with SCHOOLHOUSE_LONG_TESTS=1. The far end is a server without a
bottom, in yet another process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MIB = 1024 * 1024
BOUND_MIB = 64
SIZE_MIB = 1024 if os.environ.get("SCHOOLHOUSE_LONG_TESTS") == "1" else 256
ROOT = Path(__file__).parents[2]

# Idle is after one small object went in and out: the libraries are loaded, connections are open.
PROGRAM = """
import json, sys, time
from pathlib import Path
from school.storage.gcs import GcsStorage
from school.storage.hybrid import HybridStorage
from school.storage.local import LocalStorage
from school.storage.s3 import S3Storage

kind, url, folder, size = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])

class Zeros:
    def __init__(self, size): self.left = size
    def read(self, count):
        count = min(count, self.left); self.left -= count
        return bytes(count)

def local(name): return LocalStorage(folder / name, signing_keys=["k" * 40], name=name)
def s3():
    return S3Storage("b", endpoint_url=url,
                     credentials={"aws_access_key_id": "a", "aws_secret_access_key": "s"})
make = {"local": lambda: local("files"), "s3": s3, "gcs": lambda: GcsStorage("b", endpoint_url=url),
        "hybrid": lambda: HybridStorage(s3(), local("copies"))}
provider = make[kind]()

def status(field):
    # Not getrusage: a child's ru_maxrss begins with its parent's, and pytest is large.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

def peak():
    return status("VmHWM")

def out(key, size):
    with provider.open(key) as blocks:
        assert sum(map(len, blocks)) == size

provider.put("blob/small", Zeros(1000)); out("blob/small", 1000)
idle = status("VmRSS")
began = time.monotonic(); provider.put("blob/large", Zeros(size)); put_s = time.monotonic() - began
put_peak = peak()
began = time.monotonic(); out("blob/large", size); open_s = time.monotonic() - began
print(json.dumps({"idle": idle, "put": put_peak, "open": peak(),
                  "put_s": round(put_s, 1), "open_s": round(open_s, 1)}))
"""


@pytest.fixture
def well() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.well"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.kill()
    process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local", "s3", "gcs", "hybrid"])
def test_a_large_object_needs_little_memory(kind: str, well: str, tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is measured on Linux only")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind, well, str(tmp_path), str(SIZE_MIB * MIB)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    needed = max(found["put"], found["open"]) - found["idle"]
    print(f"{kind}: {SIZE_MIB} MiB in and out, {needed / MIB:.0f} MiB above idle; {found}")
    assert needed < BOUND_MIB * MIB
