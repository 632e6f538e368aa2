"""All that the gateway uses of waitress's inside (3.0): what it does not document, and may move.

Its connections are channels, which read requests with a parser and answer them with tasks.
They have here what they lack for S3 clients, and for slow ones:

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
  takes nothing of a long answer keeps a thread. Here each says whether it is `late`.
- It copies what it sends, several times (`outgoing`).
- A thread writes an answer as its client takes it. One that is to be sent at a rate is left
  when some of it waits to be sent, and taken up again by any thread when that is gone: the loop
  waits for its bytes (`_Task`, `Channel.leave`).
- It knows no TLS. A channel whose socket is Python's `ssl`'s reads and writes through that.

Its listening sockets and channels are in one map by descriptor, over which its loop goes. It
asks each at each turn whether it wants to read or to write: ours does not (`event_loop`). It
has no way to stop gently either: here the listening sockets can be closed before the channels.

`tests/libraries/test_waitress.py` says first when something of this moves.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError, get_header_lines
from waitress.server import create_server
from waitress.task import WSGITask
from waitress.utilities import Error

from gateway.common import addresses
from gateway.common.system import EXHAUSTED, translate
from gateway.modes import WSGIApp
from gateway.servers.event_loop import READ, WRITE, EventLoop
from gateway.servers.outgoing import Outgoing
from gateway.servers.pace import Patience, Phase, Progress
from gateway.servers.shedding import STILL
from gateway.servers.tls_socket import RECORD, TLSSocket, wrapped
from gateway.storage import Full
from gateway.web.exchange import Left
from gateway.web.rates import Bucket, Rate
from gateway.web.request_head import UNDERSCORE, restore, variable

log = logging.getLogger("gateway")

_BUFFER = 1 << 20
"""Bytes of an answer that are taken from the application before its client has."""

_PAUSE = 0.5
"""Seconds."""

_AMZ_NAMES = re.compile(rb"^X-Amz-[^:\r\n]+", re.MULTILINE)


_ENOUGH = 1 << 16
"""Bytes of an answer with a rate that wait to be sent: then its thread does something else."""


class _Left(BaseException):
    """Through waitress, which takes an `Exception` for a failure: an answer is left."""

    def __init__(self, task: _Task, body: Left) -> None:
        super().__init__()
        self.task, self.body = task, body


class _Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        restore(environ)
        if self.channel.tls is not None:
            environ["wsgi.url_scheme"] = "https"
            environ["gateway.tls_version"] = self.channel.tls.version
        return environ

    def build_response_header(self) -> bytes:
        if self.channel.server.stopping:  # or its client keeps the server from ending
            self.set_close_on_finish()
        record = self.environ.get("gateway.record")
        rate = None if record is None else record.rate
        if rate is not None or self.channel.bucket is not None:
            self.channel.keep_to(rate)
            if rate is not None and record.sending is not None:
                self.write = partial(self._write_some, record.sending)
        head: bytes = super().build_response_header()
        return _AMZ_NAMES.sub(lambda name: name[0].lower(), head)

    def _write_some(self, body: Left, data: bytes) -> None:
        super().write(data)
        if self.channel.total_outbufs_len >= _ENOUGH:
            body.left = True
            raise _Left(self, body)

    def go_on(self, body: Left) -> None:
        """In the place of `service`."""
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
    parser_class = Parser
    task_class: Callable[..., _Task] = _Task

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.outbufs = [Outgoing()]
        self._moved, self._progress = 0, Progress()
        self.request: Any
        self.tls: TLSSocket | None = None
        self._record = b""
        self.bucket: Bucket | None = None
        self.left: _Left | None = None
        self._again: _Left | None = None
        self._owed = 0
        """Bytes that TLS has seen and not taken: it wants to see as many."""
        if isinstance(self.socket, ssl.SSLSocket):
            self.tls = TLSSocket(self.socket)
            self.sendbuf_len = RECORD  # of what is given to it, no more is taken at once

    # what is to be known of it

    @property
    def peer(self) -> str:
        return addresses.settled(str(self.addr[0]))

    def is_busy(self) -> bool:
        """Whether it has a request in work, half of one, or an answer to send."""
        return bool(self.requests or self.request is not None or self.total_outbufs_len)

    def late(self, now: float, patience: Patience) -> bool:
        """Whether its client has kept us waiting for too long. To be asked about once a second;
        `now` is of any clock."""
        return self._progress.late(self._phase(), self._moved, now, patience)

    def stands(self, now: float) -> float | None:
        """Since when its client has taken nothing of an answer that a thread waits to write;
        None: it has."""
        return self._progress.stands(self._moved, now, STILL) if self.requests else None

    def cut(self) -> None:
        """In the thread of the loop."""
        self.handle_close()

    def _phase(self) -> Phase:
        if self.total_outbufs_len:
            return Phase("answer")
        if self.requests:
            return Phase("work")
        if self.tls is not None and self.tls.shakes_hands():
            return Phase("head")
        if self.request is None:
            return Phase("idle", self.last_activity)
        return Phase("body" if self.request.headers_finished else "head", id(self.request))

    # answers with a rate

    def keep_to(self, rate: Rate | None) -> None:
        """From here on. What waits to be sent of the answer before it goes at its rate."""
        if rate is not None or not self.total_outbufs_len:
            self.bucket = None if rate is None else Bucket(rate)

    def pause(self) -> float:
        """Seconds for which nothing is to be sent."""
        bucket = self.bucket
        return 0.0 if bucket is None else bucket.wait(self.total_outbufs_len)

    def go_on(self) -> None:
        """Have an answer that was left taken up again, when hardly any of it waits to be sent, or
        when nobody wants it any more. Any thread may call it."""
        with self.requests_lock:
            if self.left is None or (self.connected and self.total_outbufs_len >= _ENOUGH):
                return
            self._again, self.left = self.left, None
        self.server.add_task(self)

    def service(self) -> None:
        again, self._again = self._again, None
        if again is not None:
            again.task.service = partial(again.task.go_on, again.body)
            self.task_class = partial(self._known, again.task)
            if not self.connected:  # then waitress does not call it
                _close(again.body)
        left: _Left | None = None
        try:
            super().service()
        except _Left as found:
            left = found.with_traceback(None)
        if left is not None:  # last: from here on another thread may be in here
            self.left = left
            self.go_on()  # the loop may have sent all of it by now
            self.server.pull_trigger()

    def _known(self, task: _Task, *_: object) -> _Task:
        """Once, in the place of a new one: when a task has ended, another thread may be here with
        the next request before this one has left."""
        self.task_class = _Task
        return task

    def cancel(self) -> None:
        super().cancel()
        for one in (self.left, self._again):
            if one is not None:
                _close(one.body)

    # what waitress calls

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

    def write_soon(self, data: bytes) -> int:
        self.current_outbuf_count = 0  # so many begin another buffer, of waitress's
        written: int = super().write_soon(data)
        return written

    def send_continue(self) -> None:
        if self.request.body_rcv is None:
            self.request.expect_continue = False
        else:
            super().send_continue()

    def handle_read(self) -> None:
        if self.tls is None or self._decrypt(self.tls):
            super().handle_read()

    def _decrypt(self, tls: TLSSocket) -> bool:
        """Whether there is something to be read, or an end."""
        try:
            record = tls.receive()
        except OSError:
            self.handle_close()
            return False
        self._record = record or b""
        return record is not None

    def recv(self, size: int) -> bytes:
        if self.tls is None:
            data: bytes = super().recv(size)
        else:
            data, self._record = self._record, b""
            if not data:
                self.handle_close()
        self._moved += len(data)
        return data

    def send(self, data: memoryview, do_close: bool = True) -> int:
        sent = self._send(data, do_close) if self.bucket is None else self._pace(data, do_close)
        self._moved += sent
        return sent

    def _send(self, data: memoryview, do_close: bool) -> int:
        if self.tls is None:
            sent: int = super().send(data, do_close)
            return sent
        return self._encrypt(self.tls, data, do_close)

    def _pace(self, data: memoryview, do_close: bool) -> int:
        bucket = self.bucket
        assert bucket is not None
        # a thread flushes without asking the loop: of what has come meanwhile it would send crumbs
        size = self._owed or (0 if self.pause() else bucket.take(len(data)))
        sent = self._send(data[:size], do_close) if size else 0
        self._owed = size if self.tls is not None and not sent else 0
        bucket.give_back(size - sent - self._owed)
        return sent

    def _encrypt(self, tls: TLSSocket, data: memoryview, do_close: bool) -> int:
        try:
            return tls.send(data)
        except OSError:
            if do_close:
                self.handle_close()
            return 0

    def handle_close(self) -> None:
        if self.tls is not None:
            self.tls.say_end()
        super().handle_close()
        if self.left is not None:
            self.go_on()


def _close(body: Left) -> None:
    body.left = False
    body.close()


class ChannelLoop(EventLoop[Any]):
    """waitress's loop, in its place."""

    def wanted(self, channel: Any) -> int:
        reads = READ if channel.readable() else 0
        if not channel.writable() or channel.accepting:
            return reads
        if channel.bucket is not None and (seconds := channel.pause()):
            self.pause(channel._fileno, seconds, WRITE)
        return reads | WRITE

    def rests(self, channel: Any) -> bool:
        return isinstance(channel, Channel) and not channel.requests

    def read(self, channel: Any) -> None:
        wasyncore.read(channel)

    def write(self, channel: Any) -> None:
        wasyncore.write(channel)
        if channel.left is not None:
            channel.go_on()


