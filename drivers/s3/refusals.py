"""What an upstream refuses → the contract's errors: one table of S3's codes.

An upstream's errors keep their meaning for who asked (a missing key is a missing
key), but for those about the gateway itself: that the upstream does not know the
gateway's key, or gives it no right, is `OriginDenied` and never a 403 of ours.

May surprise: answers to HEAD have no document; what their status leaves open is
decided by what was asked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from drivers.s3 import documents
from gateway.common.upstream.answers import Headers
from gateway.common.upstream.fields import parse_date
from gateway.storage import (
    AlreadyExists,
    Archived,
    BadDigest,
    BadKey,
    Busy,
    Conflict,
    DisabledEncryptionKey,
    Full,
    InvalidPart,
    InvalidPartOrder,
    InvalidRange,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchEncryptionKey,
    NoSuchKey,
    NoSuchStore,
    NoSuchUpload,
    NoSuchVersion,
    NotEmpty,
    OriginDenied,
    OriginFailed,
    PartTooSmall,
    PreconditionFailed,
    Protected,
    QuotaExceeded,
    StorageError,
    TooLarge,
    Unsupported,
    WrongKey,
)

log = logging.getLogger("gateway.upstream")

_LONGEST = 300
_SIZE = re.compile(r"bytes \*/([0-9]{1,18})")


class About(NamedTuple):
    """What was asked: enough to say what a refusal means. `sealed`: with a customer's key."""

    bucket: str = ""
    key: str | None = None
    version: str | None = None
    upload: str = ""
    part: int = 0
    reads: bool = False
    sealed: bool = False


class Refusal(NamedTuple):
    """An answer that is an error; `details` are its document's elements."""

    status: int
    code: str
    message: str
    details: Mapping[str, str]
    headers: Headers
    about: About

    def number(self, name: str) -> int:
        found = self.details.get(name, "")
        return int(found) if found.isascii() and found.isdigit() and len(found) < 19 else 0

    @property
    def retry_after(self) -> int | None:
        found = self.headers.get("retry-after", "")
        return int(found) if found.isascii() and found.isdigit() and len(found) < 5 else None


def error_of(status: int, headers: Headers, data: bytes, about: About) -> StorageError:
    """The error that an answer's status, and its document where it has one, mean."""
    details: Mapping[str, str] = {}
    if data.lstrip()[:1] == b"<":
        try:
            details = documents.fields(documents.parse(data, "Error"))
        except OriginFailed:  # a page of some proxy: its status has to do
            details = {}
    code = details.get("Code", "")
    message = details.get("Message", "")[:_LONGEST]
    refusal = Refusal(status, code, message, details, headers, about)
    make = CODES.get(code) or _STATUSES.get(status) or _by_class
    error = make(refusal)
    if isinstance(error, OriginDenied):
        log.warning(
            "the upstream refuses the gateway: bucket %r: %d %s: %s",
            about.bucket, status, code, message,
        )  # fmt: skip
    return error


def _by_class(it: Refusal) -> StorageError:
    if it.status >= 500 or it.status < 400:
        return _failed(it)
    return InvalidRequest(it.message or f"The upstream refused it: {it.status} {it.code}.")


# each: a refusal → an error


def _failed(it: Refusal) -> StorageError:
    return OriginFailed(
        f"The upstream failed: {it.status} {it.code or 'without a reason'}.",
        key=it.about.key,
        retry_after=it.retry_after,
        status=it.status,
    )


def _busy(it: Refusal) -> StorageError:
    return Busy(
        "The upstream asks for fewer requests.", key=it.about.key, retry_after=it.retry_after or 1
    )


def _denied(it: Refusal) -> StorageError:
    about = it.about
    if it.code in ("", "AccessDenied"):
        if about.sealed and about.reads:
            return WrongKey("That is not the key it was encrypted with.", key=about.key, given=True)
        if not about.reads and "protected" in it.message.lower():
            return Protected(key=about.key)
    what = f" ({it.code})" if it.code else ""
    return OriginDenied(
        f"The upstream refuses the gateway's own credentials{what}.",
        key=about.key,
        status=it.status,
    )


