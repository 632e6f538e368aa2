"""What keeps a version, as S3 says it: retention, event hold and legal hold, in headers and
documents.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
Only a bucket that has object lock takes any of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from gateway.access.access import Access
from gateway.common.xml import document, element
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.object_lock import (
    MODES,
    SETTING,
    Unit,
    period,
    period_of,
    period_xml,
)
from gateway.modes.s3.problems import S3Problem, malformed
from gateway.modes.s3.replies import Headers
from gateway.modes.s3.request import S3Request
from gateway.storage import (
    EventHold,
    ObjectInfo,
    Period,
    Protection,
    Protects,
    Put,
    RetentionMode,
)
from gateway.web.request_head import variable

_MODE = "x-amz-object-lock-mode"
_UNTIL = "x-amz-object-lock-retain-until-date"
_HOLD = "x-amz-object-lock-legal-hold"
_EVENT = "x-amz-object-lock-event-hold"
_LENGTHS: dict[Unit, str] = {"days": f"{_EVENT}-duration-days", "years": f"{_EVENT}-duration-years"}
HEADERS = frozenset(map(variable, (_MODE, _UNTIL, _HOLD, _EVENT, *_LENGTHS.values())))
"""Those that protect what is made."""

_SUMS = ("HTTP_X_AMZ_CHECKSUM_", "HTTP_X_AMZ_TRAILER", "HTTP_CONTENT_MD5")
_DURATION = "Event hold duration"

# of what is made


def asked(request: S3Request) -> Protection | None:
    """What the headers give a new object."""
    if request.environ.keys().isdisjoint(HEADERS):
        return None
    retention = _retention_asked(request)
    hold = request.header(_HOLD)
    if not has_lock(request):
        raise S3Problem("InvalidRequest", "Bucket is missing ObjectLockConfiguration")
    return replace(retention, hold=hold == "ON") or None


def _retention_asked(request: S3Request) -> Protection:
    mode, date, event = request.header(_MODE), request.header(_UNTIL), _event_asked(request)
    if not mode and not date and event is None:
        return Protection()
    if not mode or not (date or event):
        text = f"{_UNTIL} and {_MODE} must both be supplied."
        raise _wrong(text, _UNTIL if mode else _MODE, "")
    if event == "over" and not date:
        raise S3Problem("InvalidRequest", "Without an event hold there must be a date.")
    until = _date_asked(request, date) if date else None
    return Protection(mode=MODES[mode], until=until, event=None if event == "over" else event)


def _date_asked(request: S3Request, date: str) -> int:
    until = wire.moment(date)
    assert until is not None, "it is looked at before"
    _require_future(request, until, date)
    return until


def _event_asked(request: S3Request) -> EventHold | None:
    status = request.header(_EVENT)
    found = [
        period(text, unit, _DURATION, name)
        for unit, name in _LENGTHS.items()
        if (text := request.header(name))
    ]
    if len(found) > 1:
        raise S3Problem("InvalidRequest", "Specify the event hold duration in days or in years.")
    return _hold(status, found[0] if found else None)


def _hold(status: str, duration: Period | None) -> EventHold | None:
    """ "Troubleshooting variable retention" (Amazon S3 User Guide) lists what is wrong."""
    if status == "ON" and duration is None:
        raise S3Problem("InvalidRequest", "An event hold that is ON needs a duration.")
    if status != "ON" and duration is not None:
        raise S3Problem("InvalidRequest", "An event hold duration needs an event hold that is ON.")
    return "over" if status == "OFF" else duration


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
    if protection.mode is not None and request.may_know("read-retention", info):
        headers.append((_MODE, protection.mode.upper()))
        headers.append((_UNTIL, wire.exact(protection.ends(request.gateway.clock()) or 0)))
        if protection.event is not None:
            headers.append((_EVENT, "ON"))
            headers.append((_LENGTHS[protection.event.unit], str(protection.event.number)))
    if protection.hold and request.may_know("read-hold", info):
        headers.append((_HOLD, "ON"))
    return headers


# documents


class Retention(NamedTuple):
    """What is asked for; all None: that there is none."""

    mode: RetentionMode | None = None
    until: int | None = None
    event: EventHold | None = None


def parse_retention(request: S3Request, data: bytes) -> Retention:
    """`Retention`; an empty one takes it off."""
    root = wire.parse(data, "Retention")
    mode, date = wire.word_of(root, "Mode"), wire.word_of(root, "RetainUntilDate")
    status, length = wire.word_of(root, "EventHold"), wire.child(root, "EventHoldDuration")
    if status not in ("", "ON", "OFF"):
        raise malformed(f"EventHold has to be ON or OFF, not {status!r}.")
    event = _hold(status, None if length is None else period_of(length, _DURATION))
    if not mode and not date and event is None:
        return Retention()
    if mode not in MODES or not (date or event):
        raise malformed(
            "Retention needs a Mode (GOVERNANCE or COMPLIANCE), and a RetainUntilDate or an"
            " EventHold."
        )
    return Retention(MODES[mode], _until(request, date) if date else None, event)


def _until(request: S3Request, date: str) -> int:
    until = wire.moment(date)
    if until is None:
        raise malformed(f"RetainUntilDate has to be a date of ISO 8601, not {date!r}.")
    _require_future(request, until, date)
    return until


def retention(protection: Protection, time: int) -> bytes:
    """As it is at `time`."""
    assert protection.mode is not None
    event = period_xml(protection.event)
    return document(
        "Retention",
        element("Mode", protection.mode.upper()),
        element("RetainUntilDate", wire.exact(protection.ends(time) or 0)),
        f"<EventHold>ON</EventHold><EventHoldDuration>{event}</EventHoldDuration>" * bool(event),
    )


def as_headers(wanted: Retention) -> dict[str, str | None]:
    """What a document asks for, as a put asks for it: None what it does not."""
    said: dict[str, str | None] = dict.fromkeys((_MODE, _UNTIL, _EVENT, *_LENGTHS.values()))
    if wanted.mode is not None:
        said[_MODE] = wanted.mode.upper()
    if wanted.until is not None:
        said[_UNTIL] = wire.exact(wanted.until)
    if wanted.event is not None:
        said[_EVENT] = "OFF" if wanted.event == "over" else "ON"
    if isinstance(wanted.event, Period):
        said[_LENGTHS[wanted.event.unit]] = str(wanted.event.number)
    return said


def hold_as_header(on: bool) -> dict[str, str | None]:
    return {_HOLD: "ON" if on else "OFF"}


def parse_hold(data: bytes) -> bool:
    status = wire.word_of(wire.parse(data, "LegalHold"), "Status")
    if status not in ("ON", "OFF"):
        raise malformed(f"Status has to be ON or OFF, not {status!r}.")
    return status == "ON"


def hold(on: bool) -> bytes:
    return document("LegalHold", element("Status", "ON" if on else "OFF"))