class ChannelServer:
    """waitress, which takes up to `limit` connections at all `sockets`: with TLS where there is
    a context for one. All methods but `wake` are for the thread of the loop."""

    def __init__(
        self,
        app: WSGIApp,
        sockets: Sequence[socket.socket],
        contexts: Sequence[ssl.SSLContext | None],
        *,
        threads: int,
        max_body: int,
        limit: int,
    ) -> None:
        self._channels: dict[int, Any] = {}
        self._server = create_server(
            app,
            map=self._channels,
            sockets=sockets,
            threads=threads,
            max_request_body_size=max_body,
            channel_timeout=1 << 30,  # channels say when they are `late`
            connection_limit=limit,
            outbuf_high_watermark=_BUFFER,
            clear_untrusted_proxy_headers=False,
            asyncore_use_poll=True,
            log_socket_errors=False,  # clients that vanish
            ident=None,
        )
        self._loop = ChannelLoop(self._channels)
        found = [one for one in self._channels.values() if hasattr(one, "active_channels")]
        for one, context in zip(found, contexts, strict=True):
            one.channel_class, one.loop, one.stopping = Channel, self._loop, False
            one.accept = partial(_accept, one, one.accept, context)
        self._listening = found

    def addresses(self) -> tuple[tuple[str, int], ...]:
        return tuple((one.effective_host, int(one.effective_port)) for one in self._listening)

    def turn(self, seconds: float) -> None:
        """Wait so long at most for something to do, and do all that there is."""
        self._loop.turn(seconds)

    def wake(self) -> None:
        """End that wait; in any thread, and in a signal's handler. Raises `OSError` once it is
        closed."""
        self._listening[0].pull_trigger()

    def connections(self) -> list[Channel]:
        return [one for server in self._listening for one in server.active_channels.values()]

    def take_no_more(self) -> None:
        """Close the listening sockets, and each connection with its next answer."""
        for one in self._listening:
            one.stopping = True
            one.accepting = False
            self._loop.remove(one._fileno)
            one.del_channel()
            one.socket.close()

    def close(self) -> None:
        """All connections too, also for threads that wait for their clients."""
        for one in self.connections():
            one.cut()
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._channels)
        self._loop.close()


def _accept(
    listening: Any, accept: Callable[[], Any], context: ssl.SSLContext | None = None
) -> tuple[socket.socket, Any] | None:
    """A connection, or None. When none can be had now, the loop is not to ask at each turn."""
    try:
        accepted: tuple[socket.socket, Any] | None = accept()
        if accepted is None or context is None:
            return accepted
        plain, address = accepted
        plain.setblocking(False)
        return wrapped(context, plain), address
    except OSError as error:
        if error.errno in EXHAUSTED:
            log.error("no connection can be accepted: %s", error.strerror)
            listening.loop.pause(listening._fileno, _PAUSE)
        raise
