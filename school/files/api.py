"""Endpoints: files of students, their versions, links to their content."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from flask import current_app, request, url_for

from school import clock
from school.db import db, transaction
from school.files import policy, queries, schemas
from school.files.models import File, Folder, OwnerKind
from school.files.service import folders, keeping, links, quotas, trashing, trashing_folders, usage
from school.permissions import Permission
from school.web.access import requires, the_person
from school.web.api import (
    VERSION_HEADERS,
    Endpoints,
    check_version,
    conditional,
    find_wanted_version,
    page_of,
    page_schema,
    place_of,
    sent_file,
    upload_body,
    version_header,
)
from school.web.api_fields import PageQuery
from school.web.idempotency import idempotent, idempotent_upload

P = Permission
STUDENT = OwnerKind.STUDENT.value
Said = dict[str, Any]
Answer = tuple[Said, dict[str, str]]
files = Endpoints("Files", __name__, description="Files of students, with every version kept.")
_PURPOSE = {"type": "string", "enum": schemas.PURPOSES, "default": "document"}
LONGEST_FRAME = 8 * 1024
"""What a form takes up around a file, in bytes."""
_PAGE_OF_FILES = page_schema(schemas.FileRowSchema)
_FOLDER = {"type": "string", "format": "uuid"}
_NOTE = {"type": "string", "maxLength": keeping.LONGEST_NOTE}


@files.route("/students/<uuid:student_id>/files")
@requires(P.STUDENT_VIEW, P.FILE_VIEW)
@files.arguments(schemas.FilesQuery, location="query")
@files.response(200, _PAGE_OF_FILES)
def of_student(wanted: Said, student_id: UUID) -> Said:
    """A student's files, the newest change first."""
    person = the_person()
    policy.check_owner(person, STUDENT, student_id, archived=wanted["archived"])
    page = queries.list_files(
        STUDENT,
        student_id,
        archived=wanted["archived"],
        closed=policy.closed_to(person),
        place=place_of(wanted["after"], size=2),
        size=wanted["limit"],
    )
    return page_of(page, [_row(row) for row in page.rows])


def _row(row: queries.FileRow) -> Said:
    names = schemas.FileRowSchema().fields.keys() - {"current_version"}
    return {**{name: getattr(row, name) for name in names}, "current_version": row.number}


@files.route("/students/<uuid:student_id>/files", methods=["POST"])
@requires(P.STUDENT_VIEW, P.FILE_VIEW, P.FILE_UPLOAD)
@idempotent_upload
@files.doc(requestBody=upload_body(purpose=_PURPOSE, folder_id=_FOLDER))
@files.response(201, schemas.FileSchema, headers=VERSION_HEADERS)
def add(student_id: UUID) -> Answer:
    """Keep a file, at the top or in a folder.

    One of the same name beside it becomes its new version.
    """
    person = the_person()
    policy.check_owner(person, STUDENT, student_id)
    _check_room()
    sent, values = sent_file(schemas.UploadSchema)
    spot = queries.Spot(STUDENT, student_id, values["folder_id"])
    policy.check_fill(person, spot, purpose=values["purpose"])
    file = keeping.keep_upload(
        sent.stream,
        **spot._asdict(),
        filename=sent.filename,
        purpose=values["purpose"],
    )
    return _one(_fresh(file.id), Location=url_for("api_files.show", file_id=file.id))


@files.route("/students/<uuid:student_id>/folders")
@requires(P.STUDENT_VIEW, P.FILE_VIEW)
@files.arguments(schemas.FoldersQuery, location="query")
@files.response(200, page_schema(schemas.FolderSchema))
def folders_of(wanted: Said, student_id: UUID) -> Said:
    """The folders of a student's files, by name: those at the top, or those in one of them.

    Few hundred lie side by side at most, so there is one page.
    """
    spot = queries.Spot(STUDENT, student_id, wanted["parent_id"])
    policy.standing_in(the_person(), spot)
    return {"items": [row._asdict() for row in queries.list_folders(spot)], "next": None}


