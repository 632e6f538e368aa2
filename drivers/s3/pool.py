"""Connections to an endpoint, kept alive and shared by all services that use it.

Two bounds, so that an upstream that is slow or down holds up nobody else: how
many connections there are, and how many requests wait for an answer at once.
Who finds all places taken waits a little while places come free, and is told
`Busy` at once when none did for that long. After some failures in a row, with
no answer in between, one request at a time goes out to see whether the upstream
is back; the others are refused without a wait.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from drivers.s3.connection import Connection, Place
from gateway.storage import Busy, OriginFailed, Unavailable

_FAILURES = 3
"""In a row, after which an upstream counts as down."""

_RETIRED = 50.0
"""Seconds after which an idle connection is not used again: servers close theirs after 5 to
120, and who finds one closed just takes another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds and numbers; each an option of the driver."""

    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    timeout: float = 90.0
    queue_timeout: float = 1.0
    connections: int = 32
    waiting: int = 10
    retries: int = 2


class Pool:
    """`close` closes what is idle; what is in use is closed when it comes back."""

    def __init__(
        self,
        limits: Limits,
        context: Callable[[], ssl.SSLContext],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits, self._clock = limits, clock
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        self._condition = threading.Condition(threading.Lock())
        self._idle: dict[Place, list[Connection]] = {}
        self._open = self._waiting = self._failures = 0
        self._moved = clock()
        self._probing = self._closed = False

    # a request: take, then answered or failed, then give or drop

    def take(self, place: Place) -> Connection:
        """A connection for one request. Raises `Busy`, and what connecting raises.

        Afterwards the request waits for an answer, until `answered` or `failed`.
        """
        with self._condition:
            self._enter()
            found = self._reusable(place)
            if found is not None:
                return found
            self._open += 1
        try:
            return self._connect(place)
        except BaseException as error:
            with self._condition:
                self._open -= 1
                self._leave()
                self._count(error)
            raise

    def _enter(self) -> None:
        if self._failures >= _FAILURES:
            if self._probing:
                raise OriginFailed("The upstream does not answer.", retry_after=1)
            self._probing = True
        if self._waiting >= self.limits.waiting or not self._room():
            try:
                self._queue()
            except Busy:
                self._probing = False
                raise
        self._waiting += 1
        self._moved = self._clock()

    def _queue(self) -> None:
        """Wait for a place, for as long as places come free."""
        patience = self.limits.queue_timeout
        latest = self._clock() + 3 * patience
        while self._waiting >= self.limits.waiting or not self._room():
            left = min(self._moved, latest) + patience - self._clock()
            if left <= 0:
                raise Busy("Too many requests wait for the upstream.", retry_after=1)
            self._condition.wait(left)

    def _room(self) -> bool:
        return self._open < self.limits.connections or any(self._idle.values())

    def _reusable(self, place: Place) -> Connection | None:
        """An idle connection of which nobody has closed the other end, and on which nothing
        came that nobody asked for; room for a new one is made otherwise."""
        now, idle = self._clock(), self._idle.get(place)
        while idle:
            found = idle.pop()
            if now - found.idle_since < _RETIRED and not found.stale():
                return found
            self._discard(found)
        if self._open >= self.limits.connections:
            self._discard(next(one for one in self._idle.values() if one).pop(0))
        return None

    def _discard(self, connection: Connection) -> None:
        self._open -= 1
        connection.close()

    def _connect(self, place: Place) -> Connection:
        if place.tls and self._context is None:
            self._context = self._make_context()
        limits = self.limits
        return Connection(
            place,
            self._context if place.tls else None,
            connect_timeout=limits.connect_timeout,
            read_timeout=limits.read_timeout,
        )

    def answered(self) -> None:
        """The head of an answer is there: the request waits no longer."""
        with self._condition:
            self._failures, self._probing = 0, False
            self._leave()

    def failed(self, connection: Connection, error: BaseException | None = None) -> None:
        """The request got no answer, for that reason (None: no fault of the upstream)."""
        connection.close()
        with self._condition:
            self._open -= 1
            self._leave()
            self._count(error)

    def _leave(self) -> None:
        self._waiting -= 1
        self._moved = self._clock()
        self._condition.notify()

    def _count(self, error: BaseException | None) -> None:
        self._probing = False
        if isinstance(error, Unavailable):
            self._failures += 1

    def give(self, connection: Connection) -> None:
        """It may carry another request."""
        connection.fresh = False
        connection.idle_since = self._clock()
        with self._condition:
            if self._closed:
                self._discard(connection)
                return
            self._idle.setdefault(connection.place, []).append(connection)
            self._condition.notify()

    def drop(self, connection: Connection) -> None:
        """It carries no other request."""
        connection.close()
        with self._condition:
            self._open -= 1
            self._condition.notify()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            for idle in self._idle.values():
                while idle:
                    self._discard(idle.pop())
