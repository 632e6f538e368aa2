"""One question to an origin: over a kept-alive connection, and on to where it redirects.

A redirect is held against all that the first address was: its scheme, its host's addresses,
its certificate. Once one has led to another place, credentials are left behind for good:
who sent us there could send us back to what only they open. Places that others name have
connections and bounds of their own: one that hangs holds up nothing at the origin itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from drivers.http.bodies import Paced, measured
from drivers.http.questions import Lines, head, with_own, without_credentials
from drivers.http.targets import Target, redirected
from gateway.common.upstream.answers import Framed, Head, Headers, broken, framed
from gateway.common.upstream.connection import Connection, Gone
from gateway.common.upstream.pool import NotConnected, Pool
from gateway.common.upstream.receiving import SMALL, Body, final_head
from gateway.storage import PIECE, BytesBody, OriginFailed, Readable, Unavailable

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PAGE = SMALL
"""Bytes of an error's page: what is longer is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Seconds, bytes a second, bytes, and how many redirects are followed."""

    timeout: float
    total_timeout: float | None
    min_rate: int
    max_unsized: int
    max_redirects: int


@dataclass(slots=True, kw_only=True)
class Heard:
    """An answer. `headers` are joined by name; `text` is the head as it came. `length` of
    `body`, which is None where there is none, or it was too long a page. Times are
    milliseconds."""

    status: int
    headers: Headers
    text: str
    body: Readable | None
    length: int
    asked: int
    answered: int

    def close(self) -> None:
        if self.body is not None:
            self.body.close()


Stream = Iterator[bytes] | None


