"""What happened to a file or a folder: who changed, moved, shared and fetched it, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from school.audit.models import AuditEvent
from school.files import policy, queries
from school.files.models import Access, Folder, Grantee
from school.files.queries import spot_of
from school.files.service.sharing import Thing, target_of
from school.files.views.blueprint import bp
from school.files.views.held import reason_words
from school.files.views.showing import EVERYBODY, frame_of, url_of_thing
from school.permissions import Permission, Person, Role
from school.web.access import requires, the_person
from school.web.formats import moment
from school.web.history import SHARED_TITLES, page_of

TITLES: dict[str, Any] = SHARED_TITLES | {
    "file.added": lazy_gettext("Added"),
    "file.version_added": lazy_gettext("Replaced by a new version"),
    "file.version_restored": lazy_gettext("Old version brought back"),
    "file.versions_let_go": lazy_gettext("Old versions let go"),
    "file.renamed": lazy_gettext("Renamed"),
    "file.archived": lazy_gettext("Put away"),
    "file.restored": lazy_gettext("Taken out again"),
    "file.trashed": lazy_gettext("Deleted"),
    "file.taken_out": lazy_gettext("Taken out of the trash"),
    "file.downloaded": lazy_gettext("Looked at or downloaded"),
    "file.link_issued": lazy_gettext("Asked for, to look at it or to download it"),
    "file.scanned": lazy_gettext("Checked for viruses"),
    "file.refused": lazy_gettext("New version refused: a virus was found"),
    "folder.made": lazy_gettext("Made"),
    "folder.renamed": lazy_gettext("Renamed"),
    "folder.trashed": lazy_gettext("Deleted, with what lay in it"),
    "folder.taken_out": lazy_gettext("Taken out of the trash, with what lay in it"),
    "share.given": lazy_gettext("Shared"),
    "share.changed": lazy_gettext("Sharing changed"),
    "share.ended": lazy_gettext("Sharing taken back"),
}
_WAYS = {
    "zip": lazy_gettext("in a ZIP"),
    "link": lazy_gettext("by a link, without an account"),
    "preview": lazy_gettext("on its page"),
}
_SCANS = {
    "clean": lazy_gettext("Nothing was found."),
    "unscanned": lazy_gettext("It was not checked."),
}
_MADE = {"file.added", "folder.made"}
_ACCESS = {
    Access.VIEW.value: lazy_gettext("may look"),
    Access.EDIT.value: lazy_gettext("may look and change"),
}
Facts = dict[str, Any]
Change = dict[str, str]


@bp.get("/files/<uuid:file_id>/history")
@requires(Permission.FILE_VIEW)
def file_history(file_id: UUID) -> str:
    """What happened to a file, the newest first."""
    file = queries.get_file(file_id)
    policy.check_history(the_person(), file)
    return _page(file, queries.trail_to(file.folder_id))


@bp.get("/files/folders/<uuid:folder_id>/history")
@requires(Permission.FILE_VIEW)
def folder_history(folder_id: UUID) -> str:
    """What happened to a folder itself, the newest first."""
    trail = queries.trail_to(folder_id)
    if not trail:
        raise queries.file_gone()
    policy.check_history(the_person(), trail[-1], trail)
    return _page(trail[-1], trail[:-1])


def _page(thing: Thing, above: list[Folder]) -> str:
    person = the_person()
    entity, thing_id = target_of(thing)
    events, older = page_of(thing_id, entity, (), request.args.get("before"))
    frame = frame_of(person, spot_of(thing), above, sees_owner=True)
    return render_template(
        "files/history.html",
        name=thing.name,
        crumbs=[*frame.crumbs, (thing.name, url_of_thing(thing))],
        entries=_entries(events, person, thing),
        older=older,
    )


def _entries(events: Sequence[AuditEvent], person: Person, thing: Thing) -> list[dict[str, Any]]:
    """Events as the history macro takes them; a handful of queries, however many events."""
    names = _Names(events, thing)
    return [
        {
            "title": str(TITLES.get(event.action, _("Changed"))),
            "changes": [c for c in _changes(event, person, names) if c["old"] or c["new"]],
            "note": (event.after or {}).get("note"),
            "at": event.at,
            "when": moment(event.at),
            "who": event.actor_name,
        }
        for event in events
    ]


class _Names:
    """What the folders, owners and people are called that the events speak of.

    Folders of another owner are not named: this reader sees that of the thing's own.
    """

    def __init__(self, events: Sequence[AuditEvent], thing: Thing) -> None:
        self.thing_id = thing.id
        facts = [fact for event in events for fact in (event.before, event.after) if fact]
        self.folders = queries.names_of_folders(
            _ids(facts, "folder_id", "parent_id", "with_folder_id"), owner=spot_of(thing).owner
        )
        self.people = queries.names_of_people(_ids(facts, "grantee_id"))
        owners = {
            (fact["owner_kind"], UUID(fact["owner_id"]))
            for fact in facts
            if fact.get("owner_kind") and fact.get("owner_id")
        }
        self.owners = policy.titles_of(owners)


def _ids(facts: Sequence[Facts], *keys: str) -> set[UUID]:
    return {UUID(fact[key]) for fact in facts for key in keys if fact.get(key)}


def _changes(event: AuditEvent, person: Person, names: _Names) -> list[Change]:
    before, after = event.before or {}, event.after or {}
    kind = event.action.partition(".")[0]
    if kind == "legal_hold":
        # That it stands is told to the office, not why.
        return [_new(_("Why"), after.get("reason"))] if person.may(Permission.FILE_HOLD) else []
    if kind == "share":
        return _shared(before, after, names)
    if event.action.endswith(".moved"):
        return [{"label": "", "old": _place(before, names), "new": _place(after, names)}]
    return [*_called(event, before, after, names), *_told(before, after, names)]


def _called(event: AuditEvent, before: Facts, after: Facts, names: _Names) -> list[Change]:
    """Its first name, and whenever it has changed: by hand, or because it was taken. And that of
    a file in a folder, where the folder tells of it."""
    if before.get("name") and after.get("name"):
        return [{"label": "", "old": before["name"], "new": after["name"]}]
    is_told = event.action in _MADE or event.entity_id != names.thing_id
    return [_new("", after.get("name"))] if is_told else []


def _told(before: Facts, after: Facts, names: _Names) -> list[Change]:
    scan = after.get("scan")
    files = after.get("files")
    return [
        _new(_("Version"), after.get("version")),
        _new(_("Number of the old version"), after.get("from_version")),
        _new("", _WAYS.get(after.get("via", ""))),
        _new(_("With the folder"), _folder_along(after, names)),
        _new("", ngettext("%(num)s file", "%(num)s files", files) if files else None),
        _new("", _SCANS.get(scan) or reason_words(scan, after.get("reason")) if scan else None),
        _new(_("Virus found"), after.get("signature")),
        _new(
            _("Let go"),
            ", ".join(
                str(_("Version %(number)s", number=one["number"]))
                for one in before.get("versions", ())
            ),
        ),
    ]


def _folder_along(facts: Facts, names: _Names) -> str | None:
    """The folder it was deleted or came back with, as that was called then."""
    folder_id = facts.get("with_folder_id")
    if folder_id is None:
        return None
    return str(facts["folder"] if UUID(folder_id) in names.folders else _("another folder"))


def _shared(before: Facts, after: Facts, names: _Names) -> list[Change]:
    """With whom; what they may, and until when where that has changed."""
    old = before if before and before.get("access") != after.get("access") else {}
    expires_at = after.get("expires_at")
    return [
        _new(_("With"), _grantee(after, names)),
        {"label": "", "old": _access(old), "new": _access(after)},
        _new(_("Until"), str(expires_at)[:10] if expires_at else None),
    ]


def _access(facts: Facts) -> str:
    return str(_ACCESS.get(facts.get("access", ""), ""))


def _grantee(facts: Facts, names: _Names) -> str:
    if facts.get("grantee_kind") == Grantee.LINK:
        return str(_("Whoever has the link"))
    if facts.get("grantee_role"):
        return str(EVERYBODY[Role(facts["grantee_role"])])
    return names.people.get(UUID(facts["grantee_id"]), str(_("Somebody who left")))


def _place(facts: Facts, names: _Names) -> str:
    """Where it lay or lies: the folder, or the top of whose files."""
    kind, owner_id = facts.get("owner_kind"), facts.get("owner_id")
    inside = facts.get("folder_id") or facts.get("parent_id")
    if inside and UUID(inside) in names.folders:
        return names.folders[UUID(inside)]
    if inside:
        return str(_("another folder"))
    if kind and owner_id:
        return names.owners.get(UUID(owner_id), str(_("somebody’s own files")))
    return str(_("the top"))


def _new(label: str, value: Any) -> Change:
    return {"label": label, "old": "", "new": "" if value is None else str(value)}
