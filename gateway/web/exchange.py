"""One request on its way: what it moved, its place among the slow, and how it ended.

An exchange is the record that modes fill in, the `start_response` that they
call, and what wraps the bodies: one object, because a small request has 10 µs
for all of this.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, TypeAlias

from gateway.common import addresses
from gateway.storage import Corrupt, StorageError, Stretch, lent
from gateway.telemetry.record import Record
from gateway.web.admission import SMALL_BODY, Admission, Need
from gateway.web.rates import Rate

log = logging.getLogger("gateway")

LENT = 1 << 20
"""Bytes that are given to a server at once where it sends files: so much of an answer is counted
as sent before it is, and a file that changes is noticed so soon."""

WORTH_LENDING = 256 << 10
"""Bytes. A shorter answer is read by the time that its head is sent."""

Headers: TypeAlias = list[tuple[str, str]]
ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | None


class Exchange(Record):
    """Its parts are used by `app` only; a mode sees the `Record`. `waits`: it has a place,
    moves nothing, and that is right: it waits for something to happen. `answering`: a long
    answer was admitted, which is to be sent at `rate`. `sending` is its body until that is closed,
    where the server keeps to that rate, or has files sent."""

    __slots__ = (
        "_admission",
        "_finish",
        "_need",
        "_over",
        "announced",
        "answering",
        "begun",
        "headers",
        "held",
        "line",
        "peer",
        "rate",
        "sending",
        "unread",
        "waiting",
        "waits",
    )

    def __init__(
        self,
        request_id: str,
        environ: dict[str, Any],
        admission: Admission,
        finish: Callable[[Exchange], None],
    ) -> None:
        path: str = environ["PATH_INFO"]
        self.peer = addresses.settled(environ.get("REMOTE_ADDR", ""))
        Record.__init__(self, request_id, environ["REQUEST_METHOD"], path, self.peer)
        self._admission, self._finish = admission, finish
        self.held = self.waits = self.waiting = self._over = self.unread = False
        self.answering = False
        self.announced: int | None = None
        self.rate: Rate | None = None
        self.sending: Sent | None = None
        self._need = Need.LARGE
        self.line = ""
        self.headers: Headers = []
        self.started, self.begun = time.time(), time.perf_counter()
        admission.under_way.add(self)

    # start_response: kept until the application returns, so that a crash can change it

    def __call__(
        self, status: str, headers: Headers, exc_info: ExcInfo = None
    ) -> Callable[[bytes], object]:
        self.line, self.headers = status, headers
        return _write

    # admission

    def admit(self, *, waits: bool = False, answer: bool = False, rate: Rate | None = None) -> None:
        """Take a place among those who hold a thread at their client's pace: with `answer`
        while that is sent (at no more than `rate`), with `waits` until something happens, else
        while the body is read. Raises `Busy`."""
        if answer:
            self.answering, self.rate = True, rate
            self.unread = False  # the answer needs what it needs, whatever came with the request
            if self.held and (self._need is Need.SMALL or rate is not None):
                self.release()
            if rate is not None and self._admission.paces:
                return
        elif not waits and self.unread and self._admission.spools:
            return
        if self.held:
            return
        small = self.unread and self.announced is not None and self.announced <= SMALL_BODY
        waits_for_it = waits or rate is not None
        need = Need.WAIT if waits_for_it else Need.SMALL if small else Need.LARGE
        self._admission.take(self.client, need)
        self.held, self.waits, self._need = True, waits, need
        if need is Need.LARGE:
            self._admission.cores.roam()

    def release(self) -> None:
        """Give the place back that is held."""
        self.held = False
        self._admission.release(self.client, self._need)
        if self._need is Need.LARGE:
            self._admission.cores.settle()

    def never_asked(self, environ: Mapping[str, Any]) -> bool:
        """Whether the client waits for a 100 before it sends a body that nobody has read. It
        may send none now, and what it sends next may be taken for that body (RFC 9110 §10.1.1):
        measured on granian, 87 of 100 such connections were unusable, and not closed."""
        waits = "HTTP_EXPECT" in environ and not self.received
        return waits and not self._admission.spools

    # the end

    def over(self) -> None:
        """Once, whoever comes first: the end of the body, its close, or a crash."""
        if self._over:
            return
        self._over = True
        self._admission.under_way.discard(self)
        if self.held:
            self.release()
        self.duration = time.perf_counter() - self.begun
        self.status = int(self.line[:3] or 500)
        self._finish(self)


def _write(data: bytes) -> object:
    raise NotImplementedError("The write() of PEP 3333 is not offered; return the body.")


class Received:
    """`wsgi.input`, counted, and at its end where the announced body is: a server's may not
    end by itself. Then the place that was taken for it is given back."""

    __slots__ = ("_exchange", "_input")

    def __init__(self, source: Any, announced: int | None, exchange: Exchange) -> None:
        self._input, self._exchange = source, exchange
        exchange.unread, exchange.announced = True, announced

    def _wait(self, read: Callable[[int], bytes], size: int) -> bytes:
        exchange = self._exchange
        if exchange.announced is not None:
            left = exchange.announced - exchange.received
            size = left if size < 0 else min(size, left)
        if not size:
            return b""
        exchange.waiting = True
        try:
            piece = read(size)
        finally:
            exchange.waiting = False
        exchange.received += len(piece)
        if exchange.unread and (not piece or exchange.received == exchange.announced):
            exchange.unread = False
            if exchange.held:
                exchange.release()
        return piece

    def read(self, size: int = -1) -> bytes:
        return self._wait(self._input.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._wait(self._input.readline, size)

    def readlines(self, hint: int = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def close(self) -> None:
        """The server closes its input."""


class Sent:
    """An answer's body that is not bytes already: counted, no longer than was announced, and
    closed whatever happens.

    `lends`: to a server that can have the system send files. Among the pieces it then gets
    a `Stretch` where the body has one. It sends that before it asks for the next piece, else it
    says how much it was `cut`, and closes."""

    __slots__ = ("_body", "_exchange", "_left", "_lends", "_next")

    def __init__(self, body: Iterable[bytes], exchange: Exchange, *, lends: bool = False) -> None:
        self._body, self._exchange = body, exchange
        self._next = iter(body).__next__
        self._left = announced(exchange.headers)
        self._lends = lends and self._left is not None and self._left > WORTH_LENDING

    def __iter__(self) -> Sent:
        return self

    def __next__(self) -> Any:  # bytes, or what is lent
        exchange = self._exchange
        exchange.waiting = False
        try:
            if self._left == 0:
                raise StopIteration
            if self._lends and (stretch := self._stretch()) is not None:
                return stretch
            piece = self._next()
        except StopIteration:
            exchange.aborted = self._missing
            exchange.over()
            raise
        except Exception as error:
            # The server breaks the connection when an iterator raises, and when it ends before
            # what was announced, which is right: the answer must not look complete.
            exchange.aborted = True
            told = isinstance(error, StorageError)
            if told:
                exchange.corrupt = isinstance(error, Corrupt)
                log.error("%s: the answer broke off: %s", exchange.request_id, error)
            else:
                log.error("%s: the answer broke off", exchange.request_id, exc_info=error)
            exchange.over()
            if told and self._missing:
                raise StopIteration from None  # else the server logs it all again
            raise
        if self._left is not None:
            piece = piece[: self._left]
            self._left -= len(piece)
        exchange.sent += len(piece)
        exchange.waiting = True
        return piece

    def _stretch(self) -> Stretch | None:
        left, exchange = self._left, self._exchange
        assert left is not None
        found = lent(self._body, min(left, LENT))
        if found is not None:
            self._left = left - found.length
            exchange.sent += found.length
            exchange.waiting = True
        return found

    def cut(self, missing: int, *, short: bool = False) -> None:
        """By the server, before it closes: so many bytes of the last stretch were not sent,
        because the client has gone, or because the file is too `short` by now."""
        exchange = self._exchange
        exchange.sent -= missing
        self._left = (self._left or 0) + missing
        if short:
            exchange.corrupt = True
            log.error("%s: the answer broke off: a file became shorter", exchange.request_id)

    @property
    def _missing(self) -> bool:
        """Whether fewer bytes were sent than announced; then the server breaks the connection."""
        return bool(self._left) and self._exchange.method != "HEAD"

    def close(self) -> None:
        """By the server, at the end and when the client has gone away."""
        self._exchange.sending = None
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            if not self._exchange._over:
                self._exchange.aborted = self._missing
                self._exchange.over()


class Left(Sent):
    """One that a server may leave, and take up again: while it is `left`, who closes it does not
    mean it."""

    __slots__ = ("left",)

    def __init__(self, body: Iterable[bytes], exchange: Exchange) -> None:
        super().__init__(body, exchange)
        self.left = False

    def close(self) -> None:
        if not self.left:
            super().close()


def announced(headers: Headers) -> int | None:
    """The bytes of an answer's body, as its headers say."""
    return next((int(text) for name, text in headers if name.lower() == "content-length"), None)