class Asking:
    """`own`: lines that only the origin itself is sent."""

    def __init__(
        self,
        pool: Pool,
        elsewhere: Pool,
        base: Target,
        own: Lines,
        bounds: Bounds,
        clock: Callable[[], int],
    ) -> None:
        self._pool, self._elsewhere, self._base = pool, elsewhere, base
        self._own, self._bounds, self._clock = own, bounds, clock

    def close(self) -> None:
        self._pool.close()
        self._elsewhere.close()

    def read(self, method: str, target: Target, lines: Lines) -> Heard:
        """A GET or a HEAD, its redirects followed; with what it led to, whatever that says.
        Raises `OriginFailed`, `TimedOut`, `Busy`."""
        deadline = time.monotonic() + self._bounds.timeout
        lines, seen = with_own(lines, self._own), {target}
        while True:
            heard = self._asked(method, target, lines, deadline)
            location = heard.headers.get("location")
            follows = heard.status in _REDIRECTS and location is not None
            if not follows or not self._bounds.max_redirects:
                return heard
            heard.close()
            if len(seen) > self._bounds.max_redirects:
                raise broken(f"it redirects more than {self._bounds.max_redirects} times")
            assert location is not None
            last, target = target, redirected(target, location)
            if target in seen:
                raise broken("it redirects in a circle")
            seen.add(target)
            if target.place != last.place:
                names = {name.lower() for name, _ in self._own}
                lines = [one for one in lines if one[0].lower() not in names]
                lines = without_credentials(lines)

    def forward(self, method: str, target: Target, lines: Lines, body: Stream) -> Heard:
        """Another request, asked once; its answer whatever it is. `body` in pieces, as they go
        over the wire."""
        deadline = time.monotonic() + self._bounds.timeout
        return self._asked(method, target, with_own(lines, self._own), deadline, body, once=True)

    def _asked(
        self,
        method: str,
        target: Target,
        lines: Lines,
        deadline: float,
        body: Stream = None,
        *,
        once: bool = False,
    ) -> Heard:
        """`once`: it is passed on, and its answer's body is wanted, also that of an error."""
        at_home = target.place == self._base.place
        pool = self._pool if at_home else self._elsewhere
        request = head(method, target.place, target.path, lines)
        brief = not pool.part.take()
        try:
            spared = pool.limits.connections
            while True:
                try:
                    heard = self._once(pool, method, target, request, deadline, body, once, brief)
                    return self._measured(heard)
                except _Closed as closed:
                    if once or not (closed.idle and spared):
                        raise closed.error from closed
                    spared -= 1
        finally:
            pool.part.give()

    def _once(
        self,
        pool: Pool,
        method: str,
        target: Target,
        request: bytes,
        deadline: float,
        body: Stream,
        once: bool,
        brief: bool,
    ) -> Heard:
        try:
            connection = pool.take(
                target.place, streams=body is not None, brief=brief, deadline=deadline
            )
        except NotConnected as failed:
            raise failed.error from failed
        reused = not connection.fresh
        try:
            connection.due(deadline)
            asked = self._clock()
            connection.send(request)
            if body is not None:
                _stream(pool, connection, body)
            found = final_head(connection, method)
            return self._heard(pool, connection, found, asked, once=once)
        except Gone as error:
            closed = OriginFailed(f"The origin {target.place} closed the connection.", status=502)
            pool.failed(connection, None if reused else closed)
            raise _Closed(closed, idle=reused) from error
        except Unavailable as error:
            pool.failed(connection, error)
            raise
        except BaseException:
            pool.failed(connection)
            raise

    # the answer

    def _heard(
        self, pool: Pool, connection: Connection, found: Head, asked: int, *, once: bool
    ) -> Heard:
        """Afterwards the connection is the pool's, or the body's."""
        heard = Heard(
            status=found.status,
            headers=found.headers,
            text=found.text,
            body=None,
            length=0,
            asked=asked,
            answered=self._clock(),
        )
        if found.length == 0:
            connection.rest, rest = b"", connection.rest
            pool.done(connection, keeps=found.keeps and not rest)
            return heard
        source = Paced(connection, self._bounds.min_rate)
        frame = framed(source, connection.take_rest(), found.length)
        if not once and found.status >= 300:
            self._take_page(pool, connection, heard, frame, keeps=found.keeps)
        elif found.length is not None and 0 < found.length <= SMALL:
            data = b"".join(iter(frame.read, b""))
            pool.done(connection, keeps=found.keeps and frame.clean)
            heard.body, heard.length = BytesBody(data), len(data)
        else:
            pool.answered(connection)
            total = self._bounds.total_timeout
            connection.due(None if total is None else time.monotonic() + total)
            heard.body = Body(pool, connection, frame, keeps=found.keeps)
            heard.length = found.length if found.length is not None else -1
        return heard

    def _take_page(
        self, pool: Pool, connection: Connection, heard: Heard, frame: Framed, *, keeps: bool
    ) -> None:
        pieces, size = list[bytes](), 0
        while size <= _PAGE and (piece := frame.read(PIECE)):
            pieces.append(piece)
            size += len(piece)
        if size > _PAGE:
            pool.done(connection, keeps=False)
            return
        pool.done(connection, keeps=keeps and frame.clean)
        heard.body, heard.length = BytesBody(b"".join(pieces)), size

    def _measured(self, heard: Heard) -> Heard:
        """Where the answer does not say how long it is, it is read to its end."""
        if heard.length < 0 and heard.body is not None:
            with closing(heard.body) as body:
                heard.body, heard.length = measured(body, self._bounds.max_unsized)
        return heard


class _Closed(Exception):
    """The connection ended before an answer; `idle`: it had been kept alive for long."""

    def __init__(self, error: OriginFailed, *, idle: bool) -> None:
        super().__init__(str(error))
        self.error, self.idle = error, idle


def _stream(pool: Pool, connection: Connection, body: Iterator[bytes]) -> None:
    """Send a body; the origin may close before it has it all, and say why."""
    pool.pause()
    try:
        connection.due(None)
        for piece in body:
            with suppress(Gone):
                connection.send(piece)
                continue
            break
    finally:
        pool.resume()
    connection.due(time.monotonic() + pool.limits.read_timeout)
