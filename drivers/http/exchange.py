"""One exchange with an origin: a request over one connection, and the answer that comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from drivers.http.bodies import Paced, measured
from drivers.http.targets import Target
from gateway.common.upstream.answers import Head, Headers, framed
from gateway.common.upstream.connection import Connection, Gone
from gateway.common.upstream.pool import NotConnected, Pool
from gateway.common.upstream.receiving import SMALL, Body, final_head, whole
from gateway.storage import BytesBody, Readable, Unavailable


class NotAsked(Exception):
    """The request was not sent, and may go elsewhere whatever it is; `error` says why."""

    def __init__(self, error: Unavailable) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Seconds, bytes a second, bytes, and how many redirects are followed."""

    timeout: float
    total_timeout: float | None
    min_rate: int
    max_unsized: int
    max_redirects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`head` as it goes over the wire, and behind it `body`. `deadline`: for the answer to
    begin, by the monotonic clock. `once`: it is passed on, not repeated, and the body of its
    answer is wanted whatever that says."""

    method: str
    target: Target
    head: bytes
    deadline: float
    body: Iterator[bytes] | None = None
    once: bool = False


@dataclass(slots=True, kw_only=True)
class Heard:
    """An answer. `headers` are joined by name; `text` is the head as it came. `length` of
    `body`, which is None where there is none, or it was too long a page. Times are
    milliseconds."""

    status: int
    headers: Headers
    text: str
    asked: int
    answered: int
    body: Readable | None = None
    length: int = 0

    def close(self) -> None:
        if self.body is not None:
            self.body.close()


class Exchange:
    """Over one of a `pool`'s connections. `clock` gives milliseconds."""

    def __init__(self, pool: Pool, bounds: Bounds, clock: Callable[[], int]) -> None:
        self._pool, self._bounds, self._clock = pool, bounds, clock

    def __call__(self, question: Question, *, brief: bool) -> Heard:
        """`brief`: without waiting for a place. Raises `NotAsked`, `Closed`, `OriginFailed`,
        `TimedOut`, and what the question's body raises."""
        heard = self._once(question, brief=brief)
        if heard.length < 0 and heard.body is not None:  # known at its end only
            with closing(heard.body) as body:
                heard.body, heard.length = measured(body, self._bounds.max_unsized)
        return heard

    def _once(self, question: Question, *, brief: bool) -> Heard:
        pool, place, streams = self._pool, question.target.place, question.body is not None
        try:
            connection = pool.take(place, streams=streams, brief=brief, deadline=question.deadline)
        except NotConnected as failed:
            raise NotAsked(failed.error) from failed
        except Unavailable as error:
            raise NotAsked(error) from error
        with pool.asking(connection):
            connection.due(question.deadline)
            asked = self._clock()
            connection.send(question.head)
            if question.body is not None:
                self._stream(connection, question.body)
            found = final_head(connection, question.method)
            return self._heard(connection, found, asked, once=question.once)

    def _stream(self, connection: Connection, body: Iterator[bytes]) -> None:
        """Send a body; the origin may close before it has it all, and say why."""
        self._pool.pause()
        try:
            connection.due(None)
            with suppress(Gone):
                for piece in body:
                    connection.send(piece)
        finally:
            self._pool.resume()
        connection.due(time.monotonic() + self._pool.limits.read_timeout)

    def _heard(self, connection: Connection, found: Head, asked: int, *, once: bool) -> Heard:
        """Afterwards the connection is the pool's, or the body's."""
        status, headers, length, keeps, text = found
        heard = Heard(
            status=status, headers=headers, text=text, asked=asked, answered=self._clock()
        )
        if length == 0:
            connection.rest, rest = b"", connection.rest
            self._pool.done(connection, keeps=keeps and not rest)
            return heard
        frame = framed(Paced(connection, self._bounds.min_rate), connection.take_rest(), length)
        page = status >= 300 and not once
        if page or (length is not None and 0 < length <= SMALL):
            data = whole(frame, SMALL)
            self._pool.done(connection, keeps=keeps and frame.clean and data is not None)
            if data is not None:
                heard.body, heard.length = BytesBody(data), len(data)
            return heard
        self._pool.answered(connection)
        total = self._bounds.total_timeout
        connection.due(None if total is None else time.monotonic() + total)
        heard.body = Body(self._pool, connection, frame, keeps=keeps)
        heard.length = -1 if length is None else length
        return heard
