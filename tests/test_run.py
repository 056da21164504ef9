"""The test run itself: its sums are right, and nothing broken looks green."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import run
from tests.run import Cannot, Outcome, Runner, run_part, run_pytest

TESTS = {
    "good.py": "def test_one(): pass\ndef test_two(): pass\n",
    "bad.py": "def test_bad(): assert 'seven' == 'eight'\n",
    "skipped.py": "import pytest\n@pytest.mark.skip(reason='no moon tonight')\ndef test_moon(): pass\n",
    "broken.py": "import no_such_module_here\n",
    "erring.py": "import pytest\n@pytest.fixture\ndef x(): raise OSError('gone')\ndef test_x(x): pass\n",
    "empty.py": "",
    "crash.py": "import os\ndef test_ok(): pass\ndef test_crash(): os._exit(3)\n",
    "slow.py": "import time\ndef test_slow(): time.sleep(60)\n",
}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    (tmp_path / "work").mkdir()
    return Runner(tmp_path / "work")


def outcome_of(runner: Runner, tmp_path: Path, *names: str) -> Outcome:
    # Outside the repository, so that no conftest has a say.
    files = []
    for name in names:
        files.append(str(tmp_path / f"test_{name}"))
        Path(files[-1]).write_text(TESTS[name])
    return run_pytest(runner, "part", ["--rootdir", str(tmp_path), "-c", os.devnull, *files], {})


@pytest.mark.parametrize(
    ("names", "passed", "failed"),
    [
        (["good.py"], 2, 0),
        (["good.py", "bad.py"], 2, 1),
        (["good.py", "erring.py"], 2, 1),
        (["good.py", "broken.py"], 0, 1),
        (["empty.py"], 0, 1),
        (["crash.py"], 0, 1),
    ],
)
def test_sums(runner, tmp_path, names, passed, failed):
    outcome = outcome_of(runner, tmp_path, *names)
    assert (outcome.passed, outcome.failed) == (passed, failed), outcome.text


def test_what_failed_is_shown(runner, tmp_path, capsys):
    run.tell(outcome_of(runner, tmp_path, "bad.py"))
    assert "assert 'seven' == 'eight'" in capsys.readouterr().out


def test_skipped_tests_are_shown_with_their_reason(runner, tmp_path, capsys):
    run.tell(outcome_of(runner, tmp_path, "good.py", "skipped.py"))
    assert "skipped 1 x no moon tonight" in capsys.readouterr().out


def test_a_part_that_takes_too_long_is_stopped_and_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "LIMIT_S", 3.0)
    began = time.monotonic()
    outcome = outcome_of(Runner(tmp_path), tmp_path, "slow.py")
    assert outcome.failed == 1
    assert time.monotonic() - began < 20


def test_a_part_that_cannot_run_says_why(runner, monkeypatch, capsys):
    def cannot(_: Runner) -> Outcome:
        raise Cannot("no Chromium found")

    monkeypatch.setitem(run.ACTIONS, "browser", cannot)
    run.tell(run_part("browser", runner))
    assert capsys.readouterr().out == "browser   not run: no Chromium found\n"


def test_a_linter_counts_as_one(runner):
    assert run._linter("ok", sys.executable, "-c", "")(runner).passed == 1
    bad = run._linter("no", sys.executable, "-c", "import sys; sys.exit('line 3 is too long')")(
        runner
    )
    assert (bad.failed, bad.text.strip()) == (1, "line 3 is too long")


def test_the_developers_settings_do_not_reach_the_tests(runner, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://production")
    code, said = runner.run(
        "look", [sys.executable, "-c", "import os; print(os.environ.get('DATABASE_URL'))"]
    )
    assert (code, said.strip()) == (0, "None")


def test_every_setting_is_kept_from_the_tests():
    from config_enhanced import Settings

    assert run.settings_names() == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(
    ("outcomes", "last", "code"),
    [
        ([Outcome("a", passed=3), Outcome("b", passed=4)], "7 passed, 0 failed", 0),
        ([Outcome("a", passed=3), Outcome("b", passed=4, failed=2)], "7 passed, 2 failed", 1),
        ([Outcome("a", not_run="nothing here")], "0 passed, 0 failed", 1),
    ],
)
def test_the_last_line_is_the_sum_over_all_parts(outcomes, last, code, monkeypatch, capsys):
    monkeypatch.setattr(run, "run_all", lambda _: outcomes)
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    assert run.main([]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_stopping_leaves_no_program_behind(tmp_path):
    """SIGTERM in the middle: the run ends quickly, its children with it."""
    child = tmp_path / "child"
    code = f"import os, time; open({str(child)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    script = (
        f"import sys; from tests import run\ncode = {code!r}\n"
        "run.ACTIONS['ruff'] = run._linter('ruff', sys.executable, '-c', code)\n"
        "sys.exit(run.main(['--only', 'ruff']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=run.ROOT, stdout=subprocess.PIPE, text=True
    )
    while not (child.exists() and child.read_text()):
        time.sleep(0.05)
        assert process.poll() is None
    process.terminate()
    assert process.communicate(timeout=20)[0].endswith("Stopped.\n")
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(child.read_text()), 0)
