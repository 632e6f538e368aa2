"""Lists, a page at a time, in the order of the keys' UTF-8 bytes.

The rule of all pages: an item (a key, or a common prefix) is on a page when it
is greater than the query's `after`, and `next` is the last item of a page that
has successors. So a page can begin after any string, whether or not it is a
key, each common prefix appears once, and a list always ends.

For text, Python's order of code points is the order of UTF-8 bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.storage.errors import Unavailable
from gateway.storage.objects import ObjectInfo
from gateway.storage.types import Upload

LIMIT = 1000
"""Items on a page, unless asked for fewer; no store gives more."""


class Entry(NamedTuple):
    """A current object in a list."""

    key: str
    size: int
    etag: str
    modified: int
    content_type: str = "binary/octet-stream"
    version: str | None = None
    storage_class: str = "STANDARD"
    owner: str = ""

    @classmethod
    def of(cls, info: ObjectInfo) -> Entry:
        return cls(
            info.key,
            info.size,
            info.etag,
            info.modified,
            info.content_type,
            info.version,
            info.storage_class,
            info.owner,
        )


class VersionEntry(NamedTuple):
    """A version or a delete marker in a list, newest first below each key."""

    key: str
    version: str
    latest: bool
    marker: bool
    size: int
    etag: str
    modified: int
    storage_class: str = "STANDARD"
    owner: str = ""
    sequence: int = 0


BRIEF = ("content_type", "version", "owner")
"""What of an entry a store may leave as it is by default when the query is `brief`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """`brief`: nobody will look at what `BRIEF` names; a store may spare itself finding it."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    limit: int = LIMIT
    brief: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    entries: tuple[Entry, ...] = ()
    prefixes: tuple[str, ...] = ()
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionQuery:
    """`after_version`: within the key `after`, only what is older than that version;
    "" means that the key `after` is done."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    after_version: str = ""
    limit: int = LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    entries: tuple[VersionEntry, ...] = ()
    prefixes: tuple[str, ...] = ()
    next: str | None = None
    next_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadQuery:
    """`after_upload`: within the key `after`, only uploads whose id is greater;
    "" means that the key `after` is done."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    after_upload: str = ""
    limit: int = LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPage:
    uploads: tuple[Upload, ...] = ()
    prefixes: tuple[str, ...] = ()
    next: str | None = None
    next_upload: str = ""


def page_of(keys: Sequence[str], info: Callable[[str], ObjectInfo], query: ListQuery) -> ListPage:
    """The page of a store that has all its keys at hand, sorted. `info` is called for the
    objects on the page only."""
    at = max(bisect_left(keys, query.prefix), bisect_right(keys, query.after))
    entries, prefixes, last = list[Entry](), list[str](), None
    while at < len(keys) and keys[at].startswith(query.prefix):
        rolled = common_prefix(keys[at], query.prefix, query.delimiter)
        item = keys[at] if rolled is None else rolled
        if item > query.after:
            if len(entries) + len(prefixes) >= min(query.limit, LIMIT):
                return ListPage(entries=tuple(entries), prefixes=tuple(prefixes), next=last)
            last = item
            if rolled is None:
                entries.append(Entry.of(info(item)))
            else:
                prefixes.append(rolled)
        if rolled is None:
            at += 1
            continue
        beyond = successor(rolled)
        at = len(keys) if beyond is None else bisect_left(keys, beyond, at)
    return ListPage(entries=tuple(entries), prefixes=tuple(prefixes))


def check_moves(
    next: str | None,
    after: str,
    next_id: str = "",
    after_id: str = "",  # as in pages
) -> None:
    """Raise `Unavailable` when the page behind `next` would not be behind this one, which
    began `after`: whoever pages would never come to an end."""
    if next is not None and (next < after or (next, next_id) == (after, after_id)):
        raise Unavailable("The store's list does not move on.")


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """The part of `key` up to and with the first `delimiter` behind `prefix`, if any."""
    if not delimiter:
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def successor(prefix: str) -> str | None:
    """The least text that is greater than every text beginning with `prefix`.

    None when there is none (`prefix` is empty or all U+10FFFF).
    """
    while prefix:
        last = ord(prefix[-1])
        if last < 0x10FFFF:
            # D800–DFFF are surrogates: no text holds them.
            following = 0xE000 if last == 0xD7FF else last + 1
            return prefix[:-1] + chr(following)
        prefix = prefix[:-1]
    return None
