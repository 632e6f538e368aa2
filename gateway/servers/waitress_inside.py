"""All that the gateway uses of waitress's inside (3.0): what it does not document, and may move.

Its parser reads requests and its tasks answer them. Its channels, its loop and its threads are
not used: they pass each request from one thread to another and back (`crew`, `connection` and
`event_loop` are in their place). Parser and tasks have here what they lack for S3 clients:

- A number or an address in a head that Python cannot read ends a connection without
  an answer, and with an error in the log.
- It capitalises header names; boto3 makes the names of metadata from them. It closes the
  connection behind each answer without a body (204, 304).
- It takes all but one of the slashes away with which a path begins.
- It drops headers whose names have `_`, and joins those that come twice by `, `,
  where a signature has `,` ("Authenticating Requests", canonical headers).
- Its buffer for bodies copies them several times (`spool`).
- A head and the body behind it are sent one by one; here what is small leaves together.
- An answer with a rate is left when some of it waits to be sent, and taken up again later.

`tests/libraries/test_waitress.py` says first when something of this moves.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError, get_header_lines
from waitress.receiver import ChunkedReceiver, FixedStreamReceiver
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error, InternalServerError, build_http_date

from gateway.modes import WSGIApp
from gateway.servers.sending import NotSent
from gateway.servers.spool import Spool
from gateway.servers.stretches import SENDS_FILES
from gateway.storage import Stretch
from gateway.web.admission import SMALL_BODY
from gateway.web.exchange import Left
from gateway.web.rates import Rate
from gateway.web.request_head import UNDERSCORE, restore, variable

log = logging.getLogger("gateway")

_date = lru_cache(maxsize=2)(build_http_date)

_LONG = 1 << 18
"""Bytes of an answer that are to come: its thread may wait for its client."""

ENOUGH = 1 << 16
"""Bytes of an answer with a rate that wait to be sent: then its thread does something else."""


@dataclass(slots=True, eq=False)
class Site:
    """A listening socket, as parsers and tasks know their server."""

    application: WSGIApp
    adj: Adjustments
    effective_port: int
    server_name: str = "waitress.invalid"
    """waitress's own: for requests without a host."""
    stopping: bool = False
    """Connections are closed with their next answer."""


def adjustments(max_body: int) -> Adjustments:
    return Adjustments(max_request_body_size=max_body, log_socket_errors=False, ident=None)


class Channel(Protocol):
    """A connection, as tasks know it (see `sending`)."""

    addr: tuple[str, int]
    server: Site
    adj: Adjustments

    @property
    def tls_version(self) -> str | None: ...
    def keep_to(self, rate: Rate | None) -> None: ...
    def write_soon(self, data: bytes) -> int: ...
    def push(self, *, waits: bool) -> None: ...
    @property
    def waiting(self) -> int: ...
    def send_stretch(self, stretch: Stretch, *, last: bool) -> None: ...
    def check_client_disconnected(self) -> bool: ...


class _Leave(BaseException):
    """Through waitress, which takes an `Exception` for a failure: an answer is left."""


class SlowDown(Error):  # type: ignore[misc]  # waitress has no types
    code, reason = 503, "Slow Down"


class NoSpace(Error):  # type: ignore[misc]  # waitress has no types
    code, reason = 507, "Insufficient Storage"


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError:  # a length of 5,000 digits, or a target such as http://[
            raise ParsingError("The request's head cannot be understood.") from None
        body_rcv = self.body_rcv  # type: ignore[has-type]  # waitress has no types
        if isinstance(body_rcv, FixedStreamReceiver):
            self.body_rcv = FixedStreamReceiver(self.content_length, Spool(self.content_length))
        elif isinstance(body_rcv, ChunkedReceiver):
            self.body_rcv = ChunkedReceiver(Spool())
        # Each line but the first and the empty one is a header of its own, as a rule.
        if header_plus.count(b"\r\n") - 2 != len(self.headers):
            self._read_again(header_plus.partition(b"\r\n")[2])

    def fail(self, error: Error) -> None:
        """It is answered so, whatever is missing of it."""
        self.error, self.expect_continue, self.completed = error, False, True

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


