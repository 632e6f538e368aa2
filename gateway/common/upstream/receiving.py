"""An answer as it comes: its head, behind those that only announce it, and a body that streams."""

from __future__ import annotations

from gateway.common.upstream.answers import Framed, Head, broken
from gateway.common.upstream.connection import Connection
from gateway.common.upstream.pool import Pool
from gateway.storage import PIECE, Readable

SMALL = 64 * 1024
"""Bytes of a body that is read at once, so that its connection is free again."""

_INTERIM = 16
"""Heads of 1xx before one answer: more are no way to answer."""


def final_head(connection: Connection, method: str, *, asks: bool = False) -> Head:
    """That of the answer itself, behind those that only say that one will come (RFC 9110
    §15.2); with `asks` also one that asks for the body."""
    for _ in range(_INTERIM):
        found = connection.head(method)
        if found.status >= 200 or (asks and found.status == 100):
            return found
        connection.hurry()
    raise broken("it says again and again that it will come")


def whole(body: Framed | Readable, most: int) -> bytes | None:
    """All of a body, read to its end; None where it has more bytes than that."""
    pieces, size = list[bytes](), 0
    while piece := body.read():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            return None
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Body:
    """What streams from an upstream; its connection is free again at its end."""

    __slots__ = ("_connection", "_framed", "_keeps", "_pool")

    def __init__(self, pool: Pool, connection: Connection, body: Framed, *, keeps: bool) -> None:
        self._pool, self._framed, self._keeps = pool, body, keeps
        self._connection: Connection | None = connection

    def read(self, size: int = PIECE, /) -> bytes:
        try:
            piece = self._framed.read(size)
        except BaseException:
            self.close()
            raise
        if not piece or self._framed.left == 0:
            self._end()
        return piece

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give(connection, keeps=self._keeps and self._framed.clean)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:  # not read to its end: what follows is nobody's answer
            self._pool.give(connection, keeps=False)
