"""What a bucket tells of its objects' changes, and whom.

A destination is a webhook of the gateway's configuration, by an ARN: `arn:gateway:sqs:::NAME`
in a `QueueConfiguration`, `sns` in a `TopicConfiguration`, `lambda` in a
`CloudFunctionConfiguration`; all three are told in the same way.

Events are those that a change feed knows, by what its causes say. What never happens here
(restores, replication, transitions) is refused.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from gateway.access.grants import GRANTS
from gateway.access.settings import SettingKind
from gateway.common.xml import document as xml_document
from gateway.common.xml import element
from gateway.modes.s3 import causes, wire
from gateway.modes.s3.configuration.setting import BucketSetting, of_text
from gateway.modes.s3.problems import S3Problem, malformed
from gateway.storage import Change

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MADE = (
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
)
REMOVED = ("s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated")
EXPIRED = ("s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated")
ANNOTATED = ("s3:ObjectAnnotation:Put", "s3:ObjectAnnotation:Delete")
TAGGED = ("s3:ObjectTagging:Put", "s3:ObjectTagging:Delete")
_SINGLE = (
    *MADE,
    *REMOVED,
    *EXPIRED,
    *TAGGED,
    *ANNOTATED,
    "s3:ObjectAcl:Put",
    "s3:ObjectRetention:Put",
)
EVENTS = {
    "s3:ObjectCreated:*": frozenset(MADE),
    "s3:ObjectRemoved:*": frozenset(REMOVED),
    "s3:LifecycleExpiration:*": frozenset(EXPIRED),
    "s3:ObjectTagging:*": frozenset(TAGGED),
    "s3:ObjectAnnotation:*": frozenset(ANNOTATED),
    **{name: frozenset((name,)) for name in _SINGLE},
}
"""What each name stands for."""

_BY_CAUSE = {
    causes.FORM: "s3:ObjectCreated:Post",
    causes.COPY: "s3:ObjectCreated:Copy",
    # what a feed calls an update
    "tags": "s3:ObjectTagging:Put",
    "no tags": "s3:ObjectTagging:Delete",
    "retention": "s3:ObjectRetention:Put",
}
_EXPIRES = frozenset({causes.LIFECYCLE, "keep_versions"})
"""Causes of removals that nobody asked for: the second is a store's."""
_AT_AWS = re.compile(
    r"s3:(ReducedRedundancyLostObject|LifecycleTransition|IntelligentTiering|ObjectAcl:Put"
    r"|(ObjectCreated|ObjectRestore|Replication|LifecycleExpiration|ObjectTagging"
    r"|ObjectAnnotation|ObjectRetention):(\*|[A-Za-z]+))"
)
_PARTS_ETAG = re.compile(r"[0-9a-f]{32}-[0-9]+")
_ARN = re.compile(r"arn:gateway:(sqs|sns|lambda):[a-z0-9-]*::([A-Za-z0-9._@+-]{1,128})")
_DESTINATIONS = {
    # element: (the destination's element, the service in its ARN)
    "TopicConfiguration": ("Topic", "sns"),
    "QueueConfiguration": ("Queue", "sqs"),
    "CloudFunctionConfiguration": ("CloudFunction", "lambda"),
}
_MOST = 100
_LONGEST_ID = 255
_LONGEST_FILTER = 1024


class Notification(NamedTuple):
    """One configuration. `kind` is its element, `webhook` the name in its `arn`; `events` as they
    were asked for."""

    id: str
    kind: str
    arn: str
    webhook: str
    events: tuple[str, ...]
    prefix: str | None = None
    suffix: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """All events that it is told of."""
        return frozenset().union(*(EVENTS[one] for one in self.events))

    def covers(self, event: str, key: str, fold: Callable[[str], str]) -> bool:
        """`fold`: that of the store."""
        prefix, suffix = fold(self.prefix or ""), fold(self.suffix or "")
        return event in self.names and key.startswith(prefix) and key.endswith(suffix)

    def overlaps(self, other: Notification) -> bool:
        """Whether both may be told of one change."""
        ours, theirs = self.prefix or "", other.prefix or ""
        prefixes = ours.startswith(theirs) or theirs.startswith(ours)
        ours, theirs = self.suffix or "", other.suffix or ""
        suffixes = ours.endswith(theirs) or theirs.endswith(ours)
        return prefixes and suffixes and not self.names.isdisjoint(other.names)


def event_of(change: Change) -> str | None:
    """The event that a change is; None: of no kind that is told."""
    if change.kind == "update":
        return _BY_CAUSE.get(change.cause) or _of_named(change.cause)
    if change.kind == "put":
        parts = _PARTS_ETAG.fullmatch(change.etag) is not None
        return _BY_CAUSE.get(change.cause) or (MADE[-1] if parts else MADE[0])
    removed = EXPIRED if change.cause in _EXPIRES else REMOVED
    return removed[change.kind == "delete" and not change.etag]


