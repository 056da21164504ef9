"""`--test`: what is installed for the tests, and what is said where that cannot be."""

from __future__ import annotations

import pytest

from school.bootstrap import testing
from school.bootstrap.console import Stop
from school.bootstrap.platforms import Ran

NAMES = ("postgresql", "chromium")
LISTING = "dpkg-query -W"


def debian(computer, *, is_root: bool):
    computer.programs["apt-get"] = "/usr/bin/apt-get"
    return computer.platform(is_root=is_root)


def test_what_is_installed_is_left_alone(computer):
    computer.answers[LISTING] = Ran(0, "postgresql installed\nchromium installed\n")
    assert testing.install_system_packages(debian(computer, is_root=True), NAMES) == "there already"
    assert not computer.ran("apt-get")


def test_only_what_is_missing_is_installed(computer, monkeypatch):
    answers = iter([["chromium"], []])
    monkeypatch.setattr(testing, "missing_packages", lambda *_: next(answers))
    assert (
        testing.install_system_packages(debian(computer, is_root=True), NAMES)
        == "installed chromium"
    )
    assert computer.asked == [
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"],
    ]
    assert {"DEBIAN_FRONTEND": "noninteractive"} in computer.environments


def test_a_removed_package_whose_settings_remain_is_missing(computer):
    computer.answers[LISTING] = Ran(1, "postgresql config-files\nchromium installed\n")
    assert testing.missing_packages(debian(computer, is_root=True), NAMES) == ["postgresql"]


def test_without_root_it_says_what_stays_missing_and_goes_on(computer):
    computer.answers[LISTING] = Ran(1, "chromium installed\n")
    said = testing.install_system_packages(debian(computer, is_root=False), NAMES)
    assert said == "not installed, because you are not root: postgresql"
    assert not computer.ran("apt-get")


@pytest.mark.parametrize("name", ["macos", "windows", "linux"])
def test_elsewhere_it_is_left_to_the_person(computer, name):
    assert "left to you" in testing.install_system_packages(computer.platform(name), NAMES)
    assert computer.asked == []


def test_what_apt_cannot_install_is_named(computer):
    computer.answers = {
        LISTING: Ran(1, ""),
        "apt-get install": Ran(100, err="E: Unable to locate package chromium\n"),
    }
    with pytest.raises(
        Stop, match="could not install postgresql, chromium: E: Unable to locate package chromium"
    ):
        testing.apt_install(debian(computer, is_root=True), list(NAMES))
    assert "could not install" in testing.install_system_packages(
        debian(computer, is_root=True), NAMES
    )


def test_real_dpkg_is_read(repository):
    import shutil

    from school.bootstrap.platforms import Platform

    if shutil.which("dpkg-query") is None:
        pytest.skip("this is not Debian")
    assert testing.missing_packages(Platform("linux"), ("dpkg", "no-such-package-here")) == [
        "no-such-package-here"
    ]
