"""Versions are fetched and stored by several threads at once; whose they are is committed after
that, by one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from drivers.indexed.replica.source import WORKERS, Source
from drivers.indexed.replica.told import Told
from gateway.storage import NULL_VERSION, Arrival, Replicates

log = logging.getLogger("gateway.replica")


class Fetching:
    """From `source` into `store`, whose service is `sid`."""

    def __init__(self, store: Replicates, source: Source, sid: str) -> None:
        self._store, self._source, self._sid = store, source, sid
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix=f"replica {sid}")

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def all(self, chunks: Sequence[Sequence[Told]]) -> Iterator[Sequence[Arrival]]:
        """One by one, each while the caller does with the one before what is to be done."""
        ahead = self._begun(chunks[0]) if chunks else []
        try:
            for following in (*chunks[1:], ()):
                now, ahead = ahead, self._begun(following)
                try:
                    arrivals = [one.result() for one in now]
                except BaseException:
                    _give_up(now)
                    raise
                yield arrivals
        except BaseException:
            _give_up(ahead)
            raise

    def _begun(self, chunk: Sequence[Told]) -> list[Future[Arrival]]:
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
            return Arrival(change, info, self._store.receive(info, body))


def _give_up(begun: Sequence[Future[Arrival]]) -> None:
    """What was stored already is nobody's."""
    for one in begun:
        if not one.cancel() and one.exception() is None:
            received = one.result().received
            if received is not None:
                received.drop()
