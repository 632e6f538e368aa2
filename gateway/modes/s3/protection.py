"""What keeps a version, as S3 says it: retention and legal hold, in headers and documents.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
Only a bucket that has object lock takes any of it. Event holds are refused, wherever they
are said.
"""

from __future__ import annotations

from gateway.access.access import Access
from gateway.access.actions import ObjectAction
from gateway.common.xml import document, element
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.object_lock import MODES, SETTING
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Headers
from gateway.modes.s3.request import S3Request
from gateway.storage import Forbidden, ObjectInfo, Protection, Protects, Put, RetentionMode

_MODE = "x-amz-object-lock-mode"
_UNTIL = "x-amz-object-lock-retain-until-date"
_HOLD = "x-amz-object-lock-legal-hold"
HEADERS = frozenset(f"HTTP_{name.upper().replace('-', '_')}" for name in (_MODE, _UNTIL, _HOLD))
"""Those that protect what is made."""

_SUMS = ("HTTP_X_AMZ_CHECKSUM_", "HTTP_X_AMZ_TRAILER", "HTTP_CONTENT_MD5")

# of what is made


def asked(request: S3Request) -> Protection | None:
    """What the headers give a new object."""
    if request.environ.keys().isdisjoint(HEADERS):
        return None
    mode, until = _retention_asked(request)
    hold = request.header(_HOLD)
    if hold not in ("", "ON", "OFF"):
        raise _wrong("Legal Hold must be either of 'ON' or 'OFF'", _HOLD, hold)
    if not has_lock(request):
        raise S3Problem("InvalidRequest", "Bucket is missing ObjectLockConfiguration")
    return Protection(mode=mode, until=until, hold=hold == "ON") or None


def _retention_asked(request: S3Request) -> tuple[RetentionMode | None, int | None]:
    mode, date = request.header(_MODE), request.header(_UNTIL)
    if not mode and not date:
        return None, None
    if not mode or not date:
        text = f"{_UNTIL} and {_MODE} must both be supplied."
        raise _wrong(text, _UNTIL if mode else _MODE, "")
    if mode not in MODES:
        raise _wrong("Unknown wormMode directive.", _MODE, mode)
    until = wire.moment(date)
    if until is None:
        raise _wrong("The retain until date must be provided in ISO 8601 format", _UNTIL, date)
    _require_future(request, until, date)
    return MODES[mode], until


def _require_future(request: S3Request, until: int, text: str) -> None:
    if until <= request.gateway.clock():
        raise _wrong("The retain until date must be in the future!", _UNTIL, text)


def _wrong(message: str, name: str, value: str) -> S3Problem:
    return S3Problem("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def require_sum(request: S3Request, options: Put) -> None:
    """What is kept for a while must have come with a sum of its client's."""
    lock = request.obeyed(SETTING.kind)
    kept = options.protection is not None or (lock is not None and lock.default is not None)
    if kept and not any(name.startswith(_SUMS) for name in request.environ):
        raise S3Problem(
            "InvalidRequest",
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with"
            " Object Lock parameters",
        )


# of what is there


def has_lock(request: S3Request) -> bool:
    """By its own configuration, or because what is behind it has one."""
    return request.obeyed(SETTING.kind) is not None or has_lock_behind(request.access)


def has_lock_behind(access: Access) -> bool:
    protects = access.service.find(Protects)
    return protects is not None and protects.always_protects


def require_lock(request: S3Request) -> None:
    if not has_lock(request):
        raise S3Problem("InvalidRequest", "Bucket is missing Object Lock Configuration")


def said(request: S3Request, info: ObjectInfo) -> Headers:
    """What GET and HEAD say to who may know."""
    protection = info.protection
    if protection is None:
        return []
    headers: Headers = []
    if protection.mode is not None and _may(request, "read-retention", info):
        headers.append((_MODE, protection.mode.upper()))
        headers.append((_UNTIL, wire.exact(protection.until or 0)))
    if protection.hold and _may(request, "read-hold", info):
        headers.append((_HOLD, "ON"))
    return headers


def _may(request: S3Request, action: ObjectAction, info: ObjectInfo) -> bool:
    """With that version: another may be current."""
    try:
        request.access.require_of(action, info, request.query.get("versionId"))
    except Forbidden:
        return False
    return True


# documents


def parse_retention(request: S3Request, data: bytes) -> tuple[RetentionMode | None, int | None]:
    """`Retention`; an empty one takes it off."""
    root = wire.parse(data, "Retention")
    if (
        wire.child(root, "EventHold") is not None
        or wire.child(root, "EventHoldDuration") is not None
    ):
        raise S3Problem("NotImplemented", "Event holds of objects are not implemented.")
    mode, date = wire.word_of(root, "Mode"), wire.word_of(root, "RetainUntilDate")
    if not mode and not date:
        return None, None
    until = wire.moment(date)
    if mode not in MODES or until is None:
        raise S3Problem("MalformedXML")
    _require_future(request, until, date)
    return MODES[mode], until


def retention(protection: Protection) -> bytes:
    assert protection.mode is not None
    return document(
        "Retention",
        element("Mode", protection.mode.upper()),
        element("RetainUntilDate", wire.exact(protection.until or 0)),
    )


def tell(request: S3Request, mode: RetentionMode | None, until: int | None) -> None:
    """Put what a document asks for where rules look for it: in the headers of a put."""
    if mode is not None and until is not None:
        request.environ["HTTP_X_AMZ_OBJECT_LOCK_MODE"] = mode.upper()
        request.environ["HTTP_X_AMZ_OBJECT_LOCK_RETAIN_UNTIL_DATE"] = wire.exact(until)


def tell_hold(request: S3Request, on: bool) -> None:
    """The same of a hold."""
    request.environ["HTTP_X_AMZ_OBJECT_LOCK_LEGAL_HOLD"] = "ON" if on else "OFF"


def parse_hold(data: bytes) -> bool:
    status = wire.word_of(wire.parse(data, "LegalHold"), "Status")
    if status not in ("ON", "OFF"):
        raise S3Problem("MalformedXML")
    return status == "ON"


def hold(on: bool) -> bytes:
    return document("LegalHold", element("Status", "ON" if on else "OFF"))
