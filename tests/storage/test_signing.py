"""Links of our own: one act, one object, a short time, no change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

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


def _claims(method: str) -> Iterator[Claim]:
    """Short and long ones: enough letters for 10,000 changes."""
    for number in range(8):
        key, ends_at = f"blob/ab/cd/{number:032x}", NOW + timedelta(minutes=number + 1)
        if method == "GET":
            yield Claim("GET", key, ends_at, f"成績表 {number}.pdf", more={"version": str(number)})
        else:
            yield Claim("PUT", key, ends_at, size_bytes=number, sha256=f"{number:064x}")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_of_ten_thousand_links_with_one_bit_changed_none_is_accepted(method: str) -> None:
    tried, accepted = 0, []
    for claim in _claims(method):
        token = SIGNER.sign(claim)
        assert SIGNER.verify(token, method=claim.method, now=NOW) == claim
        for place, bit in product(range(len(token)), range(8)):
            changed = token[:place] + chr(ord(token[place]) ^ (1 << bit)) + token[place + 1 :]
            tried += 1
            try:
                SIGNER.verify(changed, method=claim.method, now=NOW)
            except LinkRefused:
                continue
            accepted.append(changed)
    assert tried >= 10_000
    assert accepted == []


@given(st.text(max_size=4), st.integers(0, len(TOKEN)))
def test_a_link_with_anything_put_in_is_refused(text: str, place: int) -> None:
    changed = TOKEN[:place] + text + TOKEN[place:]
    if text:
        with pytest.raises(LinkRefused):
            SIGNER.verify(changed, method="GET", now=NOW)


@pytest.mark.parametrize("rest", ["", ".", "=", "\n", "é", "%3D"])
def test_a_link_has_one_spelling(rest: str) -> None:
    """Decoders skip what they do not know; a link spelled otherwise is not the link we made."""
    for changed in (TOKEN[:-1] + rest, TOKEN + rest, TOKEN + rest * 4):
        if changed != TOKEN:
            with pytest.raises(LinkRefused):
                SIGNER.verify(changed, method="GET", now=NOW)


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
