"""`--test`: what the tests need, then all of them."""

from __future__ import annotations

from pathlib import Path

from school.bootstrap.console import Stop, step
from school.bootstrap.packages import Environment, last_line, prepare
from school.bootstrap.platforms import Platform, become
from school.bootstrap.preflight import NEEDED_MIB, check_disk, check_folder, check_network

TEST_LOCK = "requirements/test.txt"
SYSTEM_PACKAGES = (
    "postgresql",
    "redis-server",
    "clamav-daemon",
    "chromium",
    "fonts-dejavu-core",
    "fonts-noto-core",
    "nginx",
)
# A real S3 to test against; apart, so that a system without it gets the others all the same.
STORE_PACKAGES = ("radosgw", "ceph-mon", "ceph-osd")
# In a container nothing is started; on a machine the tests never use what apt starts.
QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def run_tests(root: Path, platform: Platform) -> None:
    """Does not return: the process becomes the test run, whose exit code counts."""
    environment = Environment(root, platform, lock=TEST_LOCK)
    with step("This computer") as this:
        check_folder(root, "The folder")
        check_disk(root, needed_mib=NEEDED_MIB)
        if not environment.is_complete():
            check_network(platform)
        this.result = "ready"
    with step("System packages") as this:
        this.result = install_system_packages(platform, SYSTEM_PACKAGES)
    with step("A real S3") as this:
        this.result = install_system_packages(platform, STORE_PACKAGES)
    prepare(environment)
    become(platform, [environment.python, "-m", "tests.run"], cwd=root, env={})


def missing_packages(platform: Platform, names: tuple[str, ...]) -> list[str]:
    """Those Debian packages that are not installed."""
    asked = platform.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *names])
    there = {line.split()[0] for line in asked.out.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in there]


def install_system_packages(platform: Platform, names: tuple[str, ...]) -> str:
    """What came of it, in words. What cannot be installed is named; its tests say so again."""
    if not platform.is_debian():
        return "left to you: this is not Debian or Ubuntu"
    missing = missing_packages(platform, names)
    if not missing:
        return "there already"
    if not platform.is_root:
        return f"not installed, because you are not root: {', '.join(missing)}"
    try:
        apt_install(platform, missing)
    except Stop as reason:
        return reason.sentence
    return f"installed {', '.join(missing)}"


def apt_install(platform: Platform, names: list[str]) -> None:
    """Raises Stop naming what is missing still."""
    platform.run(["apt-get", "update", "-q"], env=QUIET)
    done = platform.run(
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *names], env=QUIET
    )
    still = missing_packages(platform, tuple(names))
    if still:
        raise Stop(
            f"apt-get could not install {', '.join(still)}: {last_line(done)}",
            "see that this computer reaches its package sources, and run this again",
        )
