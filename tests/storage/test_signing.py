"""Links of our own: one act, one object, a short time, no change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from school.storage.signing import Claim, LinkExpired, LinkRefused, LinkSigner

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
CLAIM = Claim(
    "GET",
    "blob/ab/cd/abcd",
    NOW + timedelta(minutes=5),
    "plan.pdf",
    "inline",
    "application/pdf",
    more={"version": "3"},
)
SIGNER = LinkSigner(["newest" * 8])
TOKEN = SIGNER.sign(CLAIM)


def test_a_link_says_what_it_allows() -> None:
    assert SIGNER.verify(TOKEN, method="GET", now=NOW) == CLAIM


def test_a_link_ends_at_its_time() -> None:
    with pytest.raises(LinkExpired):
        SIGNER.verify(TOKEN, method="GET", now=CLAIM.expires_at)


def test_a_link_to_download_does_not_upload() -> None:
    with pytest.raises(LinkRefused):
        SIGNER.verify(TOKEN, method="PUT", now=NOW)


@given(place=st.integers(0, len(TOKEN) - 1), bit=st.integers(0, 6))
def test_a_link_with_one_bit_changed_is_refused(place: int, bit: int) -> None:
    changed = TOKEN[:place] + chr(ord(TOKEN[place]) ^ (1 << bit)) + TOKEN[place + 1 :]
    try:
        claim = SIGNER.verify(changed, method="GET", now=NOW)
    except LinkRefused:
        return
    # Base64 leaves spare bits in its last character: the same bytes, the same claim.
    assert claim == CLAIM
    assert place == len(TOKEN) - 1 or TOKEN[place + 1] == "."


def test_an_old_key_still_reads_and_a_removed_one_does_not() -> None:
    rotated = LinkSigner(["fresh" * 8, "newest" * 8])
    assert rotated.verify(TOKEN, method="GET", now=NOW) == CLAIM
    with pytest.raises(LinkRefused):
        LinkSigner(["fresh" * 8]).verify(TOKEN, method="GET", now=NOW)
    with pytest.raises(LinkRefused):
        SIGNER.verify(rotated.sign(CLAIM), method="GET", now=NOW)


def test_a_link_to_upload_binds_size_and_checksum() -> None:
    claim = Claim("PUT", "blob/x", CLAIM.expires_at, size_bytes=5, sha256="a" * 64)
    read = SIGNER.verify(SIGNER.sign(claim), method="PUT", now=NOW)
    assert (read.size_bytes, read.sha256) == (5, "a" * 64)
