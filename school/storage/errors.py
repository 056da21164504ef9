"""What a provider can say went wrong. The set is closed: these eight, never the root itself.

Only two things else come out of a provider: what the caller's own stream raises while it is read
(as it is; nothing is left behind), and ValueError for a provider set up wrongly.

StorageError
├── NotFound            there is no such object
├── AlreadyExists       the key is taken; keys are written once
├── PreconditionFailed  the object is not the version that was meant
├── Denied              our credentials are refused, or the key is none that we would make
├── Throttled           too fast; try later
├── Unavailable         cannot be reached or makes no sense; nothing happened
├── IntegrityError      size or checksum differ from what was announced or is kept with it
└── OutcomeUnknown      cut off after the body began: it may or may not be stored
"""


class StorageError(Exception):
    """The root; `key` names the object where there is one."""

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


def describe(error: BaseException) -> str:
    """Its kind and what it says: for rows and lines that operators read."""
    return f"{type(error).__name__}: {error}"


class NotFound(StorageError):
    pass


class AlreadyExists(StorageError):
    pass


class PreconditionFailed(StorageError):
    pass


class Denied(StorageError):
    pass


class Throttled(StorageError):
    pass


class Unavailable(StorageError):
    pass


class IntegrityError(StorageError):
    pass


class OutcomeUnknown(StorageError):
    pass
