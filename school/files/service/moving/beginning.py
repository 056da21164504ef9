"""Whether a move to an address may begin, what it would carry, and its first row."""

from __future__ import annotations

import io
from typing import NamedTuple

import sqlalchemy as sa

from school import clock
from school.audit.log import record_platform
from school.db import db, take_turn, transaction
from school.errors import Conflict, Invalid
from school.files.models import MoveStep, StorageMove
from school.files.service.moving import carrying
from school.files.service.moving.alive import is_at_work
from school.files.service.moving.books import SOAK_DAYS, find_move
from school.files.service.moving.carrying import Sums, Way
from school.files.service.moving.places import new_name, overlap
from school.files.service.reconciling.known import FILES, ON_THE_WAY, other_prefixes
from school.files.service.reconciling.schools import all_schools, inside
from school.files.service.shelf import shelf
from school.storage.errors import StorageError
from school.storage.factory import storage_url_problem
from school.storage.hybrid import members_of
from school.storage.keys import new_key
from school.storage.protocol import StorageProvider
from school.tenancy.scope import outside_schools

_TRIAL = b"Schoolhouse tries whether files can be kept here.\n"


class Plan(NamedTuple):
    """What a move would carry, and from where to where."""

    source: str
    target: str
    source_url: str
    target_url: str
    objects: int
    bytes: int


def plan_move(url: str) -> Plan:
    """Look at everything, change nothing but a small object that is tried out at the target.

    Raises Invalid for an address that cannot be one, Conflict when the installation is not ready
    or the target does not answer or is not empty.
    """
    with outside_schools():
        _check_ready()
        _check_address(url)
        here = shelf()
        source = here.provider
        name = new_name(url, {source.name, *_names_taken()})
        target = here.follower.place(source, url, name)
        _try_out(target)
        _check_empty(target)
        sums = _sum(Way(source, target, read_since=clock.now()))
        return Plan(source.name, name, here.follower.url, url, sums.objects, sums.bytes)


def begin(url: str, *, soak_days: int = SOAK_DAYS) -> StorageMove:
    """The row that all processes follow. Raises what `plan_move` raises."""
    plan = plan_move(url)
    move = StorageMove(
        source=plan.source,
        target=plan.target,
        source_url=plan.source_url,
        target_url=plan.target_url,
        step=MoveStep.COPYING,
        counts={"soak_days": soak_days, "step_at": clock.now().isoformat()},
    )
    with outside_schools(), transaction() as session:
        take_turn(session, "storage.move")
        _check_none_open()
        session.add(move)
        session.flush()
        details = {"source": plan.source_url, "target": plan.target_url}
        record_platform("storage.move_began", "storage_move", move.id, details=details)
    shelf().follower.forget()
    return move


def _check_ready() -> None:
    _check_none_open()
    here = shelf()
    ended = here.follower.outdated()
    if ended is not None:
        raise Conflict(
            "STORAGE_URL still names the place that files have left. Write "
            "STORAGE_URL=%(url)s into .env, restart, and begin again.",
            url=ended.home,
        )
    if len(members_of(here.provider)) > 1:
        raise Conflict(
            "STORAGE_COPY_URL names a second place. Take it out of .env and restart, move, and put "
            "it back when the move is done: the copies there are kept and compared."
        )


def _check_none_open() -> None:
    move = find_move()
    if move is not None and move.step not in {MoveStep.DONE, MoveStep.ROLLED_BACK}:
        if is_at_work(move):
            raise Conflict(
                "A command is moving the files to %(url)s at this moment.", url=move.target_url
            )
        raise Conflict(
            "A move to %(url)s is under way. Go on with --resume, or take it back with --rollback.",
            url=move.target_url,
        )


def _check_address(url: str) -> None:
    problem = storage_url_problem(url)
    if problem:
        raise Invalid("The address %(problem)s.", problem=problem, field="to")
    if overlap(url, shelf().follower.url):
        raise Invalid(
            "That is where files lie now, or a place inside it. Name another.", field="to"
        )


def _names_taken() -> set[str]:
    """A name once used for a place means that place, in rows that may still be there."""
    names: set[str] = set()
    for move in db.session.execute(sa.select(StorageMove.source, StorageMove.target)):
        names.update(move)
    db.session.remove()
    for kind in ("local", "s3", "gcs"):
        if _is_used(kind):
            names.add(kind)
    return names


def _is_used(name: str) -> bool:
    """Rows from when copies went to another place of this kind."""
    for school_id in all_schools():
        with inside(school_id):
            if carrying.count_rows(name):
                return True
    return False


def _try_out(target: StorageProvider) -> None:
    key = new_key("trial")
    try:
        target.put(key, io.BytesIO(_TRIAL), size=len(_TRIAL))
        with target.open(key) as blocks:
            is_same = b"".join(blocks) == _TRIAL
        target.delete(key)
    except StorageError as error:
        raise Conflict(
            "Files cannot be kept at the new storage: %(why)s", why=f"{error}"
        ) from error
    if not is_same:
        raise Conflict("The new storage gives back other bytes than it was given.")


def _check_empty(target: StorageProvider) -> None:
    """So that whatever lies there later was put there by the move."""
    try:
        for prefix in (FILES, ON_THE_WAY, *other_prefixes()):
            for info in target.list(prefix):
                raise Conflict(
                    "The new storage holds files of Schoolhouse already, such as %(key)s. Name an "
                    "empty folder, bucket or prefix.",
                    key=info.key,
                )
    except StorageError as error:
        raise Conflict("The new storage cannot be listed: %(why)s", why=f"{error}") from error


def _sum(way: Way) -> Sums:
    total = Sums()
    for school_id in all_schools():
        with inside(school_id):
            total = total.plus(carrying.sum_up(way))
    return total
