"""The numbered steps at which a process is killed. One line is one step."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from school import clock
from school.db import db, transaction
from school.files import queries
from school.files.models import BlobLocation, File, LocationState, StrayObject
from school.files.service import keeping, retention, trashing
from school.files.service.reconciling import reconcile
from school.files.service.sweeping import sweep
from school.files.service.thumbnails.making import make_thumbnail
from school.storage.errors import OutcomeUnknown
from school.storage.keys import new_key
from tests.files.killing.house import LONG, NEWER, House, Point, refused
from tests.files.samples import picture

KEEPING = "files.service.keeping"
WRITING = "files.service.writing"
SWEEPING = "files.service.sweeping"
COPYING = "files.service.copying"
MENDING = "files.service.reconciling.mending"
MAKING = "files.service.thumbnails.making"
LOCAL = "storage.local"


def write(house: House) -> Iterator[None]:
    """A file comes in."""
    yield
    house.upload(LONG, filename="long.txt")


def write_sealed(house: House) -> Iterator[None]:
    """A medical document: encrypted, and counting only once both places have it."""
    yield
    house.upload(LONG, filename="long.txt", purpose="medical")


def write_in_doubt(house: House) -> Iterator[None]:
    """The store breaks off, and nobody knows whether the bytes landed."""
    put = house.local.put

    def break_off(*args: object, **more: object) -> object:
        house.local.put = put
        put(*args, **more)
        raise OutcomeUnknown("cut off")

    house.local.put = break_off
    yield
    house.upload()


def replace(house: House) -> Iterator[None]:
    """A file's content is replaced; what was there before stays."""
    file = house.file()
    yield
    house.replace(file)


def bring_back(house: House) -> Iterator[None]:
    """An old version becomes the current one again."""
    file = house.file()
    house.replace(file)
    house.promise(file)
    yield
    with transaction():
        keeping.restore_version(file, 1)


def discard(house: House) -> Iterator[None]:
    """A rule refuses the upload when its bytes lie there already."""
    file = house.file()
    yield
    refused(lambda: house.replace(file, expected_version=99))


def delete(house: House) -> Iterator[None]:
    """What was refused is deleted, at both places."""
    file = house.file(purpose="medical")
    refused(lambda: house.replace(file, expected_version=99))
    yield
    sweep()


def replicate(house: House) -> Iterator[None]:
    """The copy follows a file that counts already."""
    house.file(LONG, filename="long.txt")
    yield
    sweep()


def replicate_later(house: House) -> Iterator[None]:
    """Copies of what was there before the second place was."""
    with house.without_cloud():
        house.file()
        house.file(NEWER, purpose="medical")
    yield
    sweep()


def repair_missing(house: House) -> Iterator[None]:
    """The first place has lost an object; it is made again from the copy."""
    key = _kept_in_both(house)
    house.local.delete(key)
    yield
    reconcile()
    sweep()


def repair_damaged(house: House) -> Iterator[None]:
    """Other bytes lie there than were stored: put aside, and made again."""
    key = _kept_in_both(house)
    path = house.local.local_path(house.known_stray(key))
    path.write_bytes(b"shorter")
    yield
    reconcile()
    sweep()


def repair_returned(house: House) -> Iterator[None]:
    """What was missing is there again."""
    key = _kept_in_both(house)
    with transaction():
        db.session.execute(
            sa.update(BlobLocation)
            .where(BlobLocation.key == key, BlobLocation.provider == "local")
            .values(state=LocationState.MISSING)
        )
    yield
    reconcile()


def draw_small(house: House) -> Iterator[None]:
    """A picture's thumbnail is made; it lies sealed, and in both places, as its picture does."""
    file = house.file(picture("PNG", (900, 600)), filename="a.png", purpose="medical")
    yield
    make_thumbnail(_blob_of(file))


