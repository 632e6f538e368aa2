"""The own load generator: one loop over connections, each with one operation at a time.

It takes what wrk cannot: operations of several requests, HEAD, and requests that may be
sent only once. One thread of Python sends some ten thousand small requests per second.
An operation that has begun is finished, and counted, when the time is over.
"""

from __future__ import annotations

import selectors
import socket
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.answers import Reading
from benchmarks.connection import PIECE, Answer
from benchmarks.steps import START, Exchange, Operation, Wrong

TIMEOUT = 10.0
_PAUSE = 0.01
_JOINED = 1 << 16


@dataclass(slots=True)
class Tally:
    """What was seen. `latencies` in seconds; `complaint` is the first wrong answer."""

    latencies: array[float] = field(default_factory=lambda: array("d"))
    received: int = 0
    seconds: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    complaint: str = ""
    started: bool = False
    """An operation said where its time begins: `seconds` are those of operations alone."""

    def wrong(self, kind: str, text: str) -> None:
        self.errors[kind] += 1
        self.complaint = self.complaint or text


class _Client:
    """One connection and the operation that runs on it."""

    def __init__(
        self, loop: selectors.BaseSelector, address: tuple[str, int],
        operations: Iterator[Operation], tally: Tally, patience: float, until: float,
    ) -> None:  # fmt: skip
        self._loop, self._address, self._operations = loop, address, operations
        self._tally, self._patience, self._until = tally, patience, until
        self._socket: socket.socket | None = None
        self._space = memoryview(bytearray(PIECE))
        self._operation: Operation | None = None
        self._unsent: list[memoryview] = []
        self._received = 0
        self._begun = self._last = 0.0
        self._started = self.resting = False

    def begin(self) -> bool:
        """Begin the next operation; False: none is left, or the time is over."""
        self._begun = self._last = time.perf_counter()
        self._received, self._started = 0, False
        self._operation = next(self._operations, None) if self._begun < self._until else None
        if self._operation is None:
            self._close()
            return False
        self._step(None)
        return True

    def look(self, now: float) -> None:
        """Now and then: give up what waits too long, go on after a failure."""
        if self.resting:
            self.resting = False
            self.begin()
        elif self._operation is not None and now - self._last > self._patience:
            self.fail("timeout", f"no answer for {self._patience:g} s")

    def _step(self, answer: Answer | None) -> None:
        """Let the operation say what is to be sent next; begin another when it has ended."""
        while self._operation is not None:
            try:
                exchange = next(self._operation) if answer is None else self._operation.send(answer)
            except StopIteration:
                self._end()
                self.begin()
                return
            except Wrong as error:
                self.fail("status", str(error))
                return
            if exchange is not START:
                self._send(exchange)
                return
            answer, self._begun, self._started = None, time.perf_counter(), True

    def _end(self) -> None:
        tally = self._tally
        tally.latencies.append(time.perf_counter() - self._begun)
        tally.received += self._received
        tally.started = tally.started or self._started

    def _send(self, exchange: Exchange) -> None:
        self._reading = Reading(exchange)
        try:
            if self._socket is None:
                self._connect()
            head, *rest = exchange.parts
            if rest and len(rest[0]) < _JOINED:
                head, rest = b"".join(exchange.parts), []
            self._unsent = [memoryview(part) for part in (head, *rest)]
            self._flush()
        except OSError as error:
            self.fail("timeout" if isinstance(error, TimeoutError) else "read", str(error))

    def _connect(self) -> None:
        self._socket = socket.create_connection(self._address, TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._loop.register(self._socket, selectors.EVENT_READ, self)

    def _flush(self) -> None:
        assert self._socket is not None
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[0])
            except BlockingIOError:
                self._watch(selectors.EVENT_READ | selectors.EVENT_WRITE)
                return
            self._unsent[0] = self._unsent[0][sent:]
            if not self._unsent[0]:
                del self._unsent[0]

    def _watch(self, events: int) -> None:
        assert self._socket is not None
        if self._loop.get_key(self._socket).events != events:
            self._loop.modify(self._socket, events, self)

    def ready(self, events: int) -> None:
        self._last = time.perf_counter()
        try:
            if events & selectors.EVENT_WRITE:
                self._flush()
                if not self._unsent:
                    self._watch(selectors.EVENT_READ)
            if events & selectors.EVENT_READ:
                self._receive()
        except (OSError, ValueError) as error:
            self.fail("read", str(error))

    def _receive(self) -> None:
        assert self._socket is not None
        count = self._socket.recv_into(self._space)
        if not count:
            raise ConnectionError("the connection ended before the answer")
        answer = self._reading.take(self._space[:count])
        if answer is None:
            return
        self._received += answer.length
        if self._reading.closes():
            self._close()
        if answer.status >= 400:
            text = answer.body.decode("utf-8", "replace")
            self._tally.wrong("status", f"answered {answer.status} {text[:300]}".strip())
            self._end()
            self.begin()
        else:
            self._step(answer)

    def fail(self, kind: str, text: str) -> None:
        """Give the operation up; after a rest, go on with another on a new connection."""
        self._tally.wrong(kind, text)
        self._close()
        self._operation, self.resting = None, True

    def _close(self) -> None:
        if self._socket is not None:
            self._loop.unregister(self._socket)
            self._socket.close()
            self._socket = None


def run(
    address: tuple[str, int],
    sources: Sequence[Iterator[Operation]],
    seconds: float,
    patience: float = TIMEOUT,
) -> Tally:
    """Each source's operations one after the other on a connection of its own, until they
    are used up or `seconds` are over. `patience`: seconds without a sign of the server."""
    tally, begin = Tally(), time.perf_counter()
    with selectors.DefaultSelector() as loop:
        clients = [
            _Client(loop, address, source, tally, patience, begin + seconds) for source in sources
        ]
        for client in clients:
            client.begin()
        looked = begin
        while loop.get_map() or any(client.resting for client in clients):
            for key, events in loop.select(_PAUSE) if loop.get_map() else ():
                key.data.ready(events)
            now = time.perf_counter()
            if not loop.get_map() or now - looked > _PAUSE:
                time.sleep(0 if loop.get_map() else _PAUSE)
                looked = now
                for client in clients:
                    client.look(now)
    tally.seconds = time.perf_counter() - begin
    if tally.started:
        tally.seconds = sum(tally.latencies)
    return tally
