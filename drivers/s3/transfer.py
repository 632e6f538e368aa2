"""One request over one connection: what goes out, and what comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from drivers.s3.sending import Outgoing
from drivers.s3.signing import EXPECTS, UpstreamRequest
from gateway.common import sigv4
from gateway.common.upstream.answers import DOCUMENT_LIMIT, Framed, Head, Headers, broken, framed
from gateway.common.upstream.connection import Connection, Gone
from gateway.common.upstream.pool import Pool
from gateway.common.upstream.receiving import SMALL, Body, final_head, whole
from gateway.storage import Unavailable

_READS = frozenset({"GET", "HEAD"})

CONTINUE = 1.0
"""Seconds after which a body that waits to be asked for goes out without having been."""


class Answer(NamedTuple):
    """`data`: the body when it was small, else `body` streams it (and must be closed)."""

    status: int
    headers: Headers
    data: bytes
    body: Body | None
    length: int


def exchange(
    pool: Pool,
    request: UpstreamRequest,
    connection: Connection,
    head: bytes,
    seed: sigv4.Seed | None,
) -> Head:
    """Raises `FromSource`, `Gone`, `OriginFailed`, `TimedOut`."""
    body = request.body
    if isinstance(body, bytes):
        connection.send(head + body)
        return final_head(connection, request.method)
    connection.send(head)
    early = _asked(connection, request.method) if body.length >= EXPECTS else None
    if early is not None:
        return _refusing(early)._replace(keeps=False)
    pool.pause()
    try:
        connection.due(None)
        whole = _stream(connection, body, seed)
    finally:
        pool.resume()
    connection.due(time.monotonic() + pool.limits.read_timeout)
    found = final_head(connection, request.method)
    return found if whole else _refusing(found)


def _refusing(head: Head) -> Head:
    """An answer that came before the body had been sent."""
    if head.status < 300:
        raise broken(f"it answered {head.status} before it had the body")
    return head


def answered(pool: Pool, request: UpstreamRequest, connection: Connection, head: Head) -> Answer:
    """The answer, its body read when it is small or wanted whole: until it is there the request
    waits. Raises `OriginFailed`, `TimedOut`; afterwards the connection is the pool's, or the
    body's."""
    status, headers, length, keeps = head[:4]
    if length == 0:
        connection.rest, rest = b"", connection.rest
        pool.done(connection, keeps=keeps and not rest)
        return Answer(status, headers, b"", None, 0)
    source = framed(connection, connection.take_rest(), length)
    if request.document or status >= 300 or (length is not None and 0 < length <= SMALL):
        if request.method not in _READS:  # S3 begins answers to long work before it is done
            pool.answered(connection)
            connection.due(None)
        data = _document(source)
        pool.done(connection, keeps=keeps and source.clean)
        return Answer(status, headers, data, None, len(data))
    pool.answered(connection)
    connection.due(None)
    body = Body(pool, connection, source, keeps=keeps)
    return Answer(status, headers, b"", body, -1 if length is None else length)


class Lost(Exception):
    """A try without a usable answer. `harmless`: the upstream did not see it; `free`: it
    costs no try, because an idle connection was closed."""

    def __init__(self, error: Unavailable, *, harmless: bool = False, free: bool = False) -> None:
        super().__init__(str(error))
        self.error, self.harmless, self.free = error, harmless, free


class FromSource(Exception):
    """What the body's own source raised: no fault of the upstream."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def _pieces(body: Outgoing, seed: sigv4.Seed | None) -> Iterator[bytes]:
    pieces = body.pieces(seed)
    while True:
        try:
            piece = next(pieces, None)
        except BaseException as error:
            raise FromSource(error) from error
        if piece is None:
            return
        yield piece


def _stream(connection: Connection, body: Outgoing, seed: sigv4.Seed | None) -> bool:
    """Send it all; False when the upstream closed before: it may have said why."""
    for piece in _pieces(body, seed):
        try:
            connection.send(piece)
        except Gone:
            return False
    return True


def _asked(connection: Connection, method: str) -> Head | None:
    """Wait until the upstream asks for the body (100). An answer that comes instead."""
    if not connection.readable(CONTINUE):
        return None
    found = final_head(connection, method, asks=True)
    return None if found.status == 100 else found


def _document(body: Framed) -> bytes:
    data = whole(body, DOCUMENT_LIMIT)
    if data is None:
        raise broken("its document is too long")
    return data
