"""What an origin says of its answers counts: the rules of RFC 9111, of what the contract knows.

Where the source is no HTTP origin, its answer is what it would say as one: the object's
headers and its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from drivers.cache import rfc9111, selecting
from drivers.cache.entries import FAILING, MISSING, CacheEntry
from drivers.cache.freshness import Freshness, sought
from drivers.cache.rfc9111 import Answer, Decision, Options, Use
from gateway.common.moments import http_date
from gateway.storage import Get, ObjectInfo, Opened, OriginAnswer, StorageError, Varies

_SPEAKING = ("cache-control", "pragma")


@dataclass(frozen=True, slots=True, kw_only=True)
class Respecting(Freshness):
    """`client_may_refresh`: what a request says of caching counts, too."""

    by_head: ClassVar[bool] = False
    strict: ClassVar[bool] = True

    client_may_refresh: bool = False
    options: Options = field(init=False)

    def __post_init__(self) -> None:
        options = Options(
            heuristic=self.refresh_after,
            stale_if_error=self.stale_if_error,
            stale_while_revalidate=self.stale_while_revalidate,
            obeys=self.client_may_refresh,
        )
        object.__setattr__(self, "options", options)

    @property
    def obeys(self) -> bool:  # type: ignore[override]  # here it depends
        return self.client_may_refresh

    def normal(self, key: str, want: Get, source: Varies | None) -> Get:
        """With the headers of the request: the origin may choose by them, and says by which."""
        if not want.query:
            return want
        return want.said(Freshness.normal(self, key, want, source).query, want.headers)

    def variant(self, want: Get) -> str | None:
        return want.query if sought(want) else None

    def asked_at(self, want: Get, variant: str) -> str:
        """Who has credentials joins nobody who has others, or none; and who wants nothing
        stored tells nobody else that nothing is."""
        alone = want.headers.get("authorization")
        if self.obeys and "no-store" in rfc9111.asked_of(want.headers):
            alone = f"{alone or ''}\nno-store"
        return variant if alone is None else selecting.of_credentials(variant, alone)

    def chosen_by(self, told: ObjectInfo | OriginAnswer) -> tuple[str, ...]:
        of = told.content_type if isinstance(told, ObjectInfo) else ""
        return selecting.choosing(rfc9111.names_of(_answer(told, 0)), of)

    def storable(self, opened: Opened, want: Get) -> bool:
        return self.keeps(opened.info, want)

    def keeps(self, info: ObjectInfo, want: Get) -> bool:
        if not Freshness.keeps(self, info, want):
            return False
        return rfc9111.storable(_answer(info, 0), want.headers, self.options)

    def confirms(self, head: ObjectInfo, known: ObjectInfo, want: Get) -> bool:
        if head.size != known.size or self.chosen_by(head) != self.chosen_by(known):
            return False
        about = rfc9111.is_about(_answer(head, 0), _answer(known, 0))
        return about and self.keeps(head, want)

    def told(self, info: ObjectInfo) -> ObjectInfo:
        answer, origin = _answer(info, 0), info.origin
        return replace(
            info,
            headers=rfc9111.kept(answer, info.headers),
            origin=origin and replace(origin, headers=rfc9111.kept(answer, origin.headers)),
        )

    def heard(self, origin: OriginAnswer) -> OriginAnswer:
        """The origin has said whether all may get it."""
        return origin

    def fresh_until(self, info: ObjectInfo, fetched: int) -> int:
        return self._until(_answer(info, fetched), fetched)

    def _until(self, answer: Answer, fetched: int) -> int:
        known = rfc9111.understood(answer, self.options)
        return fetched if known.no_cache else max(fetched, known.fresh_until)

    def decide(self, entry: CacheEntry, want: Get, now: int) -> Decision:
        told = entry.told
        if told is None:  # nothing that an origin has said
            decision = rfc9111.decide(None, want.headers, now, self.options)
            fresh = decision.use is Use.ASK and entry.until > now
            return Decision(Use.FRESH) if fresh else decision
        known = rfc9111.understood(_answer(told, entry.fetched), self.options)
        known = known._replace(fresh_until=entry.until)
        decision = rfc9111.decide(known, want.headers, now, self.options)
        if entry.info is None and decision.use is Use.BEHIND:
            return Decision(Use.ASK)
        return decision if entry.info is not None else Decision(decision.use)

    def fails(self, error: StorageError) -> bool:
        """RFC 5861 §4: a status of 5xx, or none."""
        return isinstance(error, FAILING) and (error.origin is None or error.origin.status >= 500)

    def remembers(self, error: StorageError, want: Get, fetched: int) -> float:
        """What is not there, and does not say for how long, is not for the time of the cache's
        own for that: §4.2.2 leaves it to us, and §3 does not for other errors."""
        if error.origin is None or not error.cacheable:
            return Freshness.remembers(self, error, want, fetched)
        answer = _answer(error.origin, fetched)
        until = self._until(answer, fetched)
        if isinstance(error, MISSING) and until <= fetched and not _says_when(answer):
            silent = answer._replace(fields={**answer.fields, "last-modified": ("",)})
            storable = rfc9111.storable(silent, want.headers, self.options)
            return self.expire_not_found if storable else 0.0
        if not isinstance(error, MISSING + FAILING):
            return 0.0
        storable = rfc9111.storable(answer, want.headers, self.options)
        return (until - fetched) / 1000 if storable else 0.0


def _says_when(answer: Answer) -> bool:
    said = answer.directives
    return "max-age" in said or "s-maxage" in said or "no-cache" in said or bool(answer.expires)


def _answer(told: ObjectInfo | OriginAnswer, fetched: int) -> Answer:
    origin = told.origin if isinstance(told, ObjectInfo) else told
    if origin is not None:
        return Answer.of(origin.status, origin.headers, origin.asked, origin.answered)
    assert isinstance(told, ObjectInfo)
    return Answer.of(200, _lines(told), fetched, fetched)


def _lines(info: ObjectInfo) -> Iterator[tuple[str, str]]:
    yield from info.headers
    if info.etag:
        yield "ETag", info.etag
    if info.modified:
        yield "Last-Modified", http_date(info.modified)
