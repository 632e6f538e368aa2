"""What may be stored, and for how long it is fresh. Headers of the source have no say in it.

It is a value without state, asked by everything else; another set of
rules (those of RFC 9111) is another such object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway.storage import (
    NOTHING,
    Get,
    NoSuchKey,
    NoSuchStore,
    ObjectInfo,
    Opened,
    StorageError,
    Unavailable,
)

PASS_FOR = 30.0
"""Seconds for which it is remembered that an object is not for the cache, so that its
readers do not queue for each other."""

MISSING = (NoSuchKey, NoSuchStore)
FAILING = (Unavailable,)
"""What a source may say that is remembered: what is not there, and that it failed. That it
refuses the gateway itself (`OriginDenied`) is a failure like others, and as short."""

LONGEST_PAUSE = 30.0
"""Seconds after which a source that fails again and again is asked once more, at the latest."""

_DOUBLED = 10

_TAGS = {"surrogate-key": None, "cache-tag": ",", "cache-groups": ","}
"""Headers that name an object's tags, and what separates them (None: white space)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Times are seconds, sizes bytes."""

    refresh_after: float
    expire_not_found: float
    expire_errors: float
    max_item_size: int
    stale_if_error: float
    stale_while_revalidate: float

    def variant(self, want: Get) -> str | None:
        """What tells this representation of the object from others; None: not to be
        looked for in the cache."""
        if want.version is not None or want.part is not None or want.encryption is not None:
            return None
        return want.query

    def asked(self, want: Get) -> Get:
        """What of a reader's question goes into asking the source. Without the headers of the
        request: there is one entry for all readers, and none may say what is in it."""
        if not want.headers and want.range is None and want.conditions is None:
            return want
        return replace(want, headers=NOTHING, range=None, conditions=None)

    def storable(self, opened: Opened) -> bool:
        return opened.status == 200 and self.keeps(opened.info)

    def keeps(self, info: ObjectInfo) -> bool:
        """An object under a customer's key is for those who have the key."""
        encryption = info.encryption
        customer = encryption is not None and encryption.kind == "customer"
        return not customer and info.size <= self.max_item_size

    def fresh_for(self, info: ObjectInfo) -> float:
        return self.refresh_after

    def remembers(self, error: StorageError) -> float:
        """For how long this answer of the source is given again; 0: not at all."""
        if not error.cacheable:
            return 0.0
        if isinstance(error, MISSING):
            return self.expire_not_found
        return self.expire_errors if isinstance(error, FAILING) else 0.0

    def pause(self, failures: int) -> float:
        """For how long a source is not asked again about an entry, after so many failures
        before this one: twice as long each time."""
        first = max(1.0, self.expire_errors)
        return min(first * (1 << min(failures, _DOUBLED)), max(first, LONGEST_PAUSE))

    def tags(self, info: ObjectInfo) -> tuple[str, ...]:
        return tuple(_tags(info)) if info.headers else ()


def _tags(info: ObjectInfo) -> Iterator[str]:
    for name, value in info.headers:
        if name.lower() in _TAGS:
            for tag in value.split(_TAGS[name.lower()]):
                if tag := tag.strip().strip('"'):
                    yield tag
