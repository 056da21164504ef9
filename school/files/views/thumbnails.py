"""The small picture of a file, for lists."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from school.files import policy, queries
from school.files.service.families import PURPOSES
from school.files.service.thumbnails.showing import find_thumbnail
from school.files.views.blueprint import bp
from school.files.views.sending import send
from school.permissions import Permission
from school.web.access import requires, the_person


@bp.get("/files/<uuid:file_id>/thumbnail")
@requires(Permission.FILE_VIEW)
def thumbnail(file_id: UUID) -> Response:
    """Of the current version, with which `v` changes. Not audited: a list shows fifty."""
    file = queries.get_file(file_id)
    policy.check_view(the_person(), file)
    is_sensitive = PURPOSES[file.purpose].is_sensitive
    kept = "private, no-store" if is_sensitive else "private, max-age=300"
    return send(find_thumbnail(file), disposition="inline", cache_control=kept)
