"""Connections to an endpoint, kept alive and shared by all services that use it.

Bounds, so that an upstream that is slow or down holds up nobody else: how many
connections there are, how many requests wait for an answer at once, and how many of
the server's threads are here at all (`gateway.storage.waiting`). A request whose body
goes out waits for no answer yet: that takes as long as its client takes.

Who finds all places taken waits a little while answers come, and is told `Busy` at once
when none did for that long: requests that give up make no room for those behind them to
wait in. After some failures in a row, with no answer in between, one request at a time
goes out to see whether the upstream is back; the others are refused without a wait.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.common.upstream.connection import Connection, Gone
from gateway.common.upstream.dialing import Names, Place, connected
from gateway.common.upstream.networks import Networks
from gateway.storage import Busy, OriginFailed, Unavailable
from gateway.storage.waiting import Threads

_FAILURES = 3
"""In a row, after which an upstream counts as down."""

_RETIRED = 50.0
"""Seconds after which an idle connection is not used again: servers close theirs after 5 to
120, and who finds one closed just takes another."""

_MOMENT = 0.05
"""Seconds for which somebody may wait beyond its upstream's share of the threads: one that
answers in milliseconds has a free place by then."""

_LONGEST = 3
"""Times `queue_timeout` for which somebody waits while answers come."""


class NotConnected(Exception):
    """There is no connection: the upstream has not seen the request."""

    def __init__(self, error: Unavailable) -> None:
        super().__init__(str(error))
        self.error = error


class Closed(Exception):
    """The upstream has closed the connection before its answer began; `error` says it to who
    asked. `idle`: it had been kept alive until then, and as a rule the upstream has not seen the
    request."""

    def __init__(self, error: OriginFailed, *, idle: bool) -> None:
        super().__init__(str(error))
        self.error, self.idle = error, idle


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
    """`threads`: those of the server, some of which wait here; `networks`: which addresses may
    be connected to, None for all. `close` closes what is idle; what is in use is closed when
    it comes back."""

    def __init__(
        self,
        limits: Limits,
        context: Callable[[], ssl.SSLContext],
        threads: Threads | None = None,
        clock: Callable[[], float] = time.monotonic,
        networks: Networks | None = None,
    ) -> None:
        self.limits, self._clock, self._networks = limits, clock, networks
        threads = threads or Threads()
        self.part = threads.part()
        self._most_streams = max(1, min(limits.connections, threads.share) * 3 // 4)
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        self._names = Names()
        self._condition = threading.Condition(threading.Lock())
        self._idle: dict[Place, list[Connection]] = {}
        self._open = self._waiting = self._queued = self._streams = self._failures = 0
        self._moved = clock()
        self._probing = self._closed = False

    # a request: take, then asking until it is done, or answered and given back by its body

    def take(
        self,
        place: Place,
        *,
        streams: bool = False,
        brief: bool = False,
        deadline: float | None = None,
    ) -> Connection:
        """A connection for one request, made before the `deadline` (of the monotonic clock).
        Raises `Busy`, `OriginFailed` when nobody is to be asked now, `NotConnected`.

        Afterwards the request waits for an answer, until `answered`, `done` or `failed`.
        `streams`: its body comes as its client sends it; `brief`: it must not wait here.
        """
        with self._condition:
            self._enter(streams, brief)
            found = self._reusable(place)
            if found is None:
                self._open += 1
        if found is None:
            found = self._made(place, streams, deadline)
        found.waits, found.streams = True, streams
        return found

    def _made(self, place: Place, streams: bool, deadline: float | None) -> Connection:
        seconds = self.limits.connect_timeout
        if deadline is not None:
            seconds = max(0.01, min(seconds, deadline - time.monotonic()))
        try:
            return self._connect(place, seconds)
        except BaseException as error:
            with self._condition:
                self._open -= 1
                self._leave(streams)
                self._count(error)
            if isinstance(error, Unavailable):
                raise NotConnected(error) from error
            raise

    def _enter(self, streams: bool, brief: bool) -> None:
        first = self._failures >= _FAILURES
        if first:
            if self._probing:
                raise OriginFailed("The upstream does not answer.", retry_after=1)
            self._probing = True
        if self._full(streams):
            try:
                self._queue(streams, brief)
            except Busy:
                self._probing = self._probing and not first
                raise
        self._waiting += 1
        self._streams += streams
        if not self._failures:
            self._moved = self._clock()

    def _full(self, streams: bool) -> bool:
        if self._waiting >= self.limits.waiting or (
            streams and self._streams >= self._most_streams
        ):
            return True
        return self._open >= self.limits.connections and not any(self._idle.values())

    def _queue(self, streams: bool, brief: bool) -> None:
        """Wait for a place, for as long as answers come."""
        patience = _MOMENT if brief else self.limits.queue_timeout
        latest = self._clock() + (patience if brief else _LONGEST * patience)
        self._queued += 1
        try:
            while self._full(streams):
                left = min(self._moved + patience, latest) - self._clock()
                if left <= 0 or self._closed:
                    raise Busy("Too many requests wait for the upstream.", retry_after=1)
                self._condition.wait(left)
        finally:
            self._queued -= 1

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

    def _connect(self, place: Place, seconds: float) -> Connection:
        if place.tls and self._context is None:
            self._context = self._make_context()
        context = self._context if place.tls else None
        plain = connected(place, context, self._names, seconds, self._networks)
        return Connection(place, plain, self.limits.read_timeout)

    @contextmanager
    def asking(self, connection: Connection) -> Iterator[None]:
        """A request over what was taken, until its answer is `done`, or `answered` and a body's.
        What comes out of it is why there is none, and the connection is gone. Raises `Closed`;
        what an answer says that is done is raised behind it."""
        idle = not connection.fresh
        try:
            yield
        except Gone as error:
            said = f"The upstream {connection.place} closed the connection."
            closed = OriginFailed(said, status=502)
            self.failed(connection, None if idle else closed)
            raise Closed(closed, idle=idle) from error
        except BaseException as error:
            self.failed(connection, error)
            raise

    def pause(self) -> None:
        """The body goes out: until `resume` the request waits for no answer, and is none by
        which to see whether there are any."""
        with self._condition:
            self._probing = False
            self._waiting -= 1
            self._condition.notify_all()

    def resume(self) -> None:
        """It has gone out: nobody is refused for it that late."""
        with self._condition:
            self._waiting += 1

    def answered(self, connection: Connection) -> None:
        """The answer begins: the request waits no longer."""
        with self._condition:
            self._answered(connection)

    def done(self, connection: Connection, *, keeps: bool) -> None:
        """The whole answer is there; the connection may carry another request if it `keeps`."""
        connection.fresh = False
        with self._condition:
            connection.idle_since = self._answered(connection)
            self._back(connection, keeps)

    def failed(self, connection: Connection, error: BaseException | None = None) -> None:
        """The request got no answer, for that reason (None: no fault of the upstream)."""
        with self._condition:
            if connection.waits:
                connection.waits = False
                self._leave(connection.streams)
            self._count(error)
            self._discard(connection)
            self._condition.notify_all()

    def _answered(self, connection: Connection) -> float:
        """When that is."""
        self._failures, self._probing = 0, False
        if connection.waits:
            connection.waits = False
            self._leave(connection.streams)
        self._moved = now = self._clock()
        return now

    def _leave(self, streams: bool) -> None:
        self._waiting -= 1
        self._streams -= streams
        if self._queued:  # nobody mostly, and asking the condition costs as much as a lock
            self._condition.notify_all()

    def _count(self, error: BaseException | None) -> None:
        self._probing = False
        if isinstance(error, Unavailable):
            self._failures += 1

    def give(self, connection: Connection, *, keeps: bool) -> None:
        """It is free; it may carry another request if it `keeps`."""
        connection.fresh = False
        connection.idle_since = self._clock()
        with self._condition:
            self._back(connection, keeps)

    def _back(self, connection: Connection, keeps: bool) -> None:
        if keeps and not self._closed:
            self._idle.setdefault(connection.place, []).append(connection)
        else:
            self._discard(connection)
        if self._queued:
            self._condition.notify_all()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            for idle in self._idle.values():
                while idle:
                    self._discard(idle.pop())
            self._condition.notify_all()
