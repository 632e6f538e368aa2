"""An answer of a cache: of an entry, or past it.

What is said with it is made once a second for all its readers (`showing`); its bytes are in
the entry, in the stock, or on their way (`body`).
"""

from __future__ import annotations

from dataclasses import replace

from drivers.cache import answers, showing
from drivers.cache.body import BlockBody
from drivers.cache.context import CacheContext
from drivers.cache.entries import CacheEntry, again
from drivers.cache.fills import BLOCK, Ask, Fill
from drivers.cache.finding import Finding
from gateway.storage import (
    BytesBody,
    Conditions,
    Get,
    ObjectInfo,
    Opened,
    Readable,
    StorageError,
    range_of,
)


class Answering(Finding):
    """`_called`: what it calls itself in answers."""

    _parts: CacheContext
    _called: str

    def _answer(
        self,
        key: str,
        name: str,
        entry: CacheEntry,
        want: Get,
        fill: Fill | None = None,
        trace: tuple[str, ...] = (),
    ) -> Opened:
        if entry.failure is not None:
            raise self._failure(entry, entry.failure)
        if entry.info is None:
            return self._directly(key, want)
        return self._serve(key, name, entry, want, self._clock(), fill, trace)

    def _failure(self, entry: CacheEntry, failure: StorageError) -> StorageError:
        error, now = again(failure), self._clock()
        if error.origin is not None:
            error.origin = showing.aged(error.origin, now)
        error.trace = (showing.hit(self._called, entry, now),)
        return error

    def _directly(self, key: str, want: Get) -> Opened:
        opened = answers.opened(self.source, key, want)
        return replace(opened, trace=(*opened.trace, showing.passed(self._called)))

    def _handed(self, key: str, opened: Opened, why: str, want: Get) -> Opened:
        """What is not for the cache, and was fetched for this reader."""
        try:
            for_reader = answers.for_reader(opened, want)
        except BaseException:
            opened.close()
            raise
        if for_reader is None:
            opened.close()
            return self._directly(key, want)
        trace = (*opened.trace, showing.passed(self._called, why))
        return replace(for_reader, info=_named(opened.info, key), trace=trace)

    def _serve(
        self,
        key: str,
        name: str,
        entry: CacheEntry,
        want: Get,
        now: int,
        fill: Fill | None = None,
        trace: tuple[str, ...] = (),
    ) -> Opened:
        """`trace`: of what has just been fetched; else it is a hit."""
        if trace:
            info = entry.info
        else:
            if entry.second != now // 1000:
                showing.show(entry, self._called, now)
            info, trace = entry.shown, entry.trace
        assert info is not None
        if info.key != key:
            info = _named(info, key)
        if want.conditions is not None:
            _compare(info, want.conditions, trace)
        status = 200 if info.origin is None else info.origin.status
        start, length = range_of(info, want) if status == 200 else (0, info.size)
        self._hot.touch(entry.id, start // BLOCK, (start + length) // BLOCK)
        data = entry.body
        body: Readable
        if not length:
            body = BytesBody(b"")
        elif data is not None:
            body = BytesBody(data if length == len(data) else data[start : start + length])
        else:
            ask = Ask(key=key, name=name, variant=entry.variant, want=self._freshness.asked(want))
            body = blocks = BlockBody(self._parts, ask, entry, start, length, fill).prepare()
            if trace is entry.trace and blocks.is_fetched:  # it is known, and not these bytes
                trace = showing.fetched(self._called, "partial", entry, collapsed=False)
        return Opened(info=info, body=body, start=start, length=length, status=status, trace=trace)

    def _described(
        self, key: str, entry: CacheEntry, want: Get, trace: tuple[str, ...] = ()
    ) -> ObjectInfo:
        """`trace`: as in `_serve`."""
        if entry.failure is not None:
            raise self._failure(entry, entry.failure)
        now = self._clock()
        if entry.second != now // 1000:
            showing.show(entry, self._called, now)
        assert entry.shown is not None
        info = replace(entry.shown, key=key, trace=trace or entry.trace)
        if want.conditions is not None:
            _compare(info, want.conditions, info.trace)
        range_of(info, want)
        return info


def _compare(info: ObjectInfo, conditions: Conditions, trace: tuple[str, ...]) -> None:
    """Raises `NotModified` and `PreconditionFailed`, which say how they came about."""
    try:
        conditions.check_read(info)
    except StorageError as error:
        error.trace = trace
        raise


def _named(info: ObjectInfo, key: str) -> ObjectInfo:
    return info if info.key == key else replace(info, key=key)
