"""What can go wrong in a store, as one closed tree.

    StorageError                 .origin .cacheable
    ├── NotFound
    │   ├── NoSuchStore          the bucket or service is not there
    │   ├── NoSuchKey            .delete_marker: version of the marker that hides it
    │   ├── NoSuchVersion
    │   ├── NoSuchVolume         .name
    │   ├── NoSuchUpload
    │   └── NoSuchAnnotation     .name
    ├── AlreadyExists
    ├── NotEmpty
    ├── NotModified              .info
    ├── PreconditionFailed       .condition
    ├── MethodNotAllowed         the version named is a delete marker; .delete_marker
    ├── Conflict                 changed meanwhile: the caller may try again
    ├── Protected                retention or legal hold
    ├── Archived                 its bytes are to be restored first
    ├── InvalidRange             .size
    ├── InvalidRequest
    │   ├── BadDigest            .algorithm .declared .computed .kept
    │   ├── IncompleteBody       .expected .received
    │   ├── TooLarge             .limit .size
    │   ├── TooManyAnnotations   .limit
    │   ├── InvalidPart          .number
    │   │   └── PartTooSmall     .size .minimum
    │   ├── InvalidPartOrder
    │   ├── WrongKey             the customer's encryption key is missing or does not fit
    │   ├── NoSuchEncryptionKey  .name: the key service has no such key
    │   ├── DisabledEncryptionKey  .name: it has, and gives it to nobody now
    │   ├── BadKey               .key cannot be a key here
    │   └── Unprocessable        what is stored is not what it would have to be for that
    ├── Unauthorized             who are you?
    ├── Forbidden                you may not
    ├── Unsupported              .capability: this store cannot do that
    ├── Full                     no space
    │   └── QuotaExceeded        .quota .used .size .volume: there is space, but not for this
    ├── Corrupt                  stored bytes do not fit their checksum
    └── Unavailable              .retry_after (seconds)
        ├── Busy
        ├── OriginFailed         .status of the origin, when it gave one
        │   └── OriginDenied     the origin refuses the gateway itself: its keys, its rights
        └── TimedOut

Drivers translate what they catch (`OSError`, client libraries' errors) into
these with `from`; modes translate these into their protocol's codes in one
table that is looked up along the MRO. Nothing in between catches them.
Every error carries the key it is about, where there is one.
"""

from __future__ import annotations

from gateway.storage.objects import ObjectInfo, OriginAnswer


class StorageError(Exception):
    """Base of all. `message` is one sentence for people; the class is for programs. `origin`:
    the answer of an HTTP origin that it is made of. `cacheable`: False where who raises it
    knows that it must not be given again to somebody else. `trace`: as in `Opened`."""

    message = "The storage could not do what was asked."
    origin: OriginAnswer | None = None
    cacheable: bool = True
    trace: tuple[str, ...] = ()

    def __init__(self, message: str = "", *, key: str | None = None) -> None:
        self.message = message or type(self).message
        self.key = key
        super().__init__(self.message)


class NotFound(StorageError):
    message = "There is no such thing."


