"""Where the access log of a bucket goes.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from gateway.access.settings import SettingKind
from gateway.common.xml import document as xml_document
from gateway.common.xml import element
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.setting import BucketSetting, of_text
from gateway.modes.s3.documents import XSI
from gateway.modes.s3.grants import NamedGrant
from gateway.modes.s3.parsing import named_grant
from gateway.modes.s3.problems import malformed

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DateSource = Literal["EventTime", "DeliveryTime"]
"""Of which day the folder is that a log lies in: that of its requests, or that on which it was
written. "" where there are no such folders."""

_SOURCES: Mapping[str, DateSource] = {
    "EventTime": "EventTime",
    "DeliveryTime": "DeliveryTime",
}
_PERMISSIONS = ("FULL_CONTROL", "READ", "WRITE")
_KINDS = {
    # how a grant names somebody: (type, element)
    "id": ("CanonicalUser", "ID"),
    "uri": ("Group", "URI"),
    "emailAddress": ("AmazonCustomerByEmail", "EmailAddress"),
}


class AccessLogging(NamedTuple):
    """`bucket` gets the logs, below `prefix`; `partitioned` by day or not (""). `grants` are given
    with each."""

    bucket: str
    prefix: str
    partitioned: DateSource | Literal[""] = ""
    grants: tuple[NamedGrant, ...] = ()

    def as_text(self) -> str:
        return json.dumps([*self[:3], [list(one) for one in self.grants]])

    @classmethod
    def of_text(cls, text: str) -> AccessLogging:
        bucket, prefix, partitioned, listed = json.loads(text)
        return cls(bucket, prefix, partitioned, tuple(NamedGrant(*one) for one in listed))


def parse(data: bytes) -> AccessLogging | None:
    """None: there are to be none. Raises S3Problem."""
    root = wire.parse(data, "BucketLoggingStatus")
    node = wire.child(root, "LoggingEnabled")
    if node is None:
        return None
    bucket, prefix = wire.word_of(node, "TargetBucket"), wire.text_of(node, "TargetPrefix")
    if not bucket or prefix is None:
        raise malformed(
            "LoggingEnabled needs a TargetBucket and a TargetPrefix, which may be empty."
        )
    listed = wire.child(node, "TargetGrants")
    grants = () if listed is None else map(_grant, wire.children(listed, "Grant"))
    format = wire.child(node, "TargetObjectKeyFormat")
    return AccessLogging(bucket, prefix, "" if format is None else _format(format), tuple(grants))


def _grant(node: Element) -> NamedGrant:
    found = named_grant(node, "MalformedXML")
    if found.permission not in _PERMISSIONS:
        raise malformed(f"Permission has to be one of {', '.join(_PERMISSIONS)}.")
    return found


def _format(node: Element) -> DateSource | Literal[""]:
    simple, parted = wire.child(node, "SimplePrefix"), wire.child(node, "PartitionedPrefix")
    if (simple is None) is (parted is None):
        raise malformed("TargetObjectKeyFormat has either a SimplePrefix or a PartitionedPrefix.")
    if parted is None:
        return ""
    source = wire.word_of(parted, "PartitionDateSource") or "DeliveryTime"
    if source not in _SOURCES:
        raise malformed(f"PartitionDateSource has to be {' or '.join(_SOURCES)}, not {source!r}.")
    return _SOURCES[source]


def render(found: AccessLogging | None) -> bytes:
    return xml_document("BucketLoggingStatus", "" if found is None else _enabled(found))


def _enabled(found: AccessLogging) -> str:
    grants = "".join(map(_rendered, found.grants))
    source = element("PartitionDateSource", found.partitioned)
    format = (
        f"<PartitionedPrefix>{source}</PartitionedPrefix>"
        if found.partitioned
        else "<SimplePrefix></SimplePrefix>"
    )
    return (
        f"<LoggingEnabled>{element('TargetBucket', found.bucket)}"
        f"{element('TargetPrefix', found.prefix)}"
        + (f"<TargetGrants>{grants}</TargetGrants>" if grants else "")
        + f"<TargetObjectKeyFormat>{format}</TargetObjectKeyFormat></LoggingEnabled>"
    )


def _rendered(one: NamedGrant) -> str:
    kind, name = _KINDS[one.kind]
    return (
        f'<Grant><Grantee xmlns:xsi="{XSI}" xsi:type="{kind}">'
        f"{element(name, one.grantee)}</Grantee>"
        f"{element('Permission', one.permission)}</Grant>"
    )


SETTING: BucketSetting[AccessLogging | None] = BucketSetting(
    SettingKind(
        name="logging",
        read="read-logging",
        write="write-logging",
        remove="write-logging",
        parse=of_text(parse),
    ),
    render,
    nothing=render(None),
)
