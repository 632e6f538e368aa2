"""The `cache` layer: its options, where it keeps what it keeps, how it is opened and closed."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from drivers.cache import showing
from drivers.cache.context import CacheContext
from drivers.cache.eviction import Evictor
from drivers.cache.fills import Fill
from drivers.cache.freshness import Freshness
from drivers.cache.helpers import Helpers
from drivers.cache.hot import Hot
from drivers.cache.marks import Marks
from drivers.cache.owner import Owned, Owner, remove_unused
from drivers.cache.places import Fills
from drivers.cache.pulling import Pull
from drivers.cache.reading import CachedReads
from drivers.cache.respecting import Respecting
from drivers.cache.stock import Stock
from drivers.cache.upkeep import Upkeep
from drivers.cache.write_through import Through
from drivers.indexed import belonging
from gateway.common import looking, private
from gateway.storage import (
    Context,
    Forwards,
    Place,
    Store,
)
from gateway.storage.options import AtLeast, Duration, Size

log = logging.getLogger("gateway.cache")

_GENERATION = "generation-"
_CACHES = "caches"
"""The owner of a folder in which several have theirs."""
_REFRESH_AFTER, _LONGEST_GUESS = 600.0, 86_400.0
_DISK, _MEMORY = 10 << 30, 256 << 20


@dataclass(eq=False)
class Cache(CachedReads, Through):
    """Keeps what its source has answered. Times: see docs/caching.md.

    `source`: the service behind it.
    `space`: in memory each worker has its own; it is so wherever the gateway keeps nothing.
    `folder`: another place than the gateway's data folder.
    `max_size`: of all that is kept; 10 GiB on disk and 256 MiB in memory unless it is given.
    `max_item_size`: larger objects are passed through and not stored; by default all of
        `max_size`.
    `respect_headers`: what the source says of its answers counts, as RFC 9111 has it; by default
        in front of HTTP origins alone.
    `client_may_refresh`: with `respect_headers`, what a request says of caching counts, too.
    `refresh_after`: so long an entry is fresh; then the source is asked whether it has changed.
    `expire_unused`: entries that nobody asked for so long go; 0: never.
    `expire_not_found`: so long it is remembered that a key is not there; 0: not at all.
    `expire_errors`: so long it is remembered that the source failed.
    `stale_if_error`: so long after it ceased to be fresh an entry is still answered where the
        source fails.
    `stale_while_revalidate`: so long it is answered at once, and the source asked behind it.
    `case_sensitive`: where false, keys that differ by case alone are one entry.
    `keep_when_source_changes`: of a service that was added: what it has stays when the source is
        given other options, or another takes its place; purge what is then wrong.
    """

    driver: ClassVar[str] = "cache"
    on_demand = True

    source: Store
    space: Literal["disk", "memory"] = "disk"
    folder: Path | None = None
    max_size: Annotated[int, Size, AtLeast(1)] | None = None
    max_item_size: Annotated[int, Size, AtLeast(0)] | None = None
    respect_headers: bool | None = None
    client_may_refresh: bool = False
    refresh_after: Annotated[float, Duration] | None = None
    expire_unused: Annotated[float, Duration] = 30 * 86400.0
    expire_not_found: Annotated[float, Duration] = 60.0
    expire_errors: Annotated[float, Duration] = 1.0
    stale_if_error: Annotated[float, Duration] = 86400.0
    stale_while_revalidate: Annotated[float, Duration] = 0.0
    case_sensitive: bool = True
    keep_when_source_changes: bool = False

    def __post_init__(self) -> None:
        self._apart: Path | None = None
        if not self.source.case_sensitive:  # then what is written by one name is read by others
            self.case_sensitive = False

    @classmethod
    def outlives_source(cls, options: Mapping[str, Any]) -> bool:
        return bool(options.get("keep_when_source_changes"))

    @property
    def may_rest(self) -> bool:
        """What is in memory would be lost. Known when it is open."""
        return self._stock.shared

    def places(self, folder: Path | None, sid: str) -> tuple[Place, ...]:
        """Caches may be given one `folder`: each has a folder of its own in it. What has come
        from another source than this, or from what that was before, is in one apart."""
        owner = f"the cache {sid}"
        if self.folder is not None:
            shared = Place(folder=self.folder, owner=_CACHES)
            return shared, Place(folder=self.folder / sid, owner=owner)
        return () if folder is None else (Place(folder=folder / "cache" / sid, owner=owner),)

    def _claimed(self, context: Context) -> Path | None:
        """Where it keeps what it keeps. Raises `ValueError` for what is another's."""
        places = self.places(context.folder, context.sid)
        for place in places:
            belonging.claim(place.folder, place.owner, "cache")
        if self.folder is not None and looking.is_there(self.folder / "index.db"):
            log.warning(
                "%s has a cache of an earlier release in it, which is used no more: index.db,"
                " blobs, marks and workers there can be removed.",
                self.folder,
            )
        if not places:
            return None
        folder = places[-1].folder
        if context.instance:
            self._remove_others(folder, context)
        return folder / f"{_GENERATION}{context.generation}" if context.generation else folder

    def _remove_others(self, folder: Path, context: Context) -> None:
        """Those of generations that are gone, if a crash has left any."""
        for other in folder.glob(f"{_GENERATION}*"):
            if other.name != f"{_GENERATION}{context.generation}":
                remove_unused(other, context.instance)

    def open(self, context: Context) -> None:
        folder = self._claimed(context)
        on_disk = self.space == "disk" and folder is not None
        limit = self.max_size or (_DISK if on_disk else _MEMORY)
        self._called = showing.called(context.sid)
        self._freshness = self._policy(limit)
        self._obeys = self._freshness.obeys
        self._clock = context.clock
        self._owner: Owner | None = None
        self._apart, self._instance = folder if context.generation else None, context.instance
        if folder is not None and self.folder is None:
            for ours in (folder.parent, folder):
                private.own_folder(ours)
        if folder is not None and context.instance:
            try:
                self._owner = Owner(folder / "workers", context.instance)
            except Owned as error:
                raise ValueError(str(error)) from None
        try:
            self._build(folder, context, limit, on_disk=on_disk)
        except BaseException:
            if self._owner is not None:
                self._owner.close()
            raise

    def _policy(self, limit: int) -> Freshness:
        times: dict[str, Any] = {
            "expire_not_found": self.expire_not_found,
            "expire_errors": self.expire_errors,
            "max_item_size": limit if self.max_item_size is None else self.max_item_size,
            "stale_if_error": self.stale_if_error,
            "stale_while_revalidate": self.stale_while_revalidate,
        }
        after = self.refresh_after
        if self._respects:
            longest = _LONGEST_GUESS if after is None else after
            may = self.client_may_refresh
            return Respecting(refresh_after=longest, client_may_refresh=may, **times)
        return Freshness(refresh_after=_REFRESH_AFTER if after is None else after, **times)

    @property
    def _respects(self) -> bool:
        """What an HTTP origin says counts, unless it is said otherwise."""
        if self.respect_headers is not None:
            return self.respect_headers
        return self.source.find(Forwards) is not None

    def _build(self, folder: Path | None, context: Context, limit: int, *, on_disk: bool) -> None:
        hot = Hot()
        if on_disk and folder is not None:
            stock = Stock.on_disk(folder, context.clock, limit=limit, master=context.master_key)
        else:
            stock = Stock.in_memory(context.clock, limit=limit, master=context.master_key)
        self._upkeep = Upkeep()
        try:
            marks = Marks(folder and folder / "marks", context.clock, self._upkeep.missed)
        except BaseException:
            stock.close()
            raise
        meters, sid = context.meters, context.sid
        room = Evictor(stock, lambda size: meters.add("gateway_cache_evicted_bytes", size, sid))
        owner = self._owner
        parts = CacheContext(
            source=self.source, stock=stock, marks=marks, freshness=self._freshness, room=room,
            hot=hot, holder=owner.name if owner else secrets.token_hex(8), clock=context.clock,
            died=owner.died if owner else lambda _: False,
        )  # fmt: skip

        def pull(fill: Fill) -> None:
            begun = time.monotonic()
            try:
                Pull(parts, fill)()
            finally:
                meters.add("gateway_cache_fills", 1, sid)
                meters.add("gateway_cache_fill_seconds", time.monotonic() - begun, sid)

        helpers = Helpers(f"cache {context.sid}", context.threads)
        parts.fills = Fills(helpers, marks, context.threads, pull)
        self._parts, self._stock, self._marks = parts, stock, marks
        self._hot, self._fills = hot, parts.fills
        first = self._owner is not None and self._owner.first
        disk = folder if on_disk else None
        self._upkeep.start(parts, context, disk, self.expire_unused, first=first)

    def close(self) -> None:
        """May be called twice."""
        if hasattr(self, "_parts"):
            self._upkeep.stop()
            stock, marks = self._stock, self._marks

            def end() -> None:
                stock.close()
                marks.close()

            # Who still waits for a source that hangs must not find a closed database.
            self._fills.close(end)
            if self._owner is not None:
                self._owner.close()
            del self._parts

    def discard(self) -> None:
        if self._apart is not None and self._instance:
            remove_unused(self._apart, self._instance)
