"""A source that tells what was asked of it, and fails, stalls and lies when it is told to;
and caches in front of it, each as a worker of its own would have it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from drivers.cache import Cache
from drivers.cache.fills import BLOCK
from drivers.memory import Memory
from gateway.storage import (
    NOTHING,
    PIECE,
    BytesBody,
    Context,
    Get,
    ObjectInfo,
    Opened,
    Put,
    Range,
    Readable,
    Secret,
    StorageError,
    Threads,
    Varies,
    pieces,
)
from gateway.testing.faults import PATIENCE


class Body:
    """What an origin sends: counted, and held back at `stop` until `go`."""

    def __init__(self, origin: Origin, body: Readable) -> None:
        self._origin, self._body, self._given = origin, body, 0

    def read(self, size: int = PIECE, /) -> bytes:
        origin = self._origin
        if origin.stop is not None and self._given >= origin.stop:
            origin.wait()
        if origin.breaks is not None and self._given >= origin.breaks[0]:
            raise origin.breaks[1]
        piece = self._body.read(size)
        if origin.cut is not None and self._given + len(piece) > origin.cut:
            piece = piece[: origin.cut - self._given]
        self._given += len(piece)
        origin.sent += len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


class Origin(Memory, Varies):
    """`gets` and `stats` are what was asked; `sent` the bytes that went out, `waiting`
    how many wait at the gate. `fail`: raise
    that. `cut`: bodies end there. `breaks`: bodies fail there. `alter`: change what is said,
    `answer` all of it. `hang`: say nothing at all until `go`."""

    def __init__(self) -> None:
        super().__init__(keep_versions="off")
        self.gets: list[Get] = []
        self.stats_asked = self.sent = 0
        self.fail: Exception | None = None
        self.stop: int | None = None
        self.reached, self.go = threading.Event(), threading.Event()
        self.waiting, self._count = 0, threading.Lock()
        self.cut: int | None = None
        self.breaks: tuple[int, Exception] | None = None
        self.alter: Callable[[ObjectInfo], ObjectInfo] = lambda info: info
        self.answer: Callable[[Opened], Opened] | None = None
        self.hang: Callable[[str], bool] = lambda key: False
        self.lost_answer: StorageError | None = None
        self.before_put: Callable[[], object] = lambda: None
        self.after_put: Callable[[], object] = lambda: None

    @property
    def asked(self) -> int:
        return len(self.gets) + self.stats_asked

    def get(self, key: str, want: Get = Get()) -> Opened:
        self.gets.append(want)
        self._consider(key)
        opened = super().get(key, want)
        opened = replace(opened, info=self.alter(opened.info), body=Body(self, opened.body))
        return opened if self.answer is None else self.answer(opened)

    @property
    def parameters(self) -> frozenset[str]:
        return frozenset({"w"})

    def normal(self, key: str, want: Get) -> Get:
        """`w` counts."""
        said = [one for one in want.query.split("&") if one.startswith("w=")]
        return replace(want, query="&".join(said), headers=NOTHING)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        self.stats_asked += 1
        self._consider(key)
        return self.alter(super().stat(key, want))

    def wait(self) -> None:
        self.reached.set()
        with self._count:
            self.waiting += 1
        assert self.go.wait(PATIENCE), "nobody opened the gate"
        with self._count:
            self.waiting -= 1

    def _consider(self, key: str) -> None:
        if self.hang(key):
            self.wait()
        if self.fail is not None:
            raise copy(self.fail)  # one that is raised again and again remembers all that

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        self.before_put()
        info = super().put(key, source, options)
        self.after_put()
        if self.lost_answer is not None:
            raise self.lost_answer
        return info

    def has(self, key: str, data: bytes, **options: Any) -> ObjectInfo:
        """Behind the cache's back."""
        return Memory.put(self, key, BytesBody(data), Put(size=len(data), **options))


class Clock:
    """Milliseconds, moved by hand."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead

    def pass_by(self, seconds: float) -> None:
        self.ahead += round(seconds * 1000)


class Site:
    """An origin, and workers with a cache in front of it."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.clock, self.origin = folder, Clock(), Origin()
        self.origin.open(Context(sid="origin", clock=self.clock, master_key=Secret(bytes(32))))
        self._workers: list[Cache] = []
        self.threads = Threads()

    def worker(self, **options: Any) -> Cache:
        cache = Cache(source=self.origin, **options)
        context = Context(
            sid="c",
            folder=self.folder,
            clock=self.clock,
            master_key=Secret(bytes(32)),
            threads=self.threads,
        )
        cache.open(context)
        self._workers.append(cache)
        return cache

    def close(self) -> None:
        self.origin.go.set()
        for cache in self._workers:
            cache.close()
        self.origin.close()


def read(cache: Cache, key: str, first: int | None = None, last: int | None = None) -> bytes:
    wanted = None if first is None and last is None else Range(first, last)
    with cache.get(key, Get(range=wanted)) as opened:
        data = b"".join(pieces(opened.body))
    assert len(data) == opened.length
    until(lambda: not len(cache._fills))  # the last block is sent before it is stored
    return data


@contextmanager
def running(count: int, work: Callable[[int], object]) -> Iterator[list[object]]:
    """`work` in so many threads; what each returned or raised, filled when the block ends."""
    results: list[object] = [None] * count

    def run(number: int) -> None:
        try:
            results[number] = work(number)
        except Exception as error:  # the test looks at it
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield results
    finally:
        for thread in threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in threads), "a reader hangs"


def until(condition: Callable[[], object]) -> None:
    """Wait, bounded, for what happens in the background."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def blocks(size: int) -> int:
    return -(-size // BLOCK)
