"""Sharing: somebody else may see or change a file or a folder with all in it, until it ends.

What a share gives is asked anew at every use (`policy.shared_access`), so taking it back works at
once, for links that were handed out too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from school import cache, clock
from school.accounts.models import Membership, User
from school.accounts.queries.members import matches
from school.audit.actor import current_actor
from school.audit.log import Facts, facts, plain, record
from school.db import db, new_id, take_turn
from school.errors import Conflict, Invalid
from school.files.models import Access, File, Folder, Grantee, Share, Target
from school.files.queries import PHOTO, file_gone, is_for, is_live, spot_of, trail_to
from school.permissions import ROLE_PERMISSIONS, Permission, Person, Role, permissions_of
from school.tenancy.scope import current_school_id

SHARE_FACTS = (
    "target_kind",
    "target_id",
    "grantee_kind",
    "grantee_id",
    "grantee_role",
    "access",
    "expires_at",
    "ended_at",
)
MOST_FOUND = 8
Thing = File | Folder


class Grant(NamedTuple):
    """With whom: a person or everybody of a role."""

    user_id: UUID | None = None
    role: Role | None = None


class ShareRow(NamedTuple):
    """A share as a page lists it."""

    id: UUID
    kind: str
    user_id: UUID | None
    role: str | None
    name: str
    access: str
    expires_at: datetime | None
    created_at: datetime
    by: str
    # The folder above by which it reaches here, id and name; None: shared itself.
    through: tuple[UUID, str] | None


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody of the school with whom a file can be shared."""

    id: UUID
    name: str
    email: str
    roles: frozenset[Role]


def target_of(thing: Thing) -> tuple[str, UUID]:
    kind = Target.FILE if isinstance(thing, File) else Target.FOLDER
    return kind.value, thing.id


def find_people(question: str, *, besides: UUID) -> list[Found]:
    """Active members of the school whose name or e-mail fits, a few; never the asker. Who is called
    exactly so comes first."""
    typed = question.lower()
    is_exact = sa.or_(sa.func.lower(User.display_name) == typed, User.email == typed)
    fitting = _active(matches(question)).order_by(None)
    fitting = fitting.order_by(is_exact.desc(), sa.func.lower(User.display_name), User.id)
    ids = db.session.scalars(fitting.limit(MOST_FOUND + 1)).all()
    return [one for one in _read_people(ids) if one.id != besides]


def find_person(user_id: UUID) -> Found:
    """Raises NotFound for who is not of this school."""
    people = _read_people([user_id])
    if not people:
        raise file_gone()
    return people[0]


