"""Which values the members of a request may have that are words, flags, numbers or dates, and how
S3 refuses others: one table for all operations, looked at before any of them begins.

It is of what stands in headers and in the query (`hoisted` has made headers of those parameters
that stand for one, a form's fields are headers, too); what stands in documents is checked by who
parses them. So who reads a member knows that it is well-formed.

May surprise: a flag is `true` or `false` in any case, and an empty word, flag or date counts as
if it were not there, as S3 has it, but where somebody relies on it (encryption). Dates of the
conditions of GET and HEAD are not here: there a malformed one is ignored (RFC 9110 §13.1.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from gateway.modes.s3 import encryption, grants, headers, model, wire
from gateway.modes.s3.configuration.object_lock import LONGEST, MODES, Unit, period_refusal
from gateway.modes.s3.configuration.ownership import OWNERSHIPS
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.storage.checksums import CHECKSUMS
from gateway.web.http_fields import parse_date
from gateway.web.request_head import variable, whole_number

Fits = Callable[[str], bool]
Refusal = Callable[[str, str], S3Problem]
"""Of a name and the text that it had."""


class Constraint(NamedTuple):
    """`name` of a header, in lower case, or of a parameter of the query."""

    name: str
    fits: Fits
    refusal: Refusal
    query: bool = False


# forms


def _words(*known: str) -> Fits:
    return {"", *known}.__contains__


def _words_of_any_case(*known: str) -> Fits:
    @lru_cache(maxsize=64)  # a client spells it in one way, in all that it asks
    def fits(text: str) -> bool:
        return text.strip().upper() in ("", *known)

    return fits


def _flag(text: str) -> bool:
    return text.lower() in ("", "true", "false")


def _date(text: str) -> bool:
    return not text or parse_date(text) is not None


def _whole(least: int = 0, most: int = 2**31 - 1) -> Fits:
    return lambda text: whole_number(text, least, most) is not None


# refusals


def _argument(message: str = "") -> Refusal:
    return lambda name, text: S3Problem(
        "InvalidArgument", message, ArgumentName=name, ArgumentValue=text
    )


def _value(name: str, _: str) -> S3Problem:
    return S3Problem("InvalidRequest", f"Value for {name} header is invalid.")


def _algorithm(*_: str) -> S3Problem:
    return S3Problem(
        "InvalidRequest",
        "Checksum algorithm provided is unsupported. Please try again with any of the valid"
        f" types: [{', '.join(sorted(CHECKSUMS))}]",
    )


def _storage_class(_: str, text: str) -> S3Problem:
    return S3Problem("InvalidStorageClass", StorageClassRequested=text)


def _ownership(name: str, text: str) -> S3Problem:
    return _argument(f"Invalid {name} header: {text}")(name, text)


_NEGATIVE = re.compile("-[0-9]+")


def _number(name: str, text: str) -> S3Problem:
    negative = _NEGATIVE.fullmatch(text)
    return _argument(
        f"Argument {name} must be an integer between 0 and {2**31 - 1}"
        if negative
        else f"Provided {name} not an integer or within integer range"
    )(name, text)


# all of them


def _header(name: str, fits: Fits, refusal: Refusal | None = None) -> tuple[Constraint, ...]:
    return (Constraint(name, fits, refusal or _argument()),)


def _parameter(name: str, fits: Fits, refusal: Refusal | None = None) -> tuple[Constraint, ...]:
    return (Constraint(name, fits, refusal or _argument(), query=True),)


def _list(name: str, *known: str) -> tuple[Constraint, ...]:
    """A header that lists names."""

    def unknown(text: str) -> list[str]:
        return sorted({one.strip() for one in text.split(",")}.difference(known, [""]))

    def refusal(_: str, text: str) -> S3Problem:
        return _argument("Invalid attribute name specified.")(name, unknown(text)[0])

    return (Constraint(name, lambda text: not unknown(text), refusal),)


def _period(unit: Unit) -> tuple[Constraint, ...]:
    """How long an event hold is."""
    name = f"x-amz-object-lock-event-hold-duration-{unit}"
    most = LONGEST[unit]

    def refusal(_: str, text: str) -> S3Problem:
        return period_refusal(text, "Event hold duration", name)

    return (Constraint(name, lambda text: not text or _whole(1, most)(text), refusal),)


_FLAG_VALUE = _argument("The value of the header must be true or false.")
_NO_DATE = _argument("The value of the condition is no date.")

TABLE: Mapping[str, tuple[Constraint, ...]] = {
    "RequestPayer": _header("x-amz-request-payer", _words("requester")),
    # checksums
    "ChecksumAlgorithm": (
        *_header("x-amz-sdk-checksum-algorithm", _words_of_any_case(*CHECKSUMS), _value),
        *_header("x-amz-checksum-algorithm", _words_of_any_case(*CHECKSUMS), _algorithm),
    ),
    "ChecksumMode": _header("x-amz-checksum-mode", _words_of_any_case("ENABLED"), _value),
    "ChecksumType": _header(
        "x-amz-checksum-type", _words_of_any_case("FULL_OBJECT", "COMPOSITE"), _value
    ),
    "MpuObjectSize": _header(
        "x-amz-mp-object-size", lambda text: not text or _whole(0, 1 << 62)(text), _value
    ),
    # what an object is made with
    "ACL": _header("x-amz-acl", _words(*grants.CANNED)),
    "StorageClass": _header(
        "x-amz-storage-class", _words(*headers.STORAGE_CLASSES), _storage_class
    ),
    "ServerSideEncryption": _header(
        "x-amz-server-side-encryption",
        encryption.ALGORITHMS.__contains__,
        _argument("The encryption method specified is not supported"),
    ),
    "BucketKeyEnabled": _header(
        "x-amz-server-side-encryption-bucket-key-enabled",
        lambda text: bool(text) and _flag(text),
        _FLAG_VALUE,
    ),
    "ObjectLockMode": _header(
        "x-amz-object-lock-mode", _words(*MODES), _argument("Unknown wormMode directive.")
    ),
    "ObjectLockRetainUntilDate": _header(
        "x-amz-object-lock-retain-until-date",
        lambda text: not text or wire.moment(text) is not None,
        _argument("The retain until date must be provided in ISO 8601 format"),
    ),
    "ObjectLockLegalHoldStatus": _header(
        "x-amz-object-lock-legal-hold",
        _words("ON", "OFF"),
        _argument("Legal Hold must be either of 'ON' or 'OFF'"),
    ),
    "ObjectLockEventHold": _header(
        "x-amz-object-lock-event-hold",
        _words("ON", "OFF"),
        _argument("Event Hold must be either of 'ON' or 'OFF'"),
    ),
    "ObjectLockEventHoldDurationDays": _period("days"),
    "ObjectLockEventHoldDurationYears": _period("years"),
    # copies
    "MetadataDirective": _header(
        "x-amz-metadata-directive",
        _words("COPY", "REPLACE"),
        _argument("Unknown metadata directive."),
    ),
    "TaggingDirective": _header(
        "x-amz-tagging-directive",
        _words("COPY", "REPLACE"),
        _argument("Unknown tagging directive."),
    ),
    "AnnotationDirective": _header(
        "x-amz-object-annotation-directive",
        _words("COPY", "EXCLUDE"),
        _argument("Unknown annotation directive."),
    ),
    "CopySourceIfModifiedSince": _header("x-amz-copy-source-if-modified-since", _date, _NO_DATE),
    "CopySourceIfUnmodifiedSince": _header(
        "x-amz-copy-source-if-unmodified-since", _date, _NO_DATE
    ),
    # removing
    "BypassGovernanceRetention": _header("x-amz-bypass-governance-retention", _flag, _FLAG_VALUE),
    "IfMatchLastModifiedTime": _header(
        "x-amz-if-match-last-modified-time",
        lambda text: parse_date(text) is not None,
        headers.malformed_condition,
    ),
    "IfMatchSize": _header(
        "x-amz-if-match-size",
        lambda text: _whole(0, 1 << 62)(text.strip()),
        headers.malformed_condition,
    ),
    "IfMatchInitiatedTime": _header("x-amz-if-match-initiated-time", _date, _NO_DATE),
    # buckets
    "ObjectLockEnabledForBucket": _header("x-amz-bucket-object-lock-enabled", _flag, _FLAG_VALUE),
    "ObjectOwnership": _header("x-amz-object-ownership", _words(*OWNERSHIPS), _ownership),
    "BucketNamespace": _header("x-amz-bucket-namespace", _words("account-regional", "global")),
    "ConfirmRemoveSelfBucketAccess": _header(
        "x-amz-confirm-remove-self-bucket-access", _flag, _FLAG_VALUE
    ),
    "SkipDestinationValidation": _header("x-amz-skip-destination-validation", _flag, _FLAG_VALUE),
    "TransitionDefaultMinimumObjectSize": _header(
        "x-amz-transition-default-minimum-object-size",
        _words("all_storage_classes_128K", "varies_by_storage_class"),
    ),
    # reading and lists
    "PartNumber": _parameter(
        "partNumber",
        _whole(1, headers.MOST_PARTS),
        _argument("Part number must be an integer between 1 and 10000, inclusive"),
    ),
    "ObjectAttributes": _list(
        "x-amz-object-attributes", "ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"
    ),
    "OptionalObjectAttributes": _list("x-amz-optional-object-attributes", "RestoreStatus"),
    "MaxParts": (
        *_parameter("max-parts", _whole(), _number),
        *_header("x-amz-max-parts", lambda text: not text or _whole()(text), _number),
    ),
    "PartNumberMarker": (
        *_parameter("part-number-marker", _whole(), _number),
        *_header("x-amz-part-number-marker", lambda text: not text or _whole()(text), _number),
    ),
    "MaxKeys": _parameter("max-keys", _whole(), _number),
    "MaxUploads": _parameter("max-uploads", _whole(), _number),
    "MaxBuckets": _parameter(
        "max-buckets",
        _whole(1, 10_000),
        _argument("Argument max-buckets must be an integer between 1 and 10000."),
    ),
    "MaxAnnotationResults": _parameter(
        "max-annotation-results",
        _whole(1, 1000),
        _argument("Argument max-annotation-results must be an integer between 1 and 1000."),
    ),
    "EncodingType": _parameter(
        "encoding-type",
        _words("url"),
        _argument("Invalid Encoding Method specified in Request"),
    ),
    "FetchOwner": _parameter("fetch-owner", _flag, _argument("fetch-owner is true or false.")),
}
"""By the names of the model (see `model`)."""

# looking at them


def _of_operation(name: str) -> tuple[Mapping[str, Constraint], Mapping[str, Constraint]]:
    """(by variables of headers, by parameters)"""
    here = [one for member in model.members(name) for one in TABLE.get(member, ())]
    return (
        {variable(one.name): one for one in here if not one.query},
        {one.name: one for one in here if one.query},
    )


_OF_OPERATIONS = {name: _of_operation(name) for name in model.OPERATIONS}
_NONE: tuple[Mapping[str, Constraint], Mapping[str, Constraint]] = ({}, {})


def check(request: S3Request, operation: str) -> None:
    """Raises S3Problem for a value that no request of that operation may have."""
    variables, parameters = _OF_OPERATIONS.get(operation, _NONE)
    for given, known in ((request.environ, variables), (request.query, parameters)):
        if not given or given.keys().isdisjoint(known):
            continue
        for key, one in known.items():
            if key in given and not one.fits(given[key]):
                _refuse(request, one.refusal(one.name, given[key]))


def _refuse(request: S3Request, problem: S3Problem) -> None:
    """That there is no such bucket, or that one may do nothing there, is said first."""
    if request.action is not None:
        request.require_some()
    elif request.anonymous:
        raise S3Problem("AccessDenied")
    raise problem