def purge(house: House) -> Iterator[None]:
    """A picture of the trash is deleted for good, and its thumbnail with it."""
    file = house.upload(picture("PNG", (900, 600)), filename="a.png")
    make_thumbnail(_blob_of(file))
    with transaction():
        trashing.trash_file(file)
    yield
    with transaction():
        trashing.delete_for_good(file.id)


def prune(house: House) -> Iterator[None]:
    """A rule of retention lets an earlier version go."""
    file = house.file()
    house.replace(file)
    house.promise(file, only=2)
    with transaction():
        retention.set_rule(retention.Limits("document", versions=1, days=None))
    yield
    retention.retain()


def put_aside(house: House) -> Iterator[None]:
    """An object that no row knows goes to the lost and found."""
    house.file()
    stray = house.known_stray(new_key())
    house.local.put(stray, io.BytesIO(b"nobody's"))
    house.days_go_by()
    with transaction():
        seen = clock.now() - timedelta(days=2)
        db.session.add(StrayObject(provider="local", key=stray, first_seen_at=seen))
    yield
    reconcile()


def _blob_of(file: File) -> UUID:
    return queries.get_content(file).blob_id


def _kept_in_both(house: House) -> str:
    file: File = house.file()
    house.file(NEWER, purpose="medical")
    sweep()
    return house.key(file)


