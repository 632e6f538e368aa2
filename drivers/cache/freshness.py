"""What may be stored, for how long it is fresh, and what a reader is answered: by times of the
cache's own. Headers of the source have no say in it.

It is a value without state, asked by everything else; the rules of RFC 9111 are another such
object (`respecting`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from drivers.cache.entries import FAILING, MISSING, UNFIT, CacheEntry
from drivers.cache.http_fields import members, unquoted
from drivers.cache.rfc9111 import Decision, Use
from gateway.storage import (
    Get,
    ObjectInfo,
    Opened,
    OriginAnswer,
    StorageError,
    Varies,
)

PASS_FOR = 30.0
"""Seconds for which it is remembered that an object is not for the cache, so that its
readers do not queue for each other."""

LONGEST_PAUSE = 30.0
"""Seconds after which a source that fails again and again is asked once more, at the latest."""

_DOUBLED = 10


def _between_commas(value: str) -> list[str]:
    return members((value,))


_TAGS: Mapping[str, Callable[[str], list[str]]] = {
    "surrogate-key": str.split,
    "cache-tag": _between_commas,
    "cache-groups": _between_commas,
}
"""Headers that name an object's tags, and how they are told apart. Those of RFC 9875 are strings
in quotes, in which a comma may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Times are seconds, sizes bytes. What it says to `by_head`, `obeys` and `strict` is for
    the rules of RFC 9111 to say otherwise."""

    by_head: ClassVar[bool] = True
    """Whether what is said of an object may be asked for without its bytes."""

    obeys: ClassVar[bool] = False
    """Whether a request may say something of caching."""

    strict: ClassVar[bool] = False
    """Whether an answer may be for whoever asked for it alone: what is not to be stored, and
    what is never fresh."""

    refresh_after: float
    expire_not_found: float
    expire_errors: float
    max_item_size: int
    stale_if_error: float
    stale_while_revalidate: float

    def normal(self, key: str, want: Get, source: Varies | None) -> Get:
        """A question without what makes no difference to the source: no reader may say that
        there is one, and fill the cache with what is the same. All else here, and what the
        source is asked, is about this one."""
        if source is None:
            return want.said("")
        return source.normal(key, want)

    def variant(self, want: Get) -> str | None:
        """What tells this representation of the object from others; None: not to be
        looked for in the cache."""
        if not sought(want):
            return None
        if not want.headers:
            return want.query
        said = sorted(f"{name}: {value}" for name, value in want.headers.items())
        return "\n".join((want.query, *said))

    def asked(self, want: Get) -> Get:
        """What of a reader's question goes into asking the source."""
        if want.range is None and want.conditions is None:
            return want
        return replace(want, range=None, conditions=None)

    def asked_at(self, want: Get, variant: str) -> str:
        """Where a question is to be joined by others who ask it, of the object's `variant`."""
        return variant

    def chosen_by(self, told: ObjectInfo | OriginAnswer) -> tuple[str, ...]:
        """The fields of a request by which this answer was chosen from an object's variants."""
        return ()

    def storable(self, opened: Opened, want: Get) -> bool:
        return opened.status == 200 and self.keeps(opened.info, want)

    def keeps(self, info: ObjectInfo, want: Get) -> bool:
        """An object under a customer's key is for those who have the key."""
        encryption = info.encryption
        customer = encryption is not None and encryption.kind == "customer"
        return not customer and info.size <= self.max_item_size

    def confirms(self, head: ObjectInfo, known: ObjectInfo, want: Get) -> bool:
        """Whether what was said to one who wants that, without bytes, is of what is known."""
        return True

    def told(self, info: ObjectInfo) -> ObjectInfo:
        """What of it is kept."""
        origin = info.origin
        return info if origin is None else replace(info, origin=self.heard(origin))

    def heard(self, origin: OriginAnswer) -> OriginAnswer:
        """What of an answer all may get: by times of the cache's own that is what one got, but
        for cookies, by which an origin would take them all for him."""
        lines = tuple(one for one in origin.headers if one[0].lower() != "set-cookie")
        return replace(origin, headers=lines)

    def fresh_until(self, info: ObjectInfo, fetched: int) -> int:
        """Milliseconds of the clock, as `fetched`: when the source began to be asked."""
        return fetched + round(1000 * self.refresh_after)

    def decide(self, entry: CacheEntry, want: Get, now: int) -> Decision:
        """What a reader is answered who wants that, as of `now`."""
        stale = (now - entry.until) / 1000
        if entry.info is None:
            return Decision(Use.FRESH if stale < 0 else Use.ASK)
        failing = stale < self.stale_if_error
        if stale < 0:
            return Decision(Use.FRESH, failing)
        return Decision(Use.BEHIND if stale < self.stale_while_revalidate else Use.ASK, failing)

    def fails(self, error: StorageError) -> bool:
        """Whether the source says nothing by it of the object: what is known may still be so."""
        return isinstance(error, FAILING)

    def remembers(self, error: StorageError, want: Get, fetched: int) -> float:
        """For how long this answer of the source is given again; 0: not at all."""
        if not error.cacheable:
            return 0.0
        if isinstance(error, MISSING):
            return self.expire_not_found
        return self.expire_errors if isinstance(error, FAILING + UNFIT) else 0.0

    def pause(self, failures: int) -> float:
        """For how long a source is not asked again about an entry, after so many failures
        before this one: twice as long each time."""
        first = max(1.0, self.expire_errors)
        return min(first * (1 << min(failures, _DOUBLED)), max(first, LONGEST_PAUSE))

    def tags(self, info: ObjectInfo) -> tuple[str, ...]:
        return tuple(_tags(info)) if info.headers else ()


def sought(want: Get) -> bool:
    """Whether it is to be looked for in the cache."""
    return want.version is None and want.part is None and want.encryption is None


def _tags(info: ObjectInfo) -> Iterator[str]:
    for name, value in info.headers:
        if name.lower() in _TAGS:
            yield from _listed(name, value)


def _listed(name: str, value: str) -> Iterator[str]:
    yield from filter(None, map(unquoted, _TAGS[name.lower()](value)))


def invalidated(lines: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The tags that an answer to an unsafe method names (RFC 9875 §3)."""
    for name, value in lines:
        if name.lower() == "cache-group-invalidation":
            yield from _listed("cache-groups", value)
