"""What a source's answers mean (docs/standard.md, "Following a service").

What cannot be meant is refused: changes that do not follow one another, a version that another
change has made, and values that the engine would not have written (`values`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal, NamedTuple, TypeVar, cast

from drivers.indexed.replica.values import (
    Json,
    checksums,
    headers,
    key,
    number,
    owner,
    text,
    texts,
    time,
    truth,
    version,
    word,
)
from gateway.common.upstream.answers import broken
from gateway.storage import (
    Change,
    Encryption,
    ObjectInfo,
    Part,
    Period,
    Protection,
)

_EVENT = re.compile(r"([0-9]{1,9}) (days|years)")
_KINDS = frozenset(("put", "delete", "purge", "update"))

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


def page_of(answer: object, *, details: bool = True) -> Page:
    """With the `details` that were asked for, or without. Raises `OriginFailed`."""
    return _understood(partial(_page, details=details), answer)


def versions_of(answer: object) -> Versions:
    """Raises `OriginFailed`."""
    return _understood(_versions, answer)


def _understood(read: Callable[[Json], T], answer: object) -> T:
    try:
        return read(cast(Json, answer))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise broken(f"{type(error).__name__}: {str(error)[:200]}") from error


def _page(answer: Json, details: bool) -> Page:
    told = tuple(_update(one, details) for one in answer["updates"])
    if any(one.change.sequence + 1 != two.change.sequence for one, two in pairwise(told)):
        raise ValueError("its changes do not come one by one")
    feed = text(answer, "feed")
    if not feed:
        raise ValueError("it does not say which feed that is")
    last, cut = number(answer, "lastSyncId"), truth(answer, "cut")
    return Page(told, last, feed, cut, _before(answer.get("before")))


def _before(item: Json | None) -> Before | None:
    if item is None:
        return None
    return Before(text(item, "kind"), key(item), version(item))


def _update(item: Json, details: bool) -> Told:
    kind = text(item, "kind")
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is no kind of change")
    named = text(item, "version")
    change = Change(
        sequence=number(item, "syncId"),
        kind=cast(Literal["put", "delete", "purge", "update"], kind),
        time=time(item, "time"),
        key=key(item),
        version=version(item),
        size=number(item, "size"),
        etag=word(item, "etag"),
        content_type=text(item, "contentType"),
        cause=text(item, "cause") if "cause" in item else "",
    )
    if not details:
        return Told(change, named, marker=False, info=None)
    marker, info = truth(item, "deleted"), _info(change, item["details"])
    return _told(change, named, marker, info)


def _told(change: Change, named: str, marker: bool, info: ObjectInfo | None) -> Told:
    if marker and (change.kind != "delete" or info is not None):
        raise ValueError("a delete marker has nothing that could be told of it")
    return Told(change, named, marker, info)


def _versions(answer: Json) -> Versions:
    following = answer["next"]
    if following is not None and not isinstance(following, str):
        raise ValueError("the place of the next page is no text")
    return Versions(tuple(map(_entry, answer["versions"])), following)


def _entry(item: Json) -> Told:
    named, marker = text(item, "version"), truth(item, "deleted")
    details = item["details"]
    change = Change(
        sequence=number(item, "syncId"),
        kind="delete" if marker else "put",
        time=time(item, "modified"),
        key=key(item),
        version=version(item),
        size=number(item, "size"),
        etag=word(item, "etag"),
        content_type=text(details, "contentType") if details is not None else "",
    )
    return _told(change, named, marker, _info(change, details))


def _info(change: Change, details: Json | None) -> ObjectInfo | None:
    if details is None:
        return None
    attributes = json.loads(text(details, "attributes"))
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
        content_type=text(details, "contentType"),
        headers=headers(details),
        metadata=texts(details, "metadata"),
        tags=texts(details, "tags"),
        storage_class=word(details, "storageClass"),
        owner=owner(details),
        encryption=None if encryption is None else Encryption(kind=encryption),
        protection=_protection(details["protection"]),
        attributes=attributes,
        checksums=checksums(details),
        checksum_type=kind,
        parts=_parts(details, change.size),
    )


def _protection(found: Json | None) -> Protection | None:
    if found is None:
        return None
    mode, event = found["mode"], found["event"]
    if mode not in (None, "governance", "compliance"):
        raise ValueError(f"{mode!r} is no kind of retention")
    return Protection(
        mode=mode,
        until=None if found["until"] is None else time(found, "until"),
        hold=truth(found, "hold"),
        event=None if event is None else _period(event),
    )


def _period(text: str) -> Period:
    match = _EVENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no length of time")
    return Period(int(match[1]), cast(Literal["days", "years"], match[2]))


def _parts(details: Json, size: int) -> Sequence[Part]:
    """Those that an object of that size was made of."""
    parts = tuple(map(_part, details["parts"]))
    numbers = [0, *(one.number for one in parts)]
    if parts and sum(one.size for one in parts) != size:
        raise ValueError("its parts are not as long as it is")
    if any(one >= two for one, two in pairwise(numbers)):
        raise ValueError("its parts do not come in their order")
    return parts


def _part(item: Json) -> Part:
    return Part(
        number=number(item, "number"),
        size=number(item, "size"),
        etag=word(item, "etag"),
        modified=time(item, "modified"),
        checksums=checksums(item),
    )