POINTS = [
    Point("write 01: nothing is written down", write, f"{WRITING}:_begin"),
    Point("write 02: the pending row is flushed, not committed", write, "commit"),
    Point("write 03: the pending row is committed", write, "commit", after=True),
    Point(
        "write 04: the first bytes are on the disk", write, f"{LOCAL}:CountingReader.read", turn=2
    ),
    Point("write 05: all bytes lie aside", write, f"{LOCAL}:_write_part", after=True),
    Point("write 06: before the object is seen", write, f"{LOCAL}:_link_or_reserve"),
    Point("write 07: the object is seen, its name not yet durable", write, f"{LOCAL}:_sync_folder"),
    Point("write 08: the object lies there", write, "local.put", after=True),
    Point("write 09: before the bytes count", write, f"{KEEPING}:settle"),
    Point("write 10: the bytes count, no file has them", write, f"{KEEPING}:settle", after=True),
    Point("write 11: before the version", write, f"{KEEPING}:_add_row"),
    Point("write 12: before the history", write, f"{KEEPING}:record"),
    Point("write 13: before the second commit", write, "commit", turn=2),
    Point("write 14: everything is committed", write, "commit", turn=2, after=True),
    Point("doubt 1: nobody knows, under the old key", write_in_doubt, f"{WRITING}:_take_new_key"),
    Point("doubt 2: the new key is not committed", write_in_doubt, "commit", turn=2),
    Point("doubt 3: the new key is committed", write_in_doubt, "commit", turn=2, after=True),
    Point("doubt 4: both objects lie there", write_in_doubt, f"{WRITING}:_send", after=True),
    Point("both 1: the first place has it", write_sealed, f"{WRITING}:_copy_now"),
    Point("both 2: the row of the copy is committed", write_sealed, "commit", turn=2, after=True),
    Point("both 3: the copy is half there", write_sealed, f"{LOCAL}:CountingReader.read", turn=6),
    Point("both 4: both places have it", write_sealed, f"{WRITING}:_copy_now", after=True),
    Point("both 5: before it counts", write_sealed, "commit", turn=3),
    Point("replace 1: the row is committed", replace, "commit", after=True),
    Point("replace 2: the object lies there", replace, "local.put", after=True),
    Point(
        "replace 3: the version is added, the file not changed", replace, f"{KEEPING}:flush_file"
    ),
    Point("replace 4: before the second commit", replace, "commit", turn=2),
    Point("replace 5: committed", replace, "commit", turn=2, after=True),
    Point("bring back 1: before the commit", bring_back, "commit"),
    Point("bring back 2: committed", bring_back, "commit", after=True),
    Point("discard 1: refused, nothing let go", discard, f"{KEEPING}:give_up"),
    Point("discard 2: let go, not committed", discard, f"{WRITING}:discard", after=True),
    Point("discard 3: committed", discard, f"{KEEPING}:give_up", after=True),
    Point("delete 1: before the first object goes", delete, f"{SWEEPING}:_delete"),
    Point("delete 2: gone at the first place, not noted", delete, "local.delete", after=True),
    Point("delete 3: noted, not committed", delete, f"{SWEEPING}:_mark_gone", after=True),
    Point("delete 4: the first place is done", delete, f"{SWEEPING}:_delete", after=True),
    Point("delete 5: gone at the second place", delete, "cloud.delete", after=True),
    Point("delete 6: both are done", delete, f"{SWEEPING}:_delete", after=True, turn=2),
    Point("copy 1: before the first byte", replicate, "cloud.put"),
    Point("copy 2: half of it", replicate, f"{LOCAL}:CountingReader.read", turn=2),
    Point("copy 3: it lies there, not noted", replicate, "cloud.put", after=True),
    Point("copy 4: noted, not committed", replicate, f"{COPYING}:mark_present", after=True),
    Point("copy 5: committed", replicate, f"{COPYING}:carry_out", after=True),
    Point("late copy 1: half planned", replicate_later, f"{COPYING}:tasks_later"),
    Point("late copy 2: planned", replicate_later, f"{COPYING}:plan_missing_copies", after=True),
    Point("late copy 3: one of two made", replicate_later, f"{COPYING}:carry_out", after=True),
    Point("missing 1: seen, not planned", repair_missing, f"{MENDING}:_move"),
    Point("missing 2: the copy is planned", repair_missing, f"{MENDING}:_move", after=True),
    Point("missing 3: the copy lies there, not noted", repair_missing, "local.put", after=True),
    Point("damaged 1: before it is put aside", repair_damaged, "local.copy"),
    Point("damaged 2: aside, and still in its place", repair_damaged, "local.delete"),
    Point("damaged 3: aside, nothing planned", repair_damaged, "local.delete", after=True),
    Point("damaged 4: the copy is planned", repair_damaged, f"{MENDING}:_move", after=True),
    Point("damaged 5: the copy lies there, not noted", repair_damaged, "local.put", after=True),
    Point("returned 1: read, not noted", repair_returned, f"{MENDING}:read_through", after=True),
    Point("returned 2: noted", repair_returned, f"{MENDING}:_move", after=True),
    Point("thumbnail 1: drawn, nothing written", draw_small, f"{MAKING}:write"),
    Point("thumbnail 2: its row is committed", draw_small, "commit", after=True),
    Point("thumbnail 3: the object lies there", draw_small, "local.put", after=True),
    Point("thumbnail 4: both places have it", draw_small, f"{MAKING}:write", after=True),
    Point("thumbnail 5: it counts, its picture does not know", draw_small, f"{MAKING}:_note"),
    Point("thumbnail 6: noted, not committed", draw_small, f"{MAKING}:_note", after=True),
    Point("thumbnail 7: committed", draw_small, f"{MAKING}:_keep", after=True),
    Point("purge 1: before the rows go", purge, "files.service.trashing:let_go"),
    Point("purge 2: let go, not committed", purge, "files.service.trashing:let_go", after=True),
    Point("purge 3: before the commit", purge, "commit"),
    Point("purge 4: committed, the objects wait", purge, "commit", after=True),
    Point("prune 1: before the version is let go", prune, "files.service.retention:let_go"),
    Point("prune 2: let go, not committed", prune, "commit"),
    Point("prune 3: committed", prune, "commit", after=True),
    Point("aside 1: before it is copied", put_aside, "local.copy"),
    Point("aside 2: copied, and still in its place", put_aside, "local.delete"),
    Point("aside 3: gone, not noted", put_aside, f"{MENDING}:forget_strays"),
    Point("aside 4: noted, the run not ended", put_aside, f"{MENDING}:forget_strays", after=True),
]
