"""Object lock of a bucket: that it has one, and what new objects are kept by.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
A bucket that has one keeps versions for good, and is never without it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from gateway.access.settings import SettingKind
from gateway.common import xml
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.setting import BucketSetting, of_text
from gateway.modes.s3.problems import S3Problem, malformed
from gateway.storage import Period, Protection, Put, RetentionMode

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Unit = Literal["days", "years"]
DAY = 86_400_000
MODES: dict[str, RetentionMode] = {"GOVERNANCE": "governance", "COMPLIANCE": "compliance"}
LONGEST: dict[Unit, int] = {"days": 36_500, "years": 100}


@dataclass(frozen=True, slots=True)
class DefaultRetention:
    """`period` from when an object is made, `event` from when its hold is taken off; one is
    there at least."""

    mode: RetentionMode
    period: Period | None = None
    event: Period | None = None


@dataclass(frozen=True, slots=True)
class ObjectLock:
    default: DefaultRetention | None = None


def _parse(data: bytes) -> ObjectLock:
    root = wire.parse(data, "ObjectLockConfiguration")
    if wire.word_of(root, "ObjectLockEnabled") != "Enabled":
        raise malformed("ObjectLockEnabled has to be Enabled.")
    rule = wire.child(root, "Rule")
    if rule is None:
        return ObjectLock()
    retention = wire.child(rule, "DefaultRetention")
    if retention is None:
        raise malformed("A Rule needs a DefaultRetention.")
    return ObjectLock(_default(retention))


def _default(node: Element) -> DefaultRetention:
    mode = MODES.get(wire.word_of(node, "Mode"))
    period, hold = period_of(node, "Default retention period"), wire.child(node, "DefaultEventHold")
    event = None if hold is None else period_of(hold, "Default event hold duration")
    if mode is None or (event is None and (period is None or hold is not None)):
        raise malformed(
            "DefaultRetention needs a Mode (GOVERNANCE or COMPLIANCE), and Days, Years or a"
            " DefaultEventHold that has one of them."
        )
    return DefaultRetention(mode, period, event)


def period_of(node: Element, what: str) -> Period | None:
    """Its `Days` or `Years`; None where it has neither."""
    found = [(unit, wire.word_of(node, unit.title())) for unit in LONGEST if _has(node, unit)]
    if len(found) > 1 or any(wire.integer(text) is None for _, text in found):
        raise malformed(f"{what}: either Days or Years, a number.")
    return next((period(text, unit, what, unit.title()) for unit, text in found), None)


def _has(node: Element, unit: Unit) -> bool:
    return wire.child(node, unit.title()) is not None


def period(text: str, unit: Unit, what: str, name: str) -> Period:
    number = wire.integer(text)
    if number is None or not 0 < number <= LONGEST[unit]:
        raise period_refusal(text, what, name)
    return Period(number, unit)


def period_refusal(text: str, what: str, name: str) -> S3Problem:
    wrong = "too large." if (wire.integer(text) or 0) > 0 else "must be a positive integer value."
    return S3Problem("InvalidArgument", f"{what} {wrong}", ArgumentName=name, ArgumentValue=text)


def period_xml(found: Period | None) -> str:
    return "" if found is None else xml.element(found.unit.title(), found.number)


def _render(lock: ObjectLock) -> bytes:
    rule = ""
    if lock.default is not None:
        mode = xml.element("Mode", lock.default.mode.upper())
        period, event = period_xml(lock.default.period), period_xml(lock.default.event)
        hold = f"<DefaultEventHold>{event}</DefaultEventHold>" if event else ""
        rule = f"<Rule><DefaultRetention>{mode}{period}{hold}</DefaultRetention></Rule>"
    enabled = xml.element("ObjectLockEnabled", "Enabled")
    return xml.document("ObjectLockConfiguration", enabled, rule)


def _kept(lock: ObjectLock, said: Put, time: int) -> Put:
    """An object that says no retention of its own has the bucket's."""
    default, protection = lock.default, said.protection or Protection()
    if default is None or protection.mode is not None:
        return said
    until = None if default.period is None else default.period.after(time)
    kept = replace(protection, mode=default.mode, until=until, event=default.event)
    return replace(said, protection=kept)


SETTING: BucketSetting[ObjectLock] = BucketSetting(
    SettingKind(
        name="object-lock",
        read="read-object-lock",
        write="write-object-lock",
        remove="write-object-lock",
        parse=of_text(_parse),
        defaults=_kept,
        needs_versions=True,
    ),
    _render,
    "ObjectLockConfigurationNotFoundError",
)