@files.route("/students/<uuid:student_id>/folders", methods=["POST"])
@requires(P.STUDENT_VIEW, P.FILE_VIEW, P.FILE_UPLOAD)
@idempotent
@files.arguments(schemas.NewFolderSchema)
@files.response(201, schemas.FolderSchema)
def make_folder(values: Said, student_id: UUID) -> Said:
    """Make a folder.

    Two of one name never lie side by side, big and small letters aside.
    """
    spot = queries.Spot(STUDENT, student_id, values["parent_id"])
    policy.check_fill(the_person(), spot)
    with transaction():
        return _folder(folders.make_folder(spot, values["name"]))


def _folder(folder: Folder) -> Said:
    return {name: getattr(folder, name) for name in schemas.FolderSchema().fields}


@files.route("/folders/<uuid:folder_id>/files")
@requires(P.STUDENT_VIEW, P.FILE_VIEW)
@files.arguments(PageQuery, location="query")
@files.response(200, _PAGE_OF_FILES)
def in_folder(wanted: Said, folder_id: UUID) -> Said:
    """The files that lie in a folder itself, by name."""
    spot = folders.inside(folders.get_folder(folder_id))
    standing = policy.standing_in(the_person(), spot)
    page = queries.list_in(
        spot, closed=standing.closed, place=place_of(wanted["after"], size=2), size=wanted["limit"]
    )
    return page_of(page, [_row(row) for row in page.rows])


@files.route("/folders/<uuid:folder_id>/trash", methods=["POST"])
@requires(P.STUDENT_VIEW, P.FILE_VIEW, P.FILE_UPLOAD)
@idempotent
@files.response(204)
def put_folder_into_trash(folder_id: UUID) -> None:
    """Put a folder into the trash with all that lies in it.

    Without file:delete only one in which nothing lies.
    """
    folder = folders.get_folder(folder_id)
    policy.check_delete_folder(the_person(), folder)
    with transaction():
        may = partial(policy.check_delete_folder, the_person())
        trashing_folders.trash_folder(folder, check=may)


@files.route("/folders/<uuid:folder_id>/trash/restore", methods=["POST"])
@requires(P.STUDENT_VIEW, P.FILE_VIEW, P.FILE_UPLOAD)
@idempotent
@files.response(200, schemas.FolderSchema)
def take_folder_out(folder_id: UUID) -> Said:
    """Take a folder out of the trash with all that went there with it.

    It comes back to where it was, or to the nearest place above that is still there; with a number
    in its name where that is taken by now.
    """
    folder = folders.get_folder(folder_id, from_trash=True)
    policy.check_trashed_folder(the_person(), folder)
    with transaction():
        trashing_folders.take_out_folder(folder)
        return _folder(folder)


@files.route("/files/<uuid:file_id>")
@requires(P.STUDENT_VIEW, P.FILE_VIEW)
@files.response(200, schemas.FileSchema, headers=VERSION_HEADERS)
def show(file_id: UUID) -> Answer:
    """One file with its versions."""
    file = queries.get_file(file_id)
    policy.check_view(the_person(), file)
    return _one(file)


@files.route("/files/<uuid:file_id>", methods=["PATCH"])
@requires(P.STUDENT_VIEW, P.FILE_VIEW, P.FILE_UPLOAD)
@conditional
@files.arguments(schemas.RenameSchema)
@files.response(200, schemas.FileSchema, headers=VERSION_HEADERS)
def rename(values: Said, file_id: UUID) -> Answer:
    """Give a file another name."""
    file = _changeable(file_id)
    with transaction():
        renamed = keeping.rename_file(file, values["name"], expected_version=check_version(file))
    return _one(renamed)


@files.route("/files/<uuid:file_id>", methods=["DELETE"])
@requires(P.STUDENT_VIEW, P.FILE_VIEW, P.FILE_UPLOAD, P.FILE_ARCHIVE)
@conditional
@files.response(204)
def archive(file_id: UUID) -> None:
    """Put a file away: out of lists and search. Nothing is lost."""
    file = queries.get_file(file_id)
    policy.check_archive(the_person(), file)
    with transaction():
        keeping.archive_file(file, expected_version=check_version(file))


@files.route("/files/<uuid:file_id>/trash", methods=["POST"])
@requires(P.STUDENT_VIEW, P.FILE_VIEW, P.FILE_UPLOAD, P.FILE_DELETE)
@idempotent
@files.response(204)
def put_into_trash(file_id: UUID) -> None:
    """Put a file into the trash.

    It is not there for anybody any more, and deleted for good when its time in the trash is over.
    """
    file = queries.get_file(file_id)
    policy.check_delete(the_person(), file)
    with transaction():
        trashing.trash_file(file)