class _Answers:
    """Of a task: what it writes leaves at once, its head with the first bytes; names of headers
    stay as they are; and a connection stays open behind an answer without a body."""

    channel: Channel
    request: Any
    version: str
    status: str
    has_body: bool
    response_headers: list[tuple[str, str]]
    content_length: int | None
    content_bytes_written: int
    close_on_finish: bool
    chunked_response: bool
    set_close_on_finish: Callable[[], None]

    def build_response_header(self) -> bytes:
        headers = self.response_headers
        given = {name.lower() for name, _ in headers}
        if not self.has_body:
            headers[:] = [one for one in headers if one[0].lower() != "content-length"]
        elif "content-length" not in given:
            if self.content_length is not None:
                headers.append(("Content-Length", str(self.content_length)))
            elif self.version == "1.1" and self.request.command != "HEAD":
                headers.append(("Transfer-Encoding", "chunked"))
                self.chunked_response = True
            else:  # its end is that of the connection
                self.set_close_on_finish()
        if "date" not in given:
            headers.append(("Date", _date(int(time.time()))))
        asked = self.request.headers.get("CONNECTION", "").lower()
        if self.version == "1.0" and asked == "keep-alive" and not self.close_on_finish:
            headers.append(("Connection", "Keep-Alive"))
        elif self.version == "1.0" or asked == "close":
            self.set_close_on_finish()
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        return f"HTTP/{self.version} {self.status}\r\n{lines}\r\n".encode("latin-1")

    def write(self, data: bytes) -> None:
        super().write(data)  # type: ignore[misc]  # a task's
        length = self.content_length
        more = length is None or length - self.content_bytes_written > _LONG
        self.channel.push(waits=more and bool(data))


class _ErrorTask(_Answers, ErrorTask):  # type: ignore[misc]  # waitress has no types
    pass


class _Task(_Answers, WSGITask):  # type: ignore[misc]  # waitress has no types
    _leaves: Left | None = None
    """The body of an answer with a rate."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        restore(environ)
        if (version := self.channel.tls_version) is not None:
            environ["wsgi.url_scheme"] = "https"
            environ["gateway.tls_version"] = version
        elif SENDS_FILES:
            environ["gateway.takes_stretches"] = True
        return environ

    def build_response_header(self) -> bytes:
        if self.channel.server.stopping:  # or its client keeps the server from ending
            self.set_close_on_finish()
        record = self.environ.get("gateway.record")
        rate = None if record is None else record.rate
        self.channel.keep_to(rate)
        if rate is not None and record.sending is not None:
            self._leaves = record.sending
        return super().build_response_header()

    def write(self, data: bytes | Stretch) -> None:
        if isinstance(data, Stretch):
            self._send_stretch(data)
            return
        super().write(data)
        if self._leaves is not None and self.channel.waiting >= ENOUGH:
            self._leaves.left = True
            raise _Leave

    def _send_stretch(self, stretch: Stretch) -> None:
        self.content_bytes_written += len(stretch)
        last = self.content_bytes_written == self.content_length
        missing, short = len(stretch), False
        try:
            if not self.wrote_header:
                WSGITask.write(self, b"")
            self.channel.send_stretch(stretch, last=last)
        except OSError as error:
            if isinstance(error, NotSent):
                missing, short = error.missing, error.short
            self.environ["gateway.record"].sending.cut(missing, short=short)
            raise

    @property
    def was_left(self) -> bool:
        return self._leaves is not None and self._leaves.left

    def go_on(self) -> None:
        """In the place of `service`, after it was left."""
        body = self._leaves
        assert body is not None
        body.left = False
        try:
            for piece in body:
                self.write(piece)
            if self.content_length not in (None, self.content_bytes_written):
                self.close_on_finish = True
            self.finish()
        except OSError:
            self.close_on_finish = True
        finally:
            body.close()

    def give_up(self) -> None:
        """It was left, and will not be taken up again."""
        assert self._leaves is not None
        self._leaves.left = False
        self._leaves.close()


class Work:
    """A request that is answered, in one go or in several."""

    __slots__ = ("_request", "_task", "quick")

    def __init__(self, channel: Channel, request: Parser) -> None:
        self._request = request
        self._task = (_ErrorTask if request.error else _Task)(channel, request)
        body = request.body_rcv
        self.quick = body is None or len(body) <= SMALL_BODY
        """Whether nothing is waited for, or who waits says so."""

    @property
    def was_left(self) -> bool:
        return isinstance(self._task, _Task) and self._task.was_left

    @property
    def closes(self) -> bool:
        """Whether its connection is to be closed with its answer."""
        return bool(self._task.close_on_finish)

    def go(self) -> None:
        """Answer it, or go on with that, until all is on its way or it `was_left`."""
        task = self._task
        try:
            if self.was_left:
                task.go_on()
            else:
                task.service()
        except _Leave:
            pass
        except Exception:
            log.exception("serving %s failed", self._request.path)
            if task.wrote_header:
                task.close_on_finish = True
            else:
                self._fail()

    def _fail(self) -> None:
        channel = self._task.channel
        self._request.error = InternalServerError("The server has failed.")
        self._task = _ErrorTask(channel, self._request)
        self._task.service()

    def end(self) -> None:
        """It is over, whatever is missing."""
        if self.was_left:
            self._task.give_up()
        self._request.close()
