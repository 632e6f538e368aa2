"""One HTTP/1.1 connection: sends prepared bytes, reads the answer to its end.

Small on purpose: a client that costs as little as Python allows. Bodies with
`Content-Length` and chunked ones are read; anything else ends with the connection.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple, cast

PIECE = 1 << 18
TIMEOUT = 30.0


class Answer(NamedTuple):
    """`length` is the body's bytes that came, `body` the body if it was asked for; `head`
    the lines before it, each after CR LF."""

    status: int
    length: int
    body: bytes = b""
    head: bytes = b""


Sink = Callable[[memoryview], object]


class Connection:
    """Raises `OSError` (`TimeoutError`, `ConnectionError`) when the peer fails."""

    def __init__(self, address: tuple[str, int], timeout: float = TIMEOUT) -> None:
        self._socket = socket.create_connection(address, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = cast(BinaryIO, self._socket.makefile("rb", PIECE))
        self._space = memoryview(bytearray(PIECE))
        self.open = True

    def close(self) -> None:
        self.open = False
        self._file.close()
        self._socket.close()

    def exchange(
        self,
        *parts: bytes,
        keep: bool = False,
        sink: Sink | None = None,
        bodiless: bool = False,
    ) -> Answer:
        """Send `parts`, read one answer; `keep` its body, or hand pieces to `sink`. `bodiless`:
        of a HEAD, whose length is that of the body that a GET would have."""
        self.send(parts)
        return self.answer(keep=keep, sink=sink, bodiless=bodiless)

    def send(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            self._socket.sendall(part)

    def answer(
        self, *, keep: bool = False, sink: Sink | None = None, bodiless: bool = False
    ) -> Answer:
        kept: list[bytes] = []
        take = (lambda piece: kept.append(bytes(piece))) if keep else sink or (lambda _: None)
        status, fields, head = self._head()
        while status == 100:
            status, fields, head = self._head()
        if bodiless:
            length = int(fields.get(b"content-length", b"0"))
        else:
            length = self._body(status, fields, take)
        if fields.get(b"connection", b"").lower() == b"close":
            self.close()
        return Answer(status, length, b"".join(kept), head)

    def _head(self) -> tuple[int, dict[bytes, bytes], bytes]:
        first, lines = self._line(), []
        while line := self._line():
            lines.append(line)
        pairs = (line.partition(b":") for line in lines)
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        try:
            return int(first.split(b" ", 2)[1]), fields, b"\r\n".join([first, *lines, b""])
        except (IndexError, ValueError) as error:
            raise ConnectionError(f"not an HTTP answer: {first[:40]!r}") from error

    def _line(self) -> bytes:
        line = self._file.readline(65536)
        if not line.endswith(b"\n"):
            raise ConnectionError("the connection ended in the middle of an answer")
        return line.strip()

    def _body(self, status: int, fields: dict[bytes, bytes], take: Sink) -> int:
        if status in (204, 304):
            return 0
        if b"content-length" in fields:
            return self._exactly(int(fields[b"content-length"]), take)
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            return self._chunks(take)
        raise ConnectionError("an answer with neither Content-Length nor chunks")

    def _exactly(self, length: int, take: Sink) -> int:
        left = length
        while left:
            count = self._file.readinto(self._space[: min(left, PIECE)])  # type: ignore[attr-defined]  # BufferedReader has it, BinaryIO does not say so
            if not count:
                raise ConnectionError("the connection ended in the middle of a body")
            take(self._space[:count])
            left -= count
        return length

    def _chunks(self, take: Sink) -> int:
        total = 0
        while size := int(self._line().partition(b";")[0], 16):
            total += self._exactly(size, take)
            self._line()
        while self._line():
            pass
        return total