def _missing(it: Refusal) -> StorageError:
    """404 without a code: what was asked for most precisely is what is missing."""
    about = it.about
    if about.upload:
        return _no_upload(it)
    if about.key is None:
        return _no_store(it)
    return _no_key(it) if about.version is None else _no_version(it)


def _no_key(it: Refusal) -> StorageError:
    marker = it.headers.get("x-amz-delete-marker", "").lower() == "true"
    version = it.headers.get("x-amz-version-id") if marker else None
    return NoSuchKey(key=it.about.key, delete_marker=version)


def _no_version(it: Refusal) -> StorageError:
    return NoSuchVersion(key=it.about.key, version=it.about.version or "")


def _method(it: Refusal) -> StorageError:
    if it.headers.get("x-amz-delete-marker", "").lower() == "true":
        marker = it.headers.get("x-amz-version-id") or it.about.version or ""
        return MethodNotAllowed(key=it.about.key, delete_marker=marker)
    return _unsupported(it)


def _unsupported(it: Refusal) -> StorageError:
    said = f": {it.message}" if it.message else "."
    return Unsupported(f"The upstream cannot do that{said}", key=it.about.key, capability=it.code)


def _condition(it: Refusal) -> StorageError:
    return PreconditionFailed(key=it.about.key, condition=it.details.get("Condition", ""))


def _conflict(it: Refusal) -> StorageError:
    return Conflict(it.message, key=it.about.key)


def _range(it: Refusal) -> StorageError:
    if it.about.part:
        return _part(it)
    match = _SIZE.fullmatch(it.headers.get("content-range", ""))
    size = int(match[1]) if match else it.number("ActualObjectSize")
    return InvalidRange(key=it.about.key, size=size)


def _part(it: Refusal) -> StorageError:
    return InvalidPart(it.message, key=it.about.key, number=it.number("PartNumber"))


def _part_order(it: Refusal) -> StorageError:
    return InvalidPartOrder(key=it.about.key)


def _small(it: Refusal) -> StorageError:
    return PartTooSmall(
        key=it.about.key,
        number=it.number("PartNumber"),
        size=it.number("ProposedSize"),
        minimum=it.number("MinSizeAllowed") or 5 << 20,
    )


def _large(it: Refusal) -> StorageError:
    size = it.number("ProposedSize") or None
    return TooLarge(limit=it.number("MaxSizeAllowed") or 5 << 30, size=size, key=it.about.key)


def _digest(algorithm: str, *, kept: bool) -> Callable[[Refusal], StorageError]:
    def make(it: Refusal) -> StorageError:
        return BadDigest(
            algorithm=algorithm,
            declared=it.details.get("ExpectedDigest", ""),
            computed=it.details.get("CalculatedDigest", ""),
            kept=kept,
            key=it.about.key,
        )

    return make


def _invalid(it: Refusal) -> StorageError:
    """The codes say little: S3's own texts, and what was asked, say the rest."""
    about, said = it.about, it.message.lower()
    if about.version is not None and "delete marker" in said:
        return MethodNotAllowed(key=about.key, delete_marker=about.version)
    if about.version is not None and it.code == "InvalidArgument" and "version" in said:
        return _no_version(it)
    if about.part and about.reads:
        return _part(it)
    if "objectlockconfiguration" in said.replace(" ", ""):
        return Unsupported(it.message, key=about.key, capability="protection")
    if "encrypt" in said or (about.reads and not it.code):
        return WrongKey(key=about.key, given=about.sealed)
    return InvalidRequest(it.message or f"The upstream refused it: {it.status} {it.code}.")


