"""From an address to a provider."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from school.storage.hybrid import HybridStorage
from school.storage.local import LocalStorage
from school.storage.protocol import StorageProvider

_KNOWN: dict[str, set[str]] = {
    "file": set(), "s3": {"endpoint_url", "region"}, "gs": {"endpoint_url"},
}  # fmt: skip
# By name, for they are imported only where they are used: the two kits take a second and 60 MB.
_CLOUDS = {"s3": "school.storage.s3:S3Storage", "gs": "school.storage.gcs:GcsStorage"}


def storage_url_problem(url: str) -> str | None:
    """What is wrong with a storage address, as the rest of a sentence; None when nothing is."""
    parts = urlsplit(url)
    if parts.scheme not in _KNOWN:
        return "begins with file:///, s3:// or gs://"
    if parts.scheme == "file" and (parts.netloc or not parts.path.strip("/")):
        return "names a folder by its full path, such as file:///srv/schoolhouse/files"
    if parts.scheme == "file" and (parts.query or parts.fragment):
        return "has # or ? in the folder's name; write %23 for # and %3F for ?"
    if parts.scheme != "file" and not parts.netloc:
        return f"names no bucket; write {parts.scheme}://bucket/prefix"
    unknown = sorted(set(parse_qs(parts.query)) - _KNOWN[parts.scheme])
    if unknown:
        return f"has options that are not known: {', '.join(unknown)}"
    return None


def open_storage(
    url: str,
    *,
    copy_url: str = "",
    signing_keys: Sequence[str],
    public_base_url: str | None = None,
) -> StorageProvider:
    """The provider of a storage address, with copies at another where `copy_url` names one.

    `signing_keys` (newest first) sign the links we redeem ourselves; `public_base_url` stands in
    front of them. Raises ValueError for an address with a problem.
    """
    primary = _open(url, signing_keys, public_base_url)
    if not copy_url:
        return primary
    copies = _open(copy_url, signing_keys, public_base_url)
    if copies.name == primary.name:
        copies.name = f"{copies.name}-copies"
    return HybridStorage(primary, copies)


def _open(url: str, signing_keys: Sequence[str], public_base_url: str | None) -> StorageProvider:
    problem = storage_url_problem(url)
    if problem:
        raise ValueError(f"The storage address {problem}.")
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalStorage(
            _folder(parts.path), signing_keys=signing_keys, public_base_url=public_base_url or ""
        )
    options: dict[str, Any] = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return _cloud(parts.scheme, parts.netloc, parts.path, options)


def _cloud(scheme: str, bucket: str, prefix: str, options: dict[str, Any]) -> StorageProvider:
    provider: StorageProvider = resolve_name(_CLOUDS[scheme])(bucket, prefix, **options)
    return provider


def _folder(path: str) -> Path:
    text = unquote(path)
    # file:///C:/data on Windows
    return Path(text[1:] if len(text) > 2 and text[2] == ":" else text)
