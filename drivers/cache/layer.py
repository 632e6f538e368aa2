"""The `cache` layer: how a read is answered.

From the entry, while it is fresh and no mark names it; else the source is
asked, once for all who wait (`fills`). Who may read is decided before
(`gateway.access.access`); what this layer has is answered to whoever gets here.

Versions, parts and encryption under a customer's key pass the cache by.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from drivers.cache import answers
from drivers.cache.body import BlockBody, Changed
from drivers.cache.context import CacheContext
from drivers.cache.entries import CacheEntry, again
from drivers.cache.eviction import Evictor
from drivers.cache.fills import BLOCK, Ask, Fill
from drivers.cache.helpers import Helpers
from drivers.cache.hot import BODY, Hot
from drivers.cache.marks import GONE, GOOD, STALE, Marks
from drivers.cache.owner import Owned, Owner, remove_unused
from drivers.cache.places import Fills, Late
from drivers.cache.policy import Policy
from drivers.cache.pulling import Pull
from drivers.cache.stock import Stock
from drivers.cache.upkeep import Upkeep
from drivers.cache.write_through import Through
from drivers.indexed import belonging
from gateway.common import looking, private
from gateway.storage import (
    BytesBody,
    Context,
    Corrupt,
    Get,
    InvalidRange,
    ObjectInfo,
    Opened,
    Place,
    Readable,
    StorageError,
    Store,
    Unavailable,
    resolve_range,
)
from gateway.storage.options import AtLeast, Duration, Size

log = logging.getLogger("gateway.cache")

_TRIES = 5
SOON = 1.0
"""Seconds that who has stale bytes waits for the source."""
_GENERATION = "generation-"
_CACHES = "caches"
"""The owner of a folder in which several have theirs."""
_DISK, _MEMORY = 10 << 30, 256 << 20


@dataclass(eq=False)
class Cache(Through):
    """`space` is "memory" wherever the gateway keeps nothing. `folder`: another place than
    the gateway's data folder. `max_size` is 10 GiB on disk and 256 MiB in memory (of each
    worker) unless it is given; an object of more than `max_item_size` (by default all of
    `max_size`) is not stored. Times: see docs/caching.md.
    """

    driver: ClassVar[str] = "cache"

    source: Store
    space: Literal["disk", "memory"] = "disk"
    folder: Path | None = None
    max_size: Annotated[int, Size, AtLeast(1)] | None = None
    max_item_size: Annotated[int, Size, AtLeast(0)] | None = None
    refresh_after: Annotated[float, Duration] = 600.0
    expire_unused: Annotated[float, Duration] = 30 * 86400.0
    expire_not_found: Annotated[float, Duration] = 60.0
    expire_errors: Annotated[float, Duration] = 1.0
    stale_if_error: Annotated[float, Duration] = 86400.0
    stale_while_revalidate: Annotated[float, Duration] = 0.0
    case_sensitive: bool = True

    def __post_init__(self) -> None:
        self._apart: Path | None = None

    # its life

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
        policy = Policy(
            refresh_after=self.refresh_after,
            expire_not_found=self.expire_not_found,
            expire_errors=self.expire_errors,
            max_item_size=limit if self.max_item_size is None else self.max_item_size,
            stale_if_error=self.stale_if_error,
            stale_while_revalidate=self.stale_while_revalidate,
        )
        self._policy, self._clock, self._fold = policy, context.clock, not self.case_sensitive
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
            self._build(folder, context, limit, policy, on_disk=on_disk)
        except BaseException:
            if self._owner is not None:
                self._owner.close()
            raise

    def _build(
        self, folder: Path | None, context: Context, limit: int, policy: Policy, *, on_disk: bool
    ) -> None:
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
        room = Evictor(stock)
        owner = self._owner
        parts = CacheContext(
            source=self.source, stock=stock, marks=marks, policy=policy, room=room, hot=hot,
            holder=owner.name if owner else secrets.token_hex(8), clock=context.clock,
            died=owner.died if owner else lambda _: False,
        )  # fmt: skip
        helpers = Helpers(f"cache {context.sid}", context.threads)
        parts.fills = Fills(helpers, marks, context.threads, lambda fill: Pull(parts, fill)())
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

    # reading

    def get(self, key: str, want: Get = Get()) -> Opened:
        variant = self._policy.variant(want)
        if variant is None:
            return self.source.get(key, want)
        name = key.lower() if self._fold else key
        entry = self._hot.get((name, variant))
        if entry is not None and entry.until > self._clock():
            newest = self._marks.newest()
            if entry.point >= newest and entry.info is not None:
                try:
                    return self._serve(key, name, entry, want)
                except Changed:
                    pass
        return self._look(key, name, variant, want)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        variant = self._policy.variant(want)
        if variant is None:
            return self.source.stat(key, want)
        name = key.lower() if self._fold else key
        ask = Ask(key=key, name=name, variant=variant, want=_plain(want), head=True)
        entry = self._fresh(ask)
        if entry is None or entry.info is None:
            return self.source.stat(key, want)
        info = _named(entry.info, key)
        if want.conditions is not None:
            want.conditions.check_read(info)
        _resolve(info, want)
        return info

    # an entry

    def _find(self, name: str, variant: str) -> tuple[CacheEntry | None, bool]:
        """The entry, unless a mark says that it is gone; and whether it is fresh."""
        marks, hot, place = self._marks, self._hot, (name, variant)
        while True:
            newest, forgotten = marks.newest(), marks.forgotten
            entry = self._entry(place, forgotten)
            if entry is None:
                return None, False
            verdict = marks.judge(name, entry.tags, entry.point)
            if forgotten == marks.forgotten:
                break
        if verdict == GONE:
            hot.pop(place)
            return None, False
        if verdict == STALE:
            return entry, False
        entry.point = max(entry.point, newest)
        hot.put(entry)
        return entry, entry.until > self._clock()

    def _entry(self, place: tuple[str, str], forgotten: int) -> CacheEntry | None:
        """What this process knows, where that counts; else what the stock has: another
        worker may have made it anew."""
        hot = self._hot.get(place)
        if (
            hot is not None
            and hot.point >= forgotten
            and hot.until > self._clock()
            and self._marks.judge(hot.key, hot.tags, hot.point) == GOOD
        ):
            return hot
        entry = self._stock.find(*place)
        if entry is not None:
            if hot is not None and hot.fetched == entry.fetched and hot.retry > entry.retry:
                entry.retry, entry.failures = hot.retry, hot.failures  # it was not written down
            self._warm(entry)
        return entry

    def _warm(self, entry: CacheEntry) -> None:
        """Take a small body along with its entry."""
        held, info = entry.blocks.get(0), entry.info
        if held is None or info is None or info.size > BODY or held.data is None:
            return
        with suppress(Corrupt):  # found again, and mended, when it is read
            body = b"".join(self._stock.open(held, 0, held.size))
            entry.body = body if len(body) == info.size else None

    def _look(self, key: str, name: str, variant: str, want: Get) -> Opened:
        """What is not answered at once."""
        ask = Ask(key=key, name=name, variant=variant, want=_plain(want))
        for _ in range(_TRIES):
            with suppress(Changed):
                opened = self._attempt(ask, want)
                if opened is not None:
                    return opened
        return answers.opened(self.source, key, want)  # it changes faster than it can be fetched

    def _attempt(self, ask: Ask, want: Get) -> Opened | None:
        """None, or `Changed`: things have moved meanwhile; try again."""
        key, name = ask.key, ask.name
        try:
            entry, fresh = self._find(name, ask.variant)
        except StorageError:  # an index that does not work: the source does
            return self.source.get(key, want)
        if entry is not None and (fresh or self._need_not_wait(ask, entry)):
            return self._answer(key, name, entry, want)
        ask = _toward(ask, entry, want)
        with self._fills.joined(ask) as fill:
            found = self._outcome(fill, entry)
            if found is None:
                return None
            brings = found is fill.entry and not ask.head
            return self._answer(key, name, found, want, fill if brings else None)

    def _fresh(self, ask: Ask) -> CacheEntry | None:
        """The entry, asked for anew where it is not fresh. None: the source's to answer."""
        for _ in range(_TRIES):
            try:
                entry, fresh = self._find(ask.name, ask.variant)
            except StorageError:
                return None
            if entry is None or not (fresh or self._need_not_wait(ask, entry)):
                with self._fills.joined(replace(ask, known=entry)) as fill:
                    entry = self._outcome(fill, entry)
            if entry is not None:
                if entry.failure is not None:
                    raise again(entry.failure)
                return entry
        return None

    # stale

    def _need_not_wait(self, ask: Ask, entry: CacheEntry) -> bool:
        """Whether a stale entry is answered without waiting for the source: it has just
        failed, or is asked behind the answer."""
        now, behind = self._clock(), self._policy.stale_while_revalidate
        if entry.info is None:
            return False
        if self._may_be_stale(entry):
            if entry.retry > now:
                return True
            if self._fills.silent:
                self._fills.behind(replace(ask, known=entry))
                return True
        if not behind or entry.until + behind * 1000 <= now:
            return False
        self._fills.behind(replace(ask, head=True, known=entry))
        return True

    def _may_be_stale(self, entry: CacheEntry | None) -> bool:
        """Whether the entry is answered although the source fails to say that it is right."""
        if entry is None or entry.info is None:
            return False
        return entry.until + self._policy.stale_if_error * 1000 > self._clock()

    def _outcome(self, fill: Fill, entry: CacheEntry | None) -> CacheEntry | None:
        """What the source says; or what is stale, when it fails or keeps its reader waiting.
        None: look again, things changed."""
        if not self._may_be_stale(entry):
            return self._fills.outcome(fill)
        try:
            return self._fills.outcome(fill, SOON)
        except Unavailable as error:
            found, fresh = self._find(fill.ask.name, fill.ask.variant)  # a purge may have come
            if found is not None and (fresh or self._may_be_stale(found)):
                return found
            if isinstance(error, Late):
                return None
            raise

    # an answer

    def _answer(
        self, key: str, name: str, entry: CacheEntry, want: Get, fill: Fill | None = None
    ) -> Opened:
        if entry.failure is not None:
            raise again(entry.failure)
        if entry.info is None:
            return answers.opened(self.source, key, want)
        return self._serve(key, name, entry, want, fill)

    def _serve(
        self, key: str, name: str, entry: CacheEntry, want: Get, fill: Fill | None = None
    ) -> Opened:
        info = entry.info
        assert info is not None
        if info.key != key:
            info = _named(info, key)
        if want.conditions is not None:
            want.conditions.check_read(info)
        start, length = (0, info.size) if want.range is None else _resolve(info, want)
        self._hot.touch(entry.id, start // BLOCK, (start + length) // BLOCK)
        data = entry.body
        body: Readable
        if not length:
            body = BytesBody(b"")
        elif data is not None:
            body = BytesBody(data if length == len(data) else data[start : start + length])
        else:
            ask = Ask(key=key, name=name, variant=entry.variant, want=_plain(want))
            body = BlockBody(self._parts, ask, entry, start, length, fill).prepare()
        return Opened(info=info, body=body, start=start, length=length)


def _plain(want: Get) -> Get:
    """What goes into asking the source, whatever bytes of it are wanted."""
    if want.range is None and want.conditions is None:
        return want
    return replace(want, range=None, conditions=None)


def _named(info: ObjectInfo, key: str) -> ObjectInfo:
    return info if info.key == key else replace(info, key=key)


def _resolve(info: ObjectInfo, want: Get) -> tuple[int, int]:
    if want.range is None:
        return 0, info.size
    resolved = resolve_range(want.range, info.size)
    if resolved is None:
        raise InvalidRange(key=info.key, size=info.size)
    return resolved


def _toward(ask: Ask, entry: CacheEntry | None, want: Get) -> Ask:
    """What to ask the source for one who wants that. Only the head, where the answer may
    need no bytes, or which are needed depends on the size."""
    asked = want.range
    known = entry if entry is not None and entry.info is not None else None
    if want.conditions is not None or (asked is not None and asked.first is None):
        return replace(ask, head=True, known=known)
    if asked is None or asked.first is None:
        return replace(ask, known=known)
    last = None if asked.last is None else asked.last // BLOCK
    return replace(ask, first=asked.first // BLOCK, last=last, known=known)
