"""How many requests may hold a thread at their client's pace.

A server thread that reads a body or writes a long answer waits for a client.
So all but a few of a worker's threads may be held like that at once, and one
client address may hold three quarters of those. Who comes after is refused
at once (`Busy`, in S3 503 SlowDown with Retry-After); small answers always
find a thread. Those who hold a place and stand still are cut, sooner while
others are refused (`servers.watch`, `servers.waitress_channel`). Measured:
without this, as many stalled readers as there are threads stop a server.

A place is held while bytes move, not for the request: it is given back as
soon as the announced body has been read, so many small uploads that wait for
one commit take none. A mode asks for it by calling `environ["gateway.admission"]()`
after it has authenticated the request and before it reads the body, or
opens a long answer. It may be called twice. The app itself asks for answers
that are not lists of bytes, so a mode that forgets is bounded all the same.

Who waits for a change (a long poll) holds a thread as well, for as long as it
asked for; so all who wait have half of the places, and uploads and downloads
keep the others.

Where the server reads bodies before the app sees them (waitress), they hold
no thread, and only answers are counted.

A request that is refused early is not drained. Measured: granian consumes
what of the body has arrived and keeps the connection, or else closes it
after the answer, which clients that are still sending do get (up to 20 MB
tried, 20 of 20); with `Expect: 100-continue` the body is never asked for.
waitress has read the body by then, within its `max_body`.
"""

from __future__ import annotations

import threading
from typing import Protocol

from gateway.storage import Busy

RETRY_AFTER = 1


class UnderWay(Protocol):
    """A request under way, as those see it who look for clients that stand still.

    `peer`: the address at the other end of its connection. `held`: it has a
    place, `waits`: until something happens, which is no fault of its client.
    `waiting`: its thread waits for the body. `received` and `sent` are bytes of
    bodies, `begun` is of `time.perf_counter`.
    """

    peer: str
    held: bool
    waits: bool
    waiting: bool
    received: int
    sent: int
    begun: float


class Admission:
    """`refused` counts refusals. `spools`: the server reads bodies before the app does.
    `under_way` are all requests; who iterates over them takes a copy first."""

    def __init__(self, threads: int, *, spools: bool = False) -> None:
        self.threads = threads
        self.limit = max(1, threads - max(2, threads // 8))
        self.per_client = max(1, self.limit * 3 // 4)
        self.waiting_limit = max(1, self.limit // 2)
        self.spools = spools
        self.held = self.waiting = self.refused = 0
        self.under_way: set[UnderWay] = set()
        self._refused_before = 0
        self._clients: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, client: str, *, waits: bool = False) -> None:
        """Take a place, to be given back with `release`. Raises `Busy`."""
        with self._lock:
            mine = self._clients.get(client, 0)
            room = not waits or self.waiting < self.waiting_limit
            if room and self.held < self.limit and mine < self.per_client:
                self.held += 1
                self.waiting += waits
                self._clients[client] = mine + 1
                return
            self.refused += 1
        raise Busy(retry_after=RETRY_AFTER)

    def pressed(self) -> bool:
        """Whether half of the threads are held, or somebody was refused since this was asked
        before: for one that looks from time to time."""
        before, self._refused_before = self._refused_before, self.refused
        return self.refused != before or self.held * 2 >= self.threads

    def release(self, client: str, *, waits: bool = False) -> None:
        with self._lock:
            self.held -= 1
            self.waiting -= waits
            left = self._clients[client] - 1
            if left:
                self._clients[client] = left
            else:
                del self._clients[client]
