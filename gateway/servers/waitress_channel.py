"""waitress's connections (3.0), with what it lacks for S3 clients, and for slow ones.

- A number or an address in a head that Python cannot read ends a connection without
  an answer, and with an error in the log.
- It capitalises header names; boto3 makes the names of metadata from them.
- It takes all but one of the slashes away with which a path begins.
- It drops headers whose names have `_`, and joins those that come twice by `, `,
  where a signature has `,` ("Authenticating Requests", canonical headers).
- A request with `Expect: 100-continue` and no bytes of body is never completed:
  an upload of an empty file hangs until the client gives up.
- It closes what was silent for a time, looking every 30 s, and never while a
  request is in work. So a byte a minute keeps a connection, and a client that
  takes nothing of a long answer keeps a thread. `look` is to be called once a
  second, in the thread of the loop.
- It knows no TLS. A channel whose socket is Python's `ssl`'s reads and writes through that.

`tests/libraries/test_waitress.py` says first when what this stands on has moved.
"""

from __future__ import annotations

import logging
import re
import ssl
import threading
from contextlib import suppress
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError, get_header_lines
from waitress.task import WSGITask
from waitress.utilities import Error

from gateway.common.system import translate
from gateway.servers.pace import Pace, Patience
from gateway.servers.shedding import STILL
from gateway.storage import Full
from gateway.web.request_head import UNDERSCORE, restore, variable

log = logging.getLogger("gateway")

_RECORD = 1 << 14
"""Bytes of plain text that TLS sends at once, at most (RFC 8446 §5.1): when so many are asked
for, none is left where the loop does not see it."""

_AMZ_NAMES = re.compile(rb"^X-Amz-[^:\r\n]+", re.MULTILINE)


class _Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        restore(environ)
        if self.channel.tls is not None:
            environ["wsgi.url_scheme"] = "https"
        return environ

    def build_response_header(self) -> bytes:
        if self.channel.server.stopping:  # or its client keeps the server from ending
            self.set_close_on_finish()
        head: bytes = super().build_response_header()
        return _AMZ_NAMES.sub(lambda name: name[0].lower(), head)


class _SlowDown(Error):  # type: ignore[misc]  # waitress has no types
    code, reason = 503, "Slow Down"


class _Full(Error):  # type: ignore[misc]  # waitress has no types
    code, reason = 507, "Insufficient Storage"


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError:  # a length of 5,000 digits, or a target such as http://[
            raise ParsingError("The request's head cannot be understood.") from None
        # Each line but the first and the empty one is a header of its own, as a rule.
        if header_plus.count(b"\r\n") - 2 != len(self.headers):
            self._read_again(header_plus.partition(b"\r\n")[2])

    def _read_again(self, lines: bytes) -> None:
        """What was dropped or joined; all lines have been found to be well-formed."""
        found: dict[str, list[str]] = {}
        for line in get_header_lines(lines):
            name, _, value = line.decode("latin-1").partition(":")
            found.setdefault(variable(name), []).append(value.strip(" \t"))
        for key, values in found.items():
            name = key.removeprefix("HTTP_")
            if UNDERSCORE in name or (len(values) > 1 and name in self.headers):
                self.headers[name] = ",".join(values)


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    parser_class, task_class = Parser, _Task

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._moved = 0
        self._pace = self._still = Pace(0, 0.0)
        self._phase: object = None
        self.request: Any
        self.tls = self.socket if isinstance(self.socket, ssl.SSLSocket) else None
        self._turn, self._record = threading.Lock(), b""
        if self.tls is not None:
            self.sendbuf_len = _RECORD  # of what is given to it, no more is taken at once

    def add_channel(self, map: dict[int, Any] | None = None) -> None:
        super().add_channel(map)
        self.server.loop.add(self._fileno)

    def del_channel(self, map: dict[int, Any] | None = None) -> None:
        self.server.loop.remove(self._fileno)
        super().del_channel(map)

    def received(self, data: bytes) -> bool:
        """A body that cannot be spooled is answered, not cut."""
        try:
            done: bool = super().received(data)
        except OSError as error:
            log.error("a body cannot be spooled: %s", error.strerror)
            return self._refuse(error)
        return done

    def _refuse(self, error: OSError) -> bool:
        full = isinstance(translate(error), Full)
        with self.requests_lock:
            request: Any = self.request
            self.request = None
            request.error = (_Full if full else _SlowDown)("The body cannot be kept here now.")
            request.expect_continue = False
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)
        return True

    def handle_read(self) -> None:
        if self.tls is not None and not self._decrypt():
            return
        super().handle_read()

    def recv(self, size: int) -> bytes:
        if self.tls is None:
            data: bytes = super().recv(size)
        else:
            data, self._record = self._record, b""
            if not data:
                self.handle_close()
        self._moved += len(data)
        return data

    def send(self, data: bytes, do_close: bool = True) -> int:
        if self.tls is None:
            sent: int = super().send(data, do_close)
        else:
            sent = self._encrypt(self.tls, data, do_close)
        self._moved += sent
        return sent

    def handle_close(self) -> None:
        if self.tls is not None:
            with self._turn, suppress(OSError, ValueError):
                self.tls.unwrap()  # says that this is the end, and does not wait for an answer
        super().handle_close()

    def look(self, now: float, patience: Patience) -> None:
        """Close it if its client keeps us waiting. `now` is of any clock."""
        phase, seconds, whole = self._phase_now(patience)
        if phase != self._phase:
            self._phase, self._pace = phase, Pace(self._moved, now)
            self._still = Pace(self._moved, now)
        elif whole:
            if now - self._pace.since >= seconds:
                self.handle_close()
        elif self._pace.late(self._moved, now, seconds):
            self.handle_close()

    def stands(self, now: float) -> float | None:
        """Since when its client has taken nothing of an answer that a thread waits to write;
        None: it has."""
        held = self.requests and self._phase == "answer"
        late = held and self._still.late(self._moved, now, STILL)
        return self._still.since if late else None

    def _phase_now(self, patience: Patience) -> tuple[object, float, bool]:
        """What is to happen next, other for each request; in how many seconds; and whether
        as a whole by then, or is to move."""
        if self.total_outbufs_len:
            return "answer", patience.answer, False
        if self.requests:
            return "work", float("inf"), True
        if self.request is None:
            return ("idle", self.last_activity), patience.idle, True
        if self.request.headers_finished:
            return ("body", id(self.request)), patience.body, False
        return ("head", id(self.request)), patience.head, True

    def send_continue(self) -> None:
        if self.request.body_rcv is None:
            self.request.expect_continue = False
        else:
            super().send_continue()

    # TLS. OpenSSL lets one thread at a time use a connection: the loop reads, and threads
    # that serve write, so each takes its `_turn`.

    def _decrypt(self) -> bool:
        """Whether there is something to be read, or an end. The first calls are the handshake."""
        assert self.tls is not None
        try:
            with self._turn:
                self._record = self.tls.recv(_RECORD)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            self.handle_close()
            return False
        return True

    def _encrypt(self, tls: ssl.SSLSocket, data: bytes, do_close: bool) -> int:
        try:
            with self._turn:
                return tls.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            if do_close:
                self.handle_close()
            return 0
