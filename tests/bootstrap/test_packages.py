"""The virtual environment and what is installed in it, with real Python, real pip, and a tiny package."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from school.bootstrap.console import Stop
from school.bootstrap.packages import (
    Environment,
    built_wheels,
    install_failed,
    pins,
    vendored_pip,
)
from school.bootstrap.platforms import Platform, Ran

PRINCIPAL_SHA256 = "30e54ecb2d71315bb61b51cf78e2dda1635fad3b5ea5c04e0b7b16496db590a2"
# flask_principal.py as it lies in the published source whose hash the lock names.
PRINCIPAL_CODE_SHA256 = "1fee99b9263f9c061f59df957688d566ec152d5fed5e45304f04e129d9c7ba74"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def tiny_wheel(folder: Path, version: str = "1.0") -> str:
    """Make a wheel of one module; returns its SHA-256."""
    info = f"chalk-{version}.dist-info"
    files = {
        "chalk.py": f"VERSION = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: chalk\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = (
        "".join(
            f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
            for name, text in files.items()
        )
        + f"{info}/RECORD,,\n"
    )
    path = folder / f"chalk-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Callable[..., Path]:
    """A folder whose lock file names the tiny package, which lies in a folder beside it."""
    for name in [n for n in os.environ if n.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    root = tmp_path / "our school"
    root.mkdir()

    def lock(*, version: str = "1.0", sha256: str | None = None) -> Path:
        real = tiny_wheel(tmp_path / "wheels", version)
        (root / "requirements.txt").write_text(
            f"chalk=={version} \\\n    --hash=sha256:{sha256 or real}\n"
        )
        return root

    return lock


LINUX = Platform("linux", which=lambda _: None)


def chalk_version(environment: Environment) -> str:
    done = subprocess.run(
        [environment.python, "-c", "import chalk; print(chalk.VERSION)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_vendored_pip_is_the_published_one():
    wheel = vendored_pip().parent
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == PIP_SHA256
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith(".dist-info/licenses/LICENSE.txt") for name in archive.namelist())


def test_what_has_only_source_comes_as_the_wheel_we_made_of_it(repository):
    """Nothing is built at a person's: a build fetches tools whose hashes nobody checks."""
    for lock in ("requirements.txt", "requirements/upgrade.txt", "requirements/test.txt"):
        (wheel,) = built_wheels(repository / lock)
        assert wheel.name.startswith("flask_principal-")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == PRINCIPAL_SHA256
    with zipfile.ZipFile(wheel) as archive:
        code = archive.read("flask_principal.py")
    assert hashlib.sha256(code).hexdigest() == PRINCIPAL_CODE_SHA256


def test_nothing_is_built(project, computer):
    computer.programs["uv"] = "/usr/bin/uv"
    fake_environment(computer, project()).install()
    assert "--no-build" in computer.ran("/usr/bin/uv")[0]
    del computer.programs["uv"]
    fake_environment(computer, project()).install()
    assert "--only-binary :all:" in " ".join(computer.asked[-1])


def test_packages_are_installed_once(project):
    environment = Environment(project(), LINUX)
    assert not environment.works()
    environment.make()
    assert environment.works()
    assert not environment.is_complete()
    assert environment.install() == "pip"
    assert chalk_version(environment) == "1.0"
    assert Environment(environment.root, LINUX).is_complete()


def test_a_new_lock_file_is_installed_over_the_old(project):
    environment = Environment(project(), LINUX)
    environment.make()
    environment.install()
    project(version="2.0")
    assert not environment.is_complete()
    environment.install()
    assert chalk_version(environment) == "2.0"