def _read_people(ids: Sequence[UUID]) -> list[Found]:
    roles: dict[UUID, set[Role]] = {}
    people: dict[UUID, tuple[str, str]] = {}
    for row in db.session.execute(
        sa.select(User.id, User.display_name, User.email, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(User.id.in_(ids), Membership.school_id == current_school_id())
        .order_by(sa.func.lower(User.display_name), User.id)
    ):
        people[row.id] = (row.display_name, row.email)
        roles.setdefault(row.id, set()).add(Role(row.role))
    return [Found(user_id, *names, frozenset(roles[user_id])) for user_id, names in people.items()]


def _active(*where: sa.ColumnElement[bool]) -> sa.Select[UUID]:
    members = sa.select(Membership.user_id).where(Membership.school_id == current_school_id())
    return (
        sa.select(User.id)
        .where(User.id.in_(members), User.active.is_(True), *where)
        .order_by(sa.func.lower(User.display_name), User.id)
    )


def check_sharable(thing: Thing) -> None:
    """Raises Conflict for a photo."""
    if isinstance(thing, File) and thing.purpose == PHOTO:
        raise Conflict("A photo is not shared: those who see the student see it.")


def share(
    thing: Thing, grant: Grant, *, access: Access = Access.VIEW, expires_at: datetime | None = None
) -> Share:
    """Let somebody see or change this. Shared with them already, it now is as said here.

    Raises NotFound for a person who is not of this school, Invalid for an end that has passed
    and for who may change no files at all, Conflict for a photo.
    """
    check_sharable(thing)
    _check_grant(grant, access, expires_at)
    kind, target_id = target_of(thing)
    take_turn(db.session(), f"share:{target_id}")
    same = _find(target_id, grant)
    if same is not None:
        before = facts(same, SHARE_FACTS)
        same.access, same.expires_at = access, expires_at
        _record("share.changed", same, before=before)
        return same
    return add_share(
        Share(
            id=new_id(),
            target_kind=kind,
            target_id=target_id,
            grantee_kind=Grantee.PERSON if grant.user_id else Grantee.ROLE,
            grantee_id=grant.user_id,
            grantee_role=grant.role,
            access=access,
            expires_at=expires_at,
        )
    )


def add_share(new: Share) -> Share:
    """Keep a new share with who gave it. Audited."""
    actor = current_actor()
    new.created_by, new.created_by_name = actor.user_id, actor.name
    db.session.add(new)
    db.session.flush()
    record("share.given", new.target_kind, new.target_id, after=facts(new, SHARE_FACTS))
    share_changed()
    return new


def share_changed() -> None:
    """Lists say what is shared."""
    cache.forget(current_school_id(), "files")


def _check_grant(grant: Grant, access: Access, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= clock.now():
        raise Invalid("This day has passed. Choose a later one.", field="expires_on")
    if grant.user_id is not None:
        held = _permissions_here(grant.user_id)
    else:
        held = ROLE_PERMISSIONS[grant.role] if grant.role else frozenset()
    if access is Access.EDIT and Permission.FILE_UPLOAD not in held:
        raise Invalid("Families can look at files, but not change them.", field="access")


def _permissions_here(user_id: UUID) -> frozenset[Permission]:
    """Raises NotFound for who is not an active member of the school."""
    rows = db.session.scalars(
        sa.select(Membership.role).where(
            Membership.user_id.in_(_active(User.id == user_id).order_by(None)),
            Membership.school_id == current_school_id(),
        )
    ).all()
    if not rows:
        raise file_gone()
    return permissions_of(frozenset(Role(role) for role in rows))


def _find(target_id: UUID, grant: Grant) -> Share | None:
    return db.session.scalars(
        sa.select(Share).where(
            Share.target_id == target_id,
            Share.ended_at.is_(None),
            Share.grantee_id == grant.user_id,
            Share.grantee_role == grant.role,
            Share.grantee_kind != Grantee.LINK,
        )
    ).first()


def forget_shares(thing: Thing) -> None:
    """Delete the rows of a thing that is deleted for good, in the caller's transaction."""
    kind, target_id = target_of(thing)
    db.session.execute(
        sa.delete(Share)
        .where(Share.target_kind == kind, Share.target_id == target_id)
        .execution_options(synchronize_session=False)
    )


def get_share(share_id: UUID) -> tuple[Share, Thing]:
    """A share and what it is of. Raises NotFound."""
    found = db.session.scalar(sa.select(Share).where(Share.id == share_id))
    model: Any = File if found is not None and found.target_kind == Target.FILE else Folder
    thing: Thing | None = (
        db.session.scalar(sa.select(model).where(model.id == found.target_id)) if found else None
    )
    if found is None or thing is None or thing.trashed_at is not None:
        raise file_gone()
    return found, thing


def end_share(given: Share) -> None:
    """Take it back, at once. Twice is once."""
    if given.ended_at is None:
        before = facts(given, SHARE_FACTS)
        given.ended_at = clock.now()
        _record("share.ended", given, before=before)


def renew_share(given: Share) -> None:
    """Give again what was taken back. A link stays dead: whoever has it may have passed it on.

    Raises NotFound for a link, Invalid when it has ended by its date meanwhile.
    """
    if given.grantee_kind == Grantee.LINK:
        raise file_gone()
    take_turn(db.session(), f"share:{given.target_id}")
    db.session.refresh(given)
    same = _find(given.target_id, Grant(given.grantee_id, _role(given.grantee_role)))
    standing = same or given
    if standing.expires_at is not None and standing.expires_at <= clock.now():
        raise Invalid("Its last day has passed. Share it anew, with a later day.")
    if same is not None:
        return
    before = facts(given, SHARE_FACTS)
    given.ended_at = None
    _record("share.given", given, before=before)


def _role(value: str | None) -> Role | None:
    return Role(value) if value else None


def _record(action: str, given: Share, *, before: Facts) -> None:
    db.session.flush()
    after = facts(given, SHARE_FACTS)
    if before != after:
        record(action, given.target_kind, given.target_id, before=before, after=after)
        share_changed()


def list_shares(thing: Thing, *, above: Sequence[Folder] | None = None) -> list[ShareRow]:
    """Who this is shared with now: itself first, then by the folders above it.

    Remembered for a minute, or until something changes.
    """
    if above is None:
        above = trail_to(spot_of(thing).folder_id)
    folders = {folder.id: (folder.id, folder.name) for folder in above}
    rows = cache.remember(
        current_school_id(),
        "files",
        f"shares:{thing.id}",
        lambda: [_as_json(*row) for row in _read_shares([thing.id, *folders])],
        seconds=60,
    )
    found = [_as_row(row, folders) for row in rows]
    return sorted(found, key=lambda row: row.through is not None)


def _read_shares(target_ids: Sequence[UUID]) -> Sequence[Any]:
    return db.session.execute(
        sa.select(Share, User.display_name)
        .outerjoin(User, User.id == Share.grantee_id)
        .where(Share.target_id.in_(target_ids), is_live())
        .order_by(Share.created_at, Share.id)
    ).all()


def _as_json(given: Share, name: str | None) -> list[str | None]:
    """In the order of `ShareRow`, with the target last."""
    values = (
        given.id,
        given.grantee_kind,
        given.grantee_id,
        given.grantee_role,
        name or "",
        given.access,
        given.expires_at,
        given.created_at,
        given.created_by_name,
        given.target_id,
    )
    return [None if value is None else str(plain(value)) for value in values]


def _as_row(row: Sequence[Any], folders: Mapping[UUID, tuple[UUID, str]]) -> ShareRow:
    share_id, kind, user_id, role, name, access, expires_at, created_at, by, target_id = row
    return ShareRow(
        id=UUID(share_id),
        kind=kind,
        user_id=UUID(user_id) if user_id else None,
        role=role,
        name=name,
        access=access,
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        created_at=datetime.fromisoformat(created_at),
        by=by,
        through=folders.get(UUID(target_id)),
    )


def first_shared(person: Person, trail: Sequence[Folder]) -> int:
    """Which of these folders, the outermost first, is the first that is shared with the person."""
    shared = set(
        db.session.scalars(
            sa.select(Share.target_id).where(
                Share.target_id.in_([folder.id for folder in trail]), is_live(), is_for(person)
            )
        )
    )
    return next((place for place, folder in enumerate(trail) if folder.id in shared), len(trail))