def _no_encryption_key(it: Refusal) -> StorageError:
    return NoSuchEncryptionKey(it.message, key=it.about.key)


def _disabled_key(it: Refusal) -> StorageError:
    return DisabledEncryptionKey(it.message, key=it.about.key)


def _key(it: Refusal) -> StorageError:
    return BadKey(key=it.about.key)


def _taken(it: Refusal) -> StorageError:
    return AlreadyExists(it.message)


def _not_empty(_: Refusal) -> StorageError:
    return NotEmpty()


def _no_store(it: Refusal) -> StorageError:
    return NoSuchStore(name=it.about.bucket)


def _no_upload(it: Refusal) -> StorageError:
    return NoSuchUpload(key=it.about.key, upload=it.about.upload)


def _full(_: Refusal) -> StorageError:
    return Full("The upstream has no space left.")


def _over_quota(_: Refusal) -> StorageError:
    return QuotaExceeded("The quota that the upstream has for the bucket is reached.")


def _archived(it: Refusal) -> StorageError:
    return Archived(key=it.about.key)


Maker = Callable[[Refusal], StorageError]

CODES: Mapping[str, Maker] = {
    # about the gateway itself
    **dict.fromkeys(
        (
            "AccessDenied", "AccountProblem", "AllAccessDisabled", "AuthorizationHeaderMalformed",
            "ExpiredToken", "InvalidAccessKeyId", "InvalidSecurity", "InvalidToken",
            "NotSignedUp", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
            "TokenRefreshRequired", "UnauthorizedAccess",
        ),
        _denied,
    ),
    # what is not there, or there already
    "NoSuchBucket": _no_store,
    "NoSuchKey": _no_key,
    "NoSuchVersion": _no_version,
    "NoSuchUpload": _no_upload,
    "BucketAlreadyExists": _taken,
    "BucketAlreadyOwnedByYou": _taken,
    "BucketNotEmpty": _not_empty,
    # conditions
    "PreconditionFailed": _condition,
    "ConditionalRequestConflict": _conflict,
    "OperationAborted": _conflict,
    "InvalidRange": _range,
    # bodies and parts
    "BadDigest": _digest("checksum", kept=True),
    "XAmzContentChecksumMismatch": _digest("checksum", kept=True),
    "XAmzContentSHA256Mismatch": _digest("SHA256", kept=False),
    "EntityTooLarge": _large,
    "EntityTooSmall": _small,
    "InvalidPart": _part,
    "InvalidPartNumber": _part,
    "InvalidPartOrder": _part_order,
    # what cannot be, or not here
    "InvalidArgument": _invalid,
    "InvalidRequest": _invalid,
    "KMS.NotFoundException": _no_encryption_key,
    "KMS.DisabledException": _disabled_key,
    "KeyTooLongError": _key,
    "MethodNotAllowed": _method,
    "NotImplemented": _unsupported,
    "XNotImplemented": _unsupported,
    "InvalidStorageClass": _unsupported,
    "InvalidObjectState": _archived,
    # the upstream's own troubles
    "IncompleteBody": _failed,
    "InternalError": _failed,
    "RequestTimeout": _failed,
    "ServiceUnavailable": _failed,
    "SlowDown": _busy,
    "TooManyRequests": _busy,
    "InsufficientStorage": _full,
    "QuotaExceeded": _over_quota,
    "XMinioAdminBucketQuotaExceeded": _over_quota,
    "XMinioStorageFull": _full,
}  # fmt: skip

_STATUSES: Mapping[int, Maker] = {
    301: _failed,
    400: _invalid,
    401: _denied,
    403: _denied,
    404: _missing,
    405: _method,
    409: _conflict,
    412: _condition,
    416: _range,
    429: _busy,
    501: _unsupported,
    507: _full,
}


def when(headers: Headers) -> int:
    """The time of an answer, which is that of what it tells of, to the second or two."""
    return parse_date(headers.get("date", ""))