class NoSuchStore(NotFound):
    message = "The bucket does not exist."

    def __init__(self, message: str = "", *, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class NoSuchVolume(NotFound):
    message = "The volume does not exist."

    def __init__(self, message: str = "", *, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class NoSuchKey(NotFound):
    message = "The key does not exist."

    def __init__(
        self, message: str = "", *, key: str | None = None, delete_marker: str | None = None
    ) -> None:
        super().__init__(message, key=key)
        self.delete_marker = delete_marker


class NoSuchVersion(NotFound):
    message = "The version does not exist."

    def __init__(self, message: str = "", *, key: str | None = None, version: str = "") -> None:
        super().__init__(message, key=key)
        self.version = version


class NoSuchUpload(NotFound):
    message = "The upload does not exist; it may have been aborted or completed."

    def __init__(self, message: str = "", *, key: str | None = None, upload: str = "") -> None:
        super().__init__(message, key=key)
        self.upload = upload


class NoSuchAnnotation(NotFound):
    message = "The version has no annotation of that name."

    def __init__(self, message: str = "", *, key: str | None = None, name: str = "") -> None:
        super().__init__(message, key=key)
        self.name = name


class AlreadyExists(StorageError):
    message = "That name is taken."


class NotEmpty(StorageError):
    message = "The bucket is not empty."


class NotModified(StorageError):
    """A conditional read whose reader has the current bytes already (RFC 9110 §13.2.2). An
    HTTP origin may tell little more of them than their tag: then the size of `info` is -1."""

    message = "The object has not changed."

    def __init__(self, message: str = "", *, info: ObjectInfo) -> None:
        super().__init__(message, key=info.key)
        self.info = info


class PreconditionFailed(StorageError):
    message = "A condition of the request does not hold."

    def __init__(self, message: str = "", *, key: str | None = None, condition: str = "") -> None:
        super().__init__(message, key=key)
        self.condition = condition


class MethodNotAllowed(StorageError):
    message = "The version is a delete marker: it has no bytes."

    def __init__(self, message: str = "", *, key: str | None = None, delete_marker: str) -> None:
        super().__init__(message, key=key)
        self.delete_marker = delete_marker


class Conflict(StorageError):
    message = "The object was changed at the same time; try again."


class Protected(StorageError):
    message = "The version is protected by a retention period or a legal hold."


class Archived(StorageError):
    message = "The object is archived: it must be restored before it can be read."


class InvalidRange(StorageError):
    message = "The range begins beyond the end of the object."

    def __init__(self, message: str = "", *, key: str | None = None, size: int) -> None:
        super().__init__(message, key=key)
        self.size = size


class InvalidRequest(StorageError):
    message = "The request is not valid."


class BadDigest(InvalidRequest):
    """The bytes that came are not those that the caller declared.

    `kept` tells a checksum that would have been stored with the object from a
    digest that was only to be checked (`Put.checksums` and `Put.digests`).
    """

    def __init__(
        self, *, algorithm: str, declared: str, computed: str, kept: bool, key: str | None = None
    ) -> None:
        super().__init__(
            f"The {algorithm} that was declared is not that of the bytes received.", key=key
        )
        self.algorithm, self.declared, self.computed, self.kept = (
            algorithm,
            declared,
            computed,
            kept,
        )


class IncompleteBody(InvalidRequest):
    def __init__(self, *, expected: int, received: int, key: str | None = None) -> None:
        super().__init__(f"{expected} bytes were announced and {received} came.", key=key)
        self.expected, self.received = expected, received


class TooLarge(InvalidRequest):
    def __init__(
        self, message: str = "", *, limit: int, size: int | None = None, key: str | None = None
    ) -> None:
        super().__init__(message or f"More than the {limit} bytes that are allowed.", key=key)
        self.limit, self.size = limit, size


class TooManyAnnotations(InvalidRequest):
    def __init__(self, *, limit: int, key: str | None = None) -> None:
        super().__init__(f"The version has {limit} annotations, and may have no more.", key=key)
        self.limit = limit


class InvalidPart(InvalidRequest):
    message = "A part was not found, or its ETag or checksum does not fit."

    def __init__(self, message: str = "", *, key: str | None = None, number: int = 0) -> None:
        super().__init__(message, key=key)
        self.number = number


class PartTooSmall(InvalidPart):
    def __init__(self, *, number: int, size: int, minimum: int, key: str | None = None) -> None:
        super().__init__(
            f"Part {number} has {size} bytes; all but the last need {minimum}.",
            key=key,
            number=number,
        )
        self.size, self.minimum = size, minimum


class InvalidPartOrder(InvalidRequest):
    message = "The parts are not in ascending order."


class WrongKey(InvalidRequest):
    """`given` tells a key that does not fit from one that is missing or superfluous."""

    message = "The object is encrypted with a key of the customer: that key is needed."

    def __init__(self, message: str = "", *, key: str | None = None, given: bool = False) -> None:
        super().__init__(message, key=key)
        self.given = given


class NoSuchEncryptionKey(InvalidRequest):
    def __init__(self, message: str = "", *, key: str | None = None, name: str = "") -> None:
        super().__init__(message or f"Key '{name}' does not exist", key=key)
        self.name = name


class DisabledEncryptionKey(InvalidRequest):
    def __init__(self, message: str = "", *, key: str | None = None, name: str = "") -> None:
        super().__init__(message or f"Key '{name}' is disabled", key=key)
        self.name = name


class BadKey(InvalidRequest):
    message = "This store cannot hold an object of that key."


class Unprocessable(InvalidRequest):
    """Nothing is wrong with the request, but with what it is about (RFC 9110 §15.5.21): a picture
    that is damaged, or too large to be changed. `message` says what."""

    message = "What is stored cannot be changed as was asked."


class Unauthorized(StorageError):
    message = "The request does not say who makes it, or not so that it can be believed."


class Forbidden(StorageError):
    message = "Access denied."


class Unsupported(StorageError):
    message = "This store cannot do that."

    def __init__(self, message: str = "", *, key: str | None = None, capability: str = "") -> None:
        super().__init__(message, key=key)
        self.capability = capability


class ReadOnly(StorageError):
    """A replica, which only its source can be written to. `message` names that."""

    message = "The store is a replica: what is in it is written at its source."


class Full(StorageError):
    message = "There is no space left."


class QuotaExceeded(Full):
    """Bytes, where they are known: the `quota`, what is `used` of it, and the `size` that was to
    be added. `volume`: whose quota it is; "" for the store's own."""

    message = "The quota is reached."

    def __init__(
        self,
        message: str = "",
        *,
        key: str | None = None,
        quota: int | None = None,
        used: int | None = None,
        size: int | None = None,
        volume: str = "",
    ) -> None:
        if not message and quota is not None:
            whose = f" of the volume {volume!r}" if volume else ""
            message = (
                f"The quota of {quota} bytes{whose} is reached: {used} are used, and {size} more"
                " were to be stored."
            )
        super().__init__(message, key=key)
        self.quota, self.used, self.size, self.volume = quota, used, size, volume


class Corrupt(StorageError):
    message = "Stored bytes do not fit their checksum."


class Unavailable(StorageError):
    message = "The storage is not available now."

    def __init__(
        self, message: str = "", *, key: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message, key=key)
        self.retry_after = retry_after


class Busy(Unavailable):
    message = "Too many requests at once; try again shortly."


class OriginFailed(Unavailable):
    message = "The origin behind this service failed."

    def __init__(
        self,
        message: str = "",
        *,
        key: str | None = None,
        retry_after: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, key=key, retry_after=retry_after)
        self.status = status


class OriginDenied(OriginFailed):
    """Somebody who runs the gateway has to mend it; no caller can, by other keys of theirs."""

    message = "The origin behind this service refuses the gateway's own credentials."


class TimedOut(Unavailable):
    message = "The storage did not answer in time."
