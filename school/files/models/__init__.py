"""Files and their versions; blobs and their places.

History lives in rows, never in a provider's own versioning. A `File` has append-only versions; a
version points at a `Blob` (content); a blob lies in one or more places (`BlobLocation`), so that
hybrid storage, repair and moving to another provider are operations on places.
"""

from __future__ import annotations

from school.files.models.content import (
    Blob,
    BlobDerivative,
    BlobLocation,
    BlobState,
    DerivativeKind,
    Key,
    LocationState,
    ScanState,
    StorageTask,
)
from school.files.models.files import (
    Access,
    File,
    FileVersion,
    Folder,
    Grantee,
    OwnerKind,
    Share,
    Target,
)
from school.files.models.retention import HoldTarget, LegalHold, RetentionRule
from school.files.models.running import (
    MoveStep,
    ReconcileRun,
    RestoreEpoch,
    StorageMove,
    StrayObject,
)
from school.files.models.uploads import UNDER_WAY, Upload, UploadPart, UploadState
from school.files.models.usage import HolderKind, StorageUsage, UsageDay

__all__ = [
    "UNDER_WAY",
    "Access",
    "Blob",
    "BlobDerivative",
    "BlobLocation",
    "BlobState",
    "DerivativeKind",
    "File",
    "FileVersion",
    "Folder",
    "Grantee",
    "HoldTarget",
    "HolderKind",
    "Key",
    "LegalHold",
    "LocationState",
    "MoveStep",
    "OwnerKind",
    "ReconcileRun",
    "RestoreEpoch",
    "RetentionRule",
    "ScanState",
    "Share",
    "StorageMove",
    "StorageTask",
    "StorageUsage",
    "StrayObject",
    "Target",
    "Upload",
    "UploadPart",
    "UploadState",
    "UsageDay",
]
