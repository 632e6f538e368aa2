"""An HTTP upstream that does what upstreams do on bad days: refuse, hang, cut, lie, move.

    with Upstream() as upstream:
        upstream.will(refuse(503, "SlowDown"), refuse(503, "SlowDown"))
        store = MyStore(url=upstream.url)     # a third try finds what was put

It is a real server on loopback. Each request takes the next of the acts it was
told to do; without one it keeps objects in memory, as a plain S3 server would.
Every request is kept in `requests`. Bodies are held: it is for tests.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from gateway.testing.faults import PATIENCE

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: what is not sent yet is dropped, and the other side gets a reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request. `headers` have lower-case names; `body` is as it was framed."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """One request being answered. `ended` is set when the upstream is closed."""

    def __init__(self, seen: Seen, connection: socket.socket, upstream: Upstream) -> None:
        self.seen, self._connection, self.upstream = seen, connection, upstream
        self.open = True

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def close(self) -> None:
        """End the connection in an orderly way."""
        self.open = False

    def reset(self) -> None:
        """End it as a crashed host does."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.open = False


Act = Callable[[Exchange], None]


def head(status: int, headers: Mapping[str, str | int]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Whatever\r\nDate: {formatdate(usegmt=True)}\r\n{lines}\r\n".encode()


# acts


def answer(
    status: int = 200, body: bytes = b"", headers: Mapping[str, str | int] | None = None
) -> Act:
    """Exactly this. Content-Length is the body's unless `headers` say another."""

    def act(exchange: Exchange) -> None:
        length = {} if status in (204, 304) else {"Content-Length": len(body)}
        sent = b"" if exchange.seen.method == "HEAD" else body
        exchange.send(head(status, {**length, **(headers or {})}) + sent)

    return act


def refuse(status: int, code: str, headers: Mapping[str, str | int] | None = None) -> Act:
    """An S3 error document; to HEAD only its status."""
    document = f"<Error><Code>{code}</Code><Message>{code} it is.</Message></Error>".encode()
    return answer(status, document, {"Content-Type": "application/xml", **(headers or {})})


def moved(region: str, status: int = 301, code: str = "PermanentRedirect") -> Act:
    """The bucket is in another region."""
    return refuse(status, code, {"x-amz-bucket-region": region})


def reset(exchange: Exchange) -> None:
    """The connection breaks before an answer."""
    exchange.reset()


def close(exchange: Exchange) -> None:
    """The connection ends before an answer."""
    exchange.close()


def hang(exchange: Exchange) -> None:
    """No answer, for as long as the upstream is open."""
    exchange.upstream.ended.wait(PATIENCE)
    exchange.close()


def cut(body: bytes, at: int, headers: Mapping[str, str | int] | None = None) -> Act:
    """An answer that announces all of `body`, of which `at` bytes come."""

    def act(exchange: Exchange) -> None:
        said = {"Content-Length": len(body), "ETag": f'"{md5(body)}"', **(headers or {})}
        exchange.send(head(200, said) + body[:at])
        exchange.close()

    return act


def stall(body: bytes, at: int) -> Act:
    """As `cut`, but the connection stays open and silent."""

    def act(exchange: Exchange) -> None:
        exchange.send(head(200, {"Content-Length": len(body), "ETag": '"x"'}) + body[:at])
        hang(exchange)

    return act


def raw(data: bytes) -> Act:
    """These bytes in place of an answer, and the end."""

    def act(exchange: Exchange) -> None:
        exchange.send(data)
        exchange.close()

    return act


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Upstream:
    """`url` is known inside `with`. With `tls` (certificate and key: see `certificates`) it
    speaks https."""

    def __init__(self, *, tls: tuple[Path, Path] | None = None) -> None:
        self.requests: list[Seen] = []
        self.objects: dict[str, bytes] = {}
        self.ended = threading.Event()
        self.connections = 0
        self._acts: deque[Act] = deque()
        self._always: Act | None = None
        self._tls: ssl.SSLContext | None = None
        if tls is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*tls)
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()

    def will(self, *acts: Act) -> None:
        """Answer the next requests so, one act each."""
        self._acts.extend(acts)

    def always(self, act: Act | None) -> None:
        """Answer all requests so for which no act is waiting; None: as usual."""
        self._always = act

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"{'https' if self._tls else 'http'}://localhost:{self.port}"
        if self._tls is None:
            self.url = f"http://127.0.0.1:{self.port}"
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        with suppress(OSError):  # closing alone does not wake who accepts, on Linux
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if not self.ended.is_set():
                self._start(self._serve, connection)
            else:
                connection.close()

    def _serve(self, plain: socket.socket) -> None:
        self.connections += 1
        with plain, suppress(OSError):
            connection = plain
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_side=True)
            self._open.add(connection)
            with connection, connection.makefile("rb") as lines:
                while (seen := _read(lines, connection)) is not None:
                    exchange = Exchange(seen, connection, self)
                    self.requests.append(seen)
                    self._act(exchange)
                    if not exchange.open:
                        break
            self._open.discard(connection)

    def _act(self, exchange: Exchange) -> None:
        if self._acts:
            self._acts.popleft()(exchange)
        else:
            (self._always or self._keep)(exchange)

    def _keep(self, exchange: Exchange) -> None:
        """What a plain S3 server does with objects."""
        seen = exchange.seen
        path = seen.target.partition("?")[0]
        if seen.method == "PUT":
            self.objects[path] = _unframed(seen)
        elif seen.method == "DELETE":
            self.objects.pop(path, None)
            answer(204)(exchange)
            return
        found = self.objects.get(path)
        if found is None:
            refuse(404, "NoSuchKey")(exchange)
            return
        body = b"" if seen.method == "PUT" else found
        headers = {"ETag": f'"{md5(found)}"', "Last-Modified": formatdate(0, usegmt=True)}
        length = {"Content-Length": len(body)}
        answer(200, body, {**headers, **length})(exchange)


def _unframed(seen: Seen) -> bytes:
    """The body without the chunks in which S3's clients frame it."""
    if not seen.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        return seen.body
    return unchunked(seen.body)


def unchunked(body: bytes) -> bytes:
    """A body that came in chunks (RFC 9112 §7.1), without them."""
    data, at = bytearray(), 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].partition(b";")[0], 16)
        if not size:
            return bytes(data)
        data += body[end + 2 : end + 2 + size]
        at = end + 2 + size + 2


def _read(lines: IO[bytes], connection: socket.socket) -> Seen | None:
    """The next request; None at the end."""
    first = lines.readline(65_536).decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while line := lines.readline(65_536).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = _body(lines, headers)
    if body is None:  # who sent it went away
        return None
    return Seen(method=first[0], target=first[1], headers=headers, body=body)


def _body(lines: IO[bytes], headers: Mapping[str, str]) -> bytes | None:
    if headers.get("transfer-encoding") != "chunked":
        length = int(headers.get("content-length", "0"))
        body = lines.read(length)
        return body if len(body) == length else None
    framed = b""
    while line := lines.readline(65_536):
        size = int(line.partition(b";")[0], 16)
        chunk = lines.read(size + 2)
        framed += line + chunk
        if not size:
            return framed if chunk else None
    return None
