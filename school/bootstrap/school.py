"""The installed program, asked to do its part: `python -m school …` in the virtual environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from school.bootstrap.console import WRONG_USAGE, Stop, has_keyboard, step
from school.bootstrap.options import Options, is_email
from school.bootstrap.packages import last_line
from school.bootstrap.platforms import Platform, Ran

FOUNDED = "set-up.json"


@dataclass(frozen=True)
class FirstAdministrator:
    """Who gets the one-time link, and for which school."""

    school: str
    email: str


@dataclass
class School:
    """`environment` is laid over the settings file this once; `before` stands before commands."""

    root: Path
    python: Path
    data_dir: Path
    platform: Platform
    environment: Mapping[str, str] = field(default_factory=dict)
    sign_in: str = ""
    before: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        return [*self.before, str(self.python), "-m", "school"]

    def is_founded(self) -> bool:
        """A school and its first administrator have been set up here before."""
        return (self.data_dir / FOUNDED).exists()

    def check(self, settings: Mapping[str, str]) -> None:
        """Database, cache and storage answer. A SQLite file needs no asking."""
        if not any(settings.get(name) for name in ("DATABASE_URL", "REDIS_URL", "STORAGE_URL")):
            return
        with step("Services") as this:
            answer = self._run("preflight", "--json")
            faults = _faults(answer)
            if faults:
                raise Stop(
                    "\n".join(faults),
                    "mend that, or change the address in .env, and run this again",
                )
            this.result = "database, cache and storage answer"

    def migrate(self) -> None:
        with step("Database") as this:
            this.result = last_line(Ran(0, self._do("db", "upgrade").out)).rstrip(".")

    def open_demo(self) -> None:
        with step("Demo school") as this:
            self.sign_in = self._do("demo").out.strip()
            self._note({"demo": self.sign_in})
            this.result = "made, with its accounts"

    def found(self, first: FirstAdministrator) -> None:
        """The school and its administrator; keeps the one-time link in `sign_in`."""
        with step("School") as this:
            done = self._do("setup", "--school", first.school, "--email", first.email)
            self._note({"school": first.school, "email": first.email})
            self.sign_in = done.out.strip()
            this.result = f"{first.school}, administrator {first.email}"

    def _note(self, done: dict[str, str]) -> None:
        """Remember that this is done; a later run needs no program to find out."""
        text = json.dumps(done, ensure_ascii=False) + "\n"
        (self.data_dir / FOUNDED).write_text(text, "utf-8")

    def recall(self) -> None:
        """Who may sign in to the demo; a one-time link is of no use a second time."""
        with suppress(OSError, ValueError):
            self.sign_in = json.loads((self.data_dir / FOUNDED).read_text("utf-8")).get("demo", "")

    def _do(self, *words: str) -> Ran:
        """Run a command that has to succeed; what it says is the reason when it does not."""
        done = self._run(*words)
        if done.code:
            raise Stop(_reason(done), f"the whole story is in {self._keep_log(done)}")
        return done

    def _run(self, *words: str) -> Ran:
        return self.platform.run(
            [*self.command, *words],
            cwd=self.root,
            env={**self.environment, "PYTHONIOENCODING": "utf-8"},
        )

    def _keep_log(self, done: Ran) -> Path:
        log = self.data_dir / "set-up.log"
        log.write_text(done.out + done.err, "utf-8")
        return log


def _reason(done: Ran) -> str:
    """Every sentence (faulty settings are all named); of a traceback, its last line."""
    said = done.err.strip()
    return last_line(done) if not said or "Traceback (most recent" in said else said


def _faults(answer: Ran) -> list[str]:
    with suppress(ValueError, AttributeError):
        return [str(fault) for fault in json.loads(answer.out).get("faults", [])]
    return [answer.err.strip() or last_line(answer)] if answer.code else []


def ask(options: Options, platform: Platform) -> FirstAdministrator:
    """Whatever the options leave open, asked at the keyboard; without one, raises Stop."""
    missing = [
        name
        for name, value in (("--school NAME", options.school), ("--email ADDR", options.email))
        if not value
    ]
    if missing and not has_keyboard():
        raise Stop(
            f"Set-up needs to know {' and '.join(missing)}.",
            f'{platform.script} --school "Hill School" --email head@example.org'
            f" (or, to look around first: {platform.script} --demo)",
            code=WRONG_USAGE,
        )
    school = options.school or _answer("Name of the school: ", bool, "Type the name of the school.")
    email = options.email or _answer(
        "Your e-mail address: ", is_email, "Type an address such as head@school.example.org."
    )
    return FirstAdministrator(school, email)


def _answer(question: str, fits: Callable[[str], bool], hint: str) -> str:
    while True:
        try:
            answer = " ".join(input(question).split())
        except EOFError:
            raise Stop(
                "Nobody answered.", "run this again, or give --school and --email", code=WRONG_USAGE
            ) from None
        if fits(answer):
            return answer
        print(hint)
