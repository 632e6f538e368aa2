"""How many requests may hold a thread at their client's pace.

A server thread that reads a body or writes a long answer waits for a client.
So all but a few of a worker's threads may be held like that at once, and one
client address may hold three quarters of those. Some of these places are for
small bodies alone, so that nobody who moves much keeps out who moves little.
Who comes after is refused at once (`Busy`, in S3 503 SlowDown with
Retry-After); small answers always find a thread. Measured: without this, as
many stalled readers as there are threads stop a server.

Who is refused does not ask in vain: of those who hold the places that were
short, the ones that have stood still longest are cut, so that the next who
asks finds one (`servers.shedding`, `servers.watch`, `servers.waitress`).

A place is held while bytes move, not for the request: it is given back as
soon as the announced body has been read, so many small uploads that wait for
one commit take none. A mode asks for it by calling `environ["gateway.admission"]()`
after it has authenticated the request and before it reads the body, and with
`answer=True` before a long answer, whose place does not depend on the body that
came with the request. It may be called twice. The app itself asks for answers
that are not lists of bytes, so a mode that forgets is bounded all the same.

Who waits for a change (a long poll) holds a thread as well, for as long as it
asked for, and so does an answer that is sent at a rate (`rates`), for as long as that
takes; so all who wait have half of the places, and uploads and downloads keep the others.

Where the server sends answers at their rates itself (waitress), they hold no thread,
and take no place. Where the server reads bodies before the app sees them (waitress), they hold
no thread: only answers are counted, and may have all places.

A request that is refused early is not drained. Measured: granian consumes
what of the body has arrived and keeps the connection, or else closes it
after the answer, which clients that are still sending do get (up to 20 MB
tried, 20 of 20); with `Expect: 100-continue` the body is never asked for.
waitress has read the body by then, within its `max_body`.
"""

from __future__ import annotations

import threading
from enum import IntEnum
from typing import Protocol

from gateway.common.cpu_affinity import Cores
from gateway.storage import Busy

RETRY_AFTER = 1

SMALL_BODY = 66 << 10
"""Bytes: an object that is kept in an index, with chunks and trailers around it. A kernel
takes as much before anybody reads, so such a body is here soon, or its client stands still."""


class Need(IntEnum):
    """What a place is for. Each is counted among those before it too."""

    SMALL = 0
    LARGE = 1
    WAIT = 2
    """Until something happens, or for the bytes that a rate allows."""


class UnderWay(Protocol):
    """A request under way, as those see it who look for clients that stand still.

    `peer`: the address at the other end of its connection, `client`: whose place it has,
    behind a trusted proxy another. `held`: it has a place, `waits`: until something
    happens, which is no fault of its client. `waiting`: its thread waits for its client.
    `received` and `sent` are bytes of bodies, `begun` is of `time.perf_counter`.
    """

    peer: str
    client: str
    held: bool
    waits: bool
    waiting: bool
    received: int
    sent: int
    begun: float


class Admission:
    """`limits` and `shares` (of one client) by `Need`. `refused` counts refusals; `wanted` is
    set by one that a place could have helped. `spools`: the server reads bodies before the
    app does; `paces`: it sends answers at their rates. `cores`: where its threads run.
    `under_way` are all requests; who iterates over them takes a copy first."""

    def __init__(self, threads: int, *, spools: bool = False, paces: bool = False) -> None:
        self.threads = threads
        self.spare = max(1, threads // 8)
        limit = max(1, threads - max(2, self.spare))
        large = limit if spools else max(1, limit - self.spare)
        self.limits = (limit, large, max(1, limit // 2))
        self.shares = (max(1, limit * 3 // 4), max(1, large * 3 // 4), self.limits[Need.WAIT])
        self.spools, self.paces = spools, paces
        self.cores = Cores()
        self.refused = 0
        self.under_way: set[UnderWay] = set()
        self.wanted = threading.Event()
        self._held = [0] * len(Need)
        self._clients: dict[str, list[int]] = {}
        self._refused_before = 0
        self._short: set[str | None] = set()
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        return self._held[Need.SMALL]

    def take(self, client: str, need: Need = Need.LARGE) -> None:
        """Take a place, to be given back with `release`. Raises `Busy`."""
        with self._lock:
            mine = self._clients.get(client) or [0] * len(Need)
            for level in range(need + 1):
                full = self._held[level] >= self.limits[level]
                if full or mine[level] >= self.shares[level]:
                    self._refuse(None if full else client, level)
            for level in range(need + 1):
                self._held[level] += 1
                mine[level] += 1
            self._clients[client] = mine

    def _refuse(self, client: str | None, level: int) -> None:
        self.refused += 1
        if level < Need.WAIT:  # those who wait make no room
            self._short.add(client)
            self.wanted.set()
        raise Busy(retry_after=RETRY_AFTER)

    def release(self, client: str, need: Need = Need.LARGE) -> None:
        with self._lock:
            mine = self._clients[client]
            for level in range(need + 1):
                self._held[level] -= 1
                mine[level] -= 1
            if not mine[Need.SMALL]:
                del self._clients[client]

    def short(self) -> set[str | None]:
        """Clients that had taken their share when they asked for more, since this was asked
        before; None: somebody asked when all places were taken."""
        with self._lock:
            self.wanted.clear()
            short, self._short = self._short, set()
            return short

    def pressed(self) -> bool:
        """Whether half of the threads are held, or somebody was refused since this was asked
        before: for one that looks from time to time."""
        before, self._refused_before = self._refused_before, self.refused
        return self.refused != before or self.held * 2 >= self.threads
