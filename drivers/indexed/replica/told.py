"""What a source's answers mean (docs/standard.md, "Following a service").

What cannot be meant is refused: a text that is no text, a key that is none, a version that
another change has made. So nothing gets into the index that the engine would not have written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeVar, cast

from gateway.common.upstream.answers import broken
from gateway.storage import (
    NOTHING,
    NULL_VERSION,
    Change,
    Encryption,
    ObjectInfo,
    Part,
    Period,
    Protection,
)

_NULL = f"{NULL_VERSION}-"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENT = re.compile(r"([0-9]{1,9}) (days|years)")
_KINDS = frozenset(("put", "delete", "purge", "update"))
_LONGEST_KEY = 1024

Json = Mapping[str, Any]
T = TypeVar("T")


class Told(NamedTuple):
    """A change, or a version as the change that made it. `named`: as `getfile` knows it. `info`
    is None where the version is there no more, and of what is no version. `marker`: it made a
    delete marker."""

    change: Change
    named: str
    marker: bool
    info: ObjectInfo | None


class Before(NamedTuple):
    """What is compared of the change that came last."""

    kind: str
    key: str
    version: str


class Page(NamedTuple):
    """`before`: the change behind which it begins, None where the source does not say."""

    told: tuple[Told, ...]
    last: int
    feed: str
    cut: bool
    before: Before | None


class Versions(NamedTuple):
    told: tuple[Told, ...]
    next: str | None


def page_of(answer: object) -> Page:
    """Raises `OriginFailed`."""
    return _understood(_page, answer)


def versions_of(answer: object) -> Versions:
    """Raises `OriginFailed`."""
    return _understood(_versions, answer)


def _understood(read: Callable[[Json], T], answer: object) -> T:
    try:
        return read(cast(Json, answer))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise broken(f"{type(error).__name__}: {error}") from error


def _page(answer: Json) -> Page:
    told = tuple(map(_update, answer["updates"]))
    feed = _text(answer, "feed")
    if not feed:
        raise ValueError("it does not say which feed that is")
    last, cut = _number(answer, "lastSyncId"), _truth(answer, "cut")
    return Page(told, last, feed, cut, _before(answer.get("before")))


def _before(item: Json | None) -> Before | None:
    if item is None:
        return None
    return Before(_text(item, "kind"), _key(item), _version(_text(item, "version")))


def _update(item: Json) -> Told:
    kind = _text(item, "kind")
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is no kind of change")
    named = _text(item, "version")
    change = Change(
        sequence=_number(item, "syncId"),
        kind=cast(Literal["put", "delete", "purge", "update"], kind),
        time=_time(item, "time"),
        key=_key(item),
        version=_version(named),
        size=_number(item, "size"),
        etag=_text(item, "etag"),
        content_type=_text(item, "contentType"),
        cause=_text(item, "cause") if "cause" in item else "",
    )
    marker = _truth(item, "deleted") if "deleted" in item else False
    return Told(change, named, marker, _info(change, item.get("details")))


def _versions(answer: Json) -> Versions:
    following = answer["next"]
    if following is not None and not isinstance(following, str):
        raise ValueError("the place of the next page is no text")
    return Versions(tuple(map(_entry, answer["versions"])), following)


def _entry(item: Json) -> Told:
    named, marker = _text(item, "version"), _truth(item, "deleted")
    details = item.get("details")
    change = Change(
        sequence=_number(item, "syncId"),
        kind="delete" if marker else "put",
        time=_time(item, "modified"),
        key=_key(item),
        version=_version(named),
        size=_number(item, "size"),
        etag=_text(item, "etag"),
        content_type=_text(details, "contentType") if details is not None else "",
    )
    return Told(change, named, marker, _info(change, details))


def _info(change: Change, details: Json | None) -> ObjectInfo | None:
    if details is None:
        return None
    attributes = json.loads(_text(details, "attributes"))
    if not isinstance(attributes, dict):
        raise ValueError("attributes are no object")
    encryption, kind = details["encryption"], details["checksumType"]
    if encryption not in (None, "managed", "customer", "kms"):
        raise ValueError("it is encrypted in a way that nobody knows")
    if kind not in (None, "FULL_OBJECT", "COMPOSITE"):
        raise ValueError(f"{kind!r} is no kind of checksum")
    return ObjectInfo(
        key=change.key,
        size=change.size,
        etag=change.etag,
        modified=change.time,
        version=change.version,
        content_type=_text(details, "contentType"),
        headers=tuple(_texts(details, "headers").items()),
        metadata=_texts(details, "metadata"),
        tags=_texts(details, "tags"),
        storage_class=_text(details, "storageClass"),
        owner=_text(details, "owner"),
        encryption=None if encryption is None else Encryption(kind=encryption),
        protection=_protection(details["protection"]),
        attributes=attributes,
        checksums=_texts(details, "checksums"),
        checksum_type=kind,
        parts=tuple(map(_part, details["parts"])),
    )


def _protection(found: Json | None) -> Protection | None:
    if found is None:
        return None
    mode, event = found["mode"], found["event"]
    if mode not in (None, "governance", "compliance"):
        raise ValueError(f"{mode!r} is no kind of retention")
    return Protection(
        mode=mode,
        until=None if found["until"] is None else _time(found, "until"),
        hold=_truth(found, "hold"),
        event=None if event is None else _period(event),
    )


def _period(text: str) -> Period:
    match = _EVENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no length of time")
    return Period(int(match[1]), cast(Literal["days", "years"], match[2]))


def _part(item: Json) -> Part:
    return Part(
        number=_number(item, "number"),
        size=_number(item, "size"),
        etag=_text(item, "etag"),
        modified=_time(item, "modified"),
        checksums=_texts(item, "checksums"),
    )


def _version(named: str) -> str:
    """The store's own name of a version (see `gateway/modes/standard/versions.py`)."""
    return NULL_VERSION if named.startswith(_NULL) else named


def _key(item: Json) -> str:
    key = _text(item, "path")
    if not 0 < len(key.encode()) <= _LONGEST_KEY:  # what is no text fails to be encoded
        raise ValueError("a key has 1 to 1024 bytes of UTF-8")
    return key


def _text(item: Json, name: str) -> str:
    value = item[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    value.encode()  # of which each character is one
    return value


def _texts(item: Json, name: str) -> Mapping[str, str]:
    found = item[name]
    if not isinstance(found, dict):
        raise TypeError(f"{name} is no object")
    return {one: _text(found, one) for one in _names(found)} or NOTHING


def _names(found: Json) -> Iterable[str]:
    for name in found:
        name.encode()
        yield name


def _number(item: Json, name: str) -> int:
    value = item[name]
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError(f"{name} is no number that can be")
    return value


def _truth(item: Json, name: str) -> bool:
    value = item[name]
    if type(value) is not bool:
        raise TypeError(f"{name} is neither true nor false")
    return value


def _time(item: Json, name: str) -> int:
    """Milliseconds since the epoch."""
    found = datetime.fromisoformat(_text(item, name))
    passed = found.replace(tzinfo=found.tzinfo or UTC) - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1000 + passed.microseconds // 1000