def _of_named(cause: str) -> str | None:
    """An update whose cause has names behind it."""
    for word, event in zip(("annotation ", "no annotation "), ANNOTATED, strict=True):
        if cause.startswith(word):
            return event
    what, *names = cause.split(" ")
    return "s3:ObjectAcl:Put" if what == "attributes" and GRANTS in names else None


def parse(data: bytes) -> tuple[Notification, ...]:
    """Raises S3Problem."""
    root = wire.parse(data, "NotificationConfiguration")
    if wire.child(root, "EventBridgeConfiguration") is not None:
        raise S3Problem("NotImplemented", "There is no EventBridge here: name a webhook.")
    found = tuple(
        _notification(node, kind) for kind in _DESTINATIONS for node in wire.children(root, kind)
    )
    if len(found) > _MOST:
        _refuse(f"A bucket has at most {_MOST} notification configurations.")
    if len({one.id for one in found}) < len(found):
        _refuse("Configuration ids must be unique.")
    if any(one.overlaps(other) for one, other in combinations(found, 2)):
        _refuse(
            "Configurations overlap. Configurations on the same bucket cannot share a common"
            " event type."
        )
    return found


def _refuse(message: str, **extra: str) -> NoReturn:
    raise S3Problem("InvalidArgument", message, **extra)


def _notification(node: Element, kind: str) -> Notification:
    named, service = _DESTINATIONS[kind]
    arn = wire.word_of(node, named)
    if not arn:
        raise malformed(f"{kind} needs a {named}.")
    if wire.child(node, "InvocationRole") is not None:
        raise S3Problem("NotImplemented", "InvocationRole: there are no roles here.")
    match = _ARN.fullmatch(arn)
    if match is None or match[1] != service:
        _refuse("The ARN is not well formed", ArgumentName=named, ArgumentValue=arn)
    events = tuple(dict.fromkeys(_event(one.text or "") for one in wire.children(node, "Event")))
    if not events:
        raise malformed(f"{kind} needs an Event.")
    prefix, suffix = _filter(wire.child(node, "Filter"))
    id = wire.word_of(node, "Id") or _id(arn, *events, prefix or "", suffix or "")
    if len(id) > _LONGEST_ID:
        _refuse("The Id is too long", ArgumentName="Id")
    return Notification(id, kind, arn, match[2], events, prefix, suffix)


def _event(text: str) -> str:
    name = text.strip()
    if name in EVENTS:
        return name
    if _AT_AWS.fullmatch(name):
        known = ", ".join(EVENTS)
        raise S3Problem("NotImplemented", f"{name}: the gateway tells of {known} only.")
    _refuse(
        "A specified event is not supported for notifications.",
        ArgumentName="Event",
        ArgumentValue=name,
    )


def _filter(node: Element | None) -> tuple[str | None, str | None]:
    """(prefix, suffix)"""
    found: dict[str, str] = {}
    key = None if node is None else wire.child(node, "S3Key")
    for rule in () if key is None else wire.children(key, "FilterRule"):
        name, value = wire.word_of(rule, "Name").lower(), wire.text_of(rule, "Value")
        if name not in ("prefix", "suffix"):
            _refuse("filter rule name must be either prefix or suffix", ArgumentName="FilterRule")
        if name in found:
            _refuse(f"Cannot specify more than one {name} rule in a filter.")
        if value is None or len(value.encode()) > _LONGEST_FILTER:
            _refuse(f"Size of filter rule value cannot exceed {_LONGEST_FILTER} bytes in UTF-8")
        found[name] = value
    return found.get("prefix"), found.get("suffix")


def _id(*parts: str) -> str:
    """The same for the same configuration, whenever it is read."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def render(found: tuple[Notification, ...]) -> bytes:
    return xml_document("NotificationConfiguration", *map(_rendered, found))


def _rendered(one: Notification) -> str:
    destination, _ = _DESTINATIONS[one.kind]
    rules = "".join(
        f"<FilterRule>{element('Name', name)}{element('Value', value)}</FilterRule>"
        for name, value in (("Prefix", one.prefix), ("Suffix", one.suffix))
        if value is not None
    )
    return (
        f"<{one.kind}>{element('Id', one.id)}{element(destination, one.arn)}"
        + "".join(element("Event", event) for event in one.events)
        + (f"<Filter><S3Key>{rules}</S3Key></Filter>" if rules else "")
        + f"</{one.kind}>"
    )


SETTING: BucketSetting[tuple[Notification, ...]] = BucketSetting(
    SettingKind(
        name="notification",
        read="read-notification",
        write="write-notification",
        remove="write-notification",
        parse=of_text(parse),
    ),
    render,
    nothing=render(()),
)
