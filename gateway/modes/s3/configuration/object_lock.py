"""Object lock of a bucket: that it has one, and what new objects are kept by.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
A bucket that has one keeps versions for good, and is never without it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.access.settings import SettingKind
from gateway.common import xml
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.setting import BucketSetting, document
from gateway.modes.s3.problems import S3Problem
from gateway.storage import Protection, Put, RetentionMode

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DAY = 86_400_000
MODES: dict[str, RetentionMode] = {"GOVERNANCE": "governance", "COMPLIANCE": "compliance"}
_LONGEST = {"Days": 36_500, "Years": 100}
_DAYS = {"Days": 1, "Years": 365}

ENABLED = xml.document(
    "ObjectLockConfiguration", xml.element("ObjectLockEnabled", "Enabled")
).decode()
"""The document of a bucket that was made with object lock."""


@dataclass(frozen=True, slots=True)
class DefaultRetention:
    """`number` of `unit` ("Days" or "Years"), from when an object is made."""

    mode: RetentionMode
    number: int
    unit: str

    def until(self, time: int) -> int:
        """A year has 365 days there."""
        return time + self.number * _DAYS[self.unit] * DAY


@dataclass(frozen=True, slots=True)
class ObjectLock:
    default: DefaultRetention | None = None


def _parse(data: bytes) -> ObjectLock:
    root = wire.parse(data, "ObjectLockConfiguration")
    if wire.word_of(root, "ObjectLockEnabled") != "Enabled":
        raise S3Problem("MalformedXML")
    rule = wire.child(root, "Rule")
    if rule is None:
        return ObjectLock()
    retention = wire.child(rule, "DefaultRetention")
    if retention is None:
        raise S3Problem("MalformedXML")
    if wire.child(retention, "DefaultEventHold") is not None:
        raise S3Problem("NotImplemented", "Event holds of objects are not implemented.")
    return ObjectLock(_default(retention))


def _default(node: Element) -> DefaultRetention:
    mode = MODES.get(wire.word_of(node, "Mode"))
    units = [unit for unit in _LONGEST if wire.child(node, unit) is not None]
    if mode is None or len(units) != 1:
        raise S3Problem("MalformedXML")
    text = wire.word_of(node, units[0])
    number = wire.integer(text)
    if number is None:
        raise S3Problem("MalformedXML")
    if not 0 < number <= _LONGEST[units[0]]:
        what = "too large." if number > 0 else "must be a positive integer value."
        raise S3Problem(
            "InvalidArgument",
            f"Default retention period {what}",
            ArgumentName=units[0],
            ArgumentValue=text,
        )
    return DefaultRetention(mode, number, units[0])


def _render(lock: ObjectLock) -> bytes:
    rule = ""
    if lock.default is not None:
        mode = xml.element("Mode", lock.default.mode.upper())
        period = xml.element(lock.default.unit, lock.default.number)
        rule = f"<Rule><DefaultRetention>{mode}{period}</DefaultRetention></Rule>"
    enabled = xml.element("ObjectLockEnabled", "Enabled")
    return xml.document("ObjectLockConfiguration", enabled, rule)


def _kept(lock: ObjectLock, said: Put, time: int) -> Put:
    """An object that says no retention of its own has the bucket's."""
    default, protection = lock.default, said.protection or Protection()
    if default is None or protection.mode is not None:
        return said
    kept = replace(protection, mode=default.mode, until=default.until(time))
    return replace(said, protection=kept)


SETTING: BucketSetting[ObjectLock] = BucketSetting(
    SettingKind(
        name="object-lock",
        read="read-object-lock",
        write="write-object-lock",
        remove="write-object-lock",
        parse=document(_parse),
        defaults=_kept,
    ),
    _render,
    "ObjectLockConfigurationNotFoundError",
)