def python_without_ensurepip(folder: Path) -> Path:
    """A Python as Debian ships it without python3-venv: everything is there but ensurepip."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = folder / "lib" / name
    library.mkdir(parents=True)
    for entry in Path(os.__file__).parent.iterdir():
        if entry.name not in {"ensurepip", "site-packages", "__pycache__"}:
            (library / entry.name).symlink_to(entry)
    (folder / "bin").mkdir()
    base = Path(sys.base_prefix)
    python = folder / "bin" / name
    shutil.copy2((base / "bin" / name).resolve(), python)
    for shared in (base / "lib").glob("libpython*"):
        (folder / "lib" / shared.name).symlink_to(shared)
    return python


def test_no_ensurepip_is_needed(project, tmp_path):
    root = project()
    python = python_without_ensurepip(tmp_path / "lame")
    code = (
        "from pathlib import Path; from school.bootstrap.packages import *; from school.bootstrap.platforms import *;"
        f"e = Environment(Path({str(root)!r}), Platform('linux', which=lambda _: None)); e.make(); print(e.install())"
    )
    repository = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [python, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )
    assert done.stdout.strip() == "pip", done.stderr
    assert chalk_version(Environment(root, LINUX)) == "1.0"
    ordinary = subprocess.run(
        [python, "-m", "venv", tmp_path / "ordinary"], capture_output=True, check=False
    )
    assert ordinary.returncode != 0, "the simulation must break the ordinary way"


def test_a_package_with_another_hash_is_refused(project):
    environment = Environment(project(sha256="0" * 64), LINUX)
    environment.make()
    with pytest.raises(Stop, match="not the one the lock file names"):
        environment.install()
    assert not environment.is_complete()
    assert "chalk" in (environment.folder / "install.log").read_text()


def test_an_interrupted_install_is_done_again(project):
    environment = Environment(project(), LINUX)
    environment.make()
    environment.install()
    environment._stamp(environment.lock).write_text("")
    assert not environment.is_complete()


def test_an_environment_whose_python_is_gone_is_made_again(project):
    environment = Environment(project(), LINUX)
    environment.make()
    environment.install()
    environment.python.unlink()
    environment.python.symlink_to("/nowhere/python3")
    assert not environment.works()
    environment.make()
    assert environment.works()
    assert not environment.is_complete()


def fake_environment(computer, root: Path, name: str = "linux") -> Environment:
    environment = Environment(root, computer.platform(name))
    environment.folder.mkdir(exist_ok=True)
    return environment


def test_uv_is_used_where_it_is_installed(project, computer):
    computer.programs["uv"] = "/usr/bin/uv"
    environment = fake_environment(computer, project())
    assert environment.install() == "uv"
    assert computer.ran(
        "/usr/bin/uv", "pip", "install", "--python", str(environment.python), "--require-hashes"
    )
    assert environment.is_complete()


def test_where_pip_was_told_an_index_of_its_own_uv_is_not_used(project, computer):
    computer.programs["uv"] = "/usr/bin/uv"
    computer.answers[f"{sys.executable} {vendored_pip()} config"] = Ran(
        0, "global.index-url='https://mirror.example/simple'\n"
    )
    assert fake_environment(computer, project()).install() == "pip"
    assert not computer.ran("/usr/bin/uv")


def test_where_uv_fails_pip_tries(project, computer):
    computer.programs["uv"] = "/usr/bin/uv"
    computer.answers["/usr/bin/uv"] = Ran(2, err="error: no such option")
    assert fake_environment(computer, project()).install() == "pip"


def test_on_windows_python_is_called_by_its_windows_path(project, computer):
    environment = fake_environment(computer, project(), "windows")
    environment.install()
    python = str(environment.root / ".venv" / "Scripts" / "python.exe")
    assert computer.ran(python, str(vendored_pip()), "install", "--quiet")


def test_what_the_tests_need_includes_what_the_program_needs(project, computer):
    root = project()
    (root / "requirements").mkdir()
    more = root / "requirements" / "test.txt"
    more.write_text((root / "requirements.txt").read_text() + "pytest==9.0\n")
    tests = Environment(root, computer.platform(), lock="requirements/test.txt")
    tests.folder.mkdir()
    tests.install()
    assert tests.is_complete()
    assert Environment(root, computer.platform()).is_complete()


def test_installing_other_versions_forgets_the_other_lock(project, computer):
    root = project()
    (root / "requirements").mkdir()
    more = root / "requirements" / "test.txt"
    more.write_text("chalk==0.9\npytest==9.0\n")
    tests = Environment(root, computer.platform(), lock="requirements/test.txt")
    tests.folder.mkdir()
    tests.install()
    assert not Environment(root, computer.platform()).is_complete()


def test_pins_are_read_with_their_markers(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "# note\na==1 \\\n    --hash=sha256:00\nb==2 ; sys_platform == 'win32' \\\n    # via a==1\n"
    )
    assert pins(lock) == {"a==1", "b==2 ; sys_platform == 'win32'"}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("NewConnectionError: [Errno -3] Temporary failure in name resolution", "does not answer"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
            "not the one the lock file names",
        ),
        (
            "SSLError(SSLCertVerificationError(1, 'certificate verify failed'))",
            "certificate is wrong",
        ),
        ("PermissionError: [WinError 5] Access is denied", "could not be written"),
        ("ERROR: something new", "could not be installed: ERROR: something new"),
    ],
)
def test_failures_are_said_plainly(said, sentence, tmp_path):
    stop = install_failed(Ran(1, err=said), tmp_path / "install.log")
    assert sentence in stop.sentence
    assert "install.log" in stop.remedy
