"""Versions are fetched and stored by several threads at once; whose they are is committed after
that, by one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import takewhile

from drivers.indexed.replica.source import WORKERS, Source
from drivers.indexed.replica.told import Told
from gateway.storage import (
    NULL_VERSION,
    PIECE,
    Arrival,
    Readable,
    Replicates,
    Unavailable,
)

log = logging.getLogger("gateway.replica")


class Fetching:
    """From `source` into `store`, whose service is `sid`."""

    def __init__(self, store: Replicates, source: Source, sid: str) -> None:
        self._store, self._source, self._sid = store, source, sid
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix=f"replica {sid}")

    def close(self) -> None:
        """What is under way ends with the piece that it waits for."""
        self._over.set()
        self._pool.shutdown(cancel_futures=True)

    def go_on(self) -> None:
        """Raise `Unavailable` once it is closed."""
        if self._over.is_set():
            raise Unavailable("The replica is being closed.")

    def all(self, chunks: Sequence[Sequence[Told]]) -> Generator[Sequence[Arrival], None, None]:
        """One by one, each while the caller does with the one before what is to be done. What
        came before one that cannot be fetched, or is not what was promised, is given first."""
        ahead = self._begun(chunks[0]) if chunks else []
        try:
            for following in (*chunks[1:], ()):
                now, ahead = ahead, self._begun(following)
                good = [*takewhile(_is_good, now)]
                if good or not now:
                    yield [one.result() for one in good]
                if len(good) < len(now):
                    _give_up(now[len(good) :])
                    now[len(good)].result()
        except BaseException:
            _give_up(ahead)
            raise

    def _begun(self, chunk: Sequence[Told]) -> list[Future[Arrival]]:
        self.go_on()
        return [self._pool.submit(self._arrival, one) for one in chunk]

    def _arrival(self, told: Told) -> Arrival:
        change, info = told.change, told.info
        if change.kind != "put" or info is None:
            return Arrival(change, info, marker=told.marker)
        if self._store.holds(change.key, change.version or NULL_VERSION, change.sequence):
            return Arrival(change, info)
        if info.encryption is not None and info.encryption.kind == "customer":
            log.warning(
                "replica %s: left out, for it is encrypted with a customer's key: %r, version %s",
                self._sid,
                change.key,
                told.named,
            )
            return Arrival(change)
        body = self._source.open(told)
        if body is None:
            return Arrival(change)
        with closing(body):
            return Arrival(change, info, self._store.receive(info, _Ending(body, self.go_on)))


class _Ending:
    """A body whose reader must not wait for its end any more: `go_on` raises then."""

    def __init__(self, body: Readable, go_on: Callable[[], object]) -> None:
        self._body, self._go_on = body, go_on

    def read(self, size: int = PIECE, /) -> bytes:
        self._go_on()
        return self._body.read(size)

    def close(self) -> None:
        self._body.close()


def _is_good(one: Future[Arrival]) -> bool:
    """Waits for it."""
    return one.exception() is None


def _give_up(begun: Sequence[Future[Arrival]]) -> None:
    """What was stored already is nobody's."""
    for one in begun:
        if not one.cancel() and one.exception() is None:
            received = one.result().received
            if received is not None:
                received.drop()