@files.route("/files/<uuid:file_id>/trash/restore", methods=["POST"])
@requires(P.STUDENT_VIEW, P.FILE_VIEW, P.FILE_UPLOAD, P.FILE_DELETE)
@idempotent
@files.response(200, schemas.FileSchema, headers=VERSION_HEADERS)
def take_out(file_id: UUID) -> Answer:
    """Take a file out of the trash."""
    file = queries.get_file(file_id)
    policy.check_trashed(the_person(), file)
    with transaction():
        return _one(trashing.take_out(file))


@files.route("/files/<uuid:file_id>/versions", methods=["POST"])
@requires(P.STUDENT_VIEW, P.FILE_VIEW, P.FILE_UPLOAD)
@idempotent_upload
@files.doc(requestBody=upload_body(note=_NOTE))
@files.response(201, schemas.FileSchema, headers=VERSION_HEADERS)
def add_version(file_id: UUID) -> Answer:
    """Replace a file's content.

    What was there before stays as a version. With If-Match, only if nobody else changed the
    file meanwhile.
    """
    file = _changeable(file_id)
    _check_room()
    sent, values = sent_file(schemas.NewVersionSchema)
    keeping.add_version(
        file,
        sent.stream,
        filename=sent.filename,
        note=values["note"],
        expected_version=find_wanted_version(),
    )
    return _one(_fresh(file_id))


@files.route("/files/<uuid:file_id>/download")
@requires(P.STUDENT_VIEW, P.FILE_VIEW)
@files.arguments(schemas.DownloadQuery, location="query")
@files.response(200, schemas.DownloadSchema)
def download(wanted: Said, file_id: UUID) -> Said:
    """A link to the content.

    It works for five minutes and needs no token, but not in a browser in which somebody else is
    signed in. A link to a medical file opens only in a browser in which its owner is signed in.
    """
    file = queries.get_file(file_id)
    expires_at = clock.now() + links.LIFETIME - timedelta(seconds=1)
    with transaction():
        link = links.issue_link(the_person(), file, number=wanted["version"], for_program=True)
    public_url = current_app.config["SETTINGS"].public_url
    return {"url": urljoin(public_url, link), "expires_at": expires_at}


@files.route("/files/usage")
@requires(P.SCHOOL_SETTINGS)
@files.response(200, schemas.UsageSchema)
def space() -> Said:
    """How much space the school's files take up.

    What counts: every version of every file, also of those in the trash, and what is being sent.
    """
    school = quotas.list_standings(None)[0]
    return {
        "used_bytes": school.used_bytes,
        "limit_bytes": school.limit_bytes or None,
        "left_bytes": school.left_bytes,
        "days": [day._asdict() for day in usage.list_days()],
    }


def _check_room() -> None:
    """Before the body is read: it is a little longer than the file in it."""
    announced = (request.content_length or 0) - LONGEST_FRAME
    quotas.check_room(max(0, announced), sent_by=the_person().user_id)


def _changeable(file_id: UUID) -> File:
    file = queries.get_file(file_id)
    policy.check_edit(the_person(), file)
    return file


def _fresh(file_id: UUID) -> File:
    """As it is after a service has opened transactions of its own."""
    db.session.expire_all()
    return queries.get_file(file_id)


def _one(file: File, **headers: str) -> Answer:
    rights = policy.rights_on(the_person(), file)
    versions = policy.seen_versions(rights, queries.list_versions(file))
    current = next(version for version in versions if version.is_current)
    said = {name: getattr(file, name) for name in ("id", "version", "name", "purpose")} | {
        "student_id": file.owner_id if file.owner_kind == STUDENT else None,
        "folder_id": file.folder_id,
        "current_version": current.number,
        "size_bytes": current.size_bytes,
        "content_type": current.content_type,
        "changed_at": current.at,
        "changed_by": current.by,
        "archived_at": file.archived_at,
        "scan_state": current.scan_state,
        "versions": [_version(version) for version in versions],
    }
    return said, {**version_header(file.version), **headers}


def _version(row: queries.VersionRow) -> Said:
    names = schemas.FileVersionSchema().fields.keys() - {"created_at", "created_by"}
    said = {name: getattr(row, name) for name in names}
    return {**said, "created_at": row.at, "created_by": row.by}
