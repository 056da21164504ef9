"""Why content is refused, in words a person knows."""

from __future__ import annotations

from school.errors import Invalid

REFUSAL_SENTENCES = {
    "program": "This is a program. Send the document itself.",
    "web_page": "This is a web page or a drawing with code in it. Save it as a PDF and send that.",
    "archive": "This is an archive of several files. Send the files one by one.",
    "sound": "This is a sound or a film. Only pictures and documents are taken here.",
    "old_office": "This is an old or locked office file. "
    "Save it as .docx, .xlsx or PDF, without a password.",
    "macro": "This document contains a program (a macro). Save it without macros and send that.",
    "embedded": "This document contains another file or a program. "
    "Take it out, save the document again and send that.",
    "remote": "This document fetches pieces from other places when it is opened. "
    "Save it with everything inside and send that.",
    "trapped": "This document is built in a way that can harm a computer. "
    "Save it as a PDF and send that.",
    "hidden": "A second file is hidden in this one. Save it again and send that.",
    "active_pdf": "This PDF contains a program or an attached file. "
    "Print it to PDF again and send that.",
    "unknown": "Nobody can tell what kind of file this is. "
    "Save it as a PDF or a picture and send that.",
    "damaged_picture": "This picture is damaged and cannot be read. Save it again and send that.",
    "damaged_pdf": "This PDF is damaged: its end is missing. Save it again and send that.",
    "damaged_document": "This document is damaged and cannot be read. Save it again and send that.",
    "not_a_picture": "This is not a picture. Send a JPEG, PNG, WebP or GIF.",
    "heic": "This picture is in the HEIC format. Send it as a JPEG.",
    "other_picture": "Pictures of this kind are not taken. Save it as a JPEG or PNG and send that.",
    "bomb": "This file unpacks to more than it may. Save it again without what is not needed.",
    "pixels": "This picture is too large. Make it smaller than 40 million dots.",
    "frames": "This moving picture is too long. Make it shorter or smaller and send that.",
    "heavy_picture": "This picture takes up too much space. Save it as a JPEG and send that.",
    "empty": "This file is empty.",
    "infected": "A virus was found in this file (%(signature)s), so it was not kept.",
    "misnamed": "The name ends in .%(extension)s, but inside is a .%(inside)s file. "
    "Save it again under the right name.",
    "not_taken": "Files that end in .%(extension)s are not taken. Save it as a PDF and send that.",
}
"""By reason."""


class Refused(Invalid):
    """This content is not taken. `reason` is a key of REFUSAL_SENTENCES."""

    code = "content_refused"

    def __init__(self, reason: str, *, field: str = "file", **params: object) -> None:
        super().__init__(REFUSAL_SENTENCES[reason], field=field, **params)
        self.reason = reason
