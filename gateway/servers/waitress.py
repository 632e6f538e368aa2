"""waitress: pure Python, one process with threads. Windows, and wherever it is asked for.

What was measured (3.0), and what follows:
- It reads a body whole before the application is called, into a file when it
  is large. No thread waits for it, but it is read before the request is
  authenticated, so `max_body` counts, and is 1 GiB unless configured.
- An answer of up to `outbuf_high_watermark` is taken from the application at
  once; only longer ones hold a thread at their client's pace. Its default of
  16 MiB for each connection is much for a gateway: 1 MiB here, in memory.
- It looks at all connections whenever one is ready: `waitress_loop` does not.
- It has no way to stop gently: here the listening sockets are closed first,
  and the loop goes on until all answers are sent, or `drain` is over.
- It has no TLS: its channels have (`waitress_channel`), and the loop does the handshakes.
"""

from __future__ import annotations

import errno
import logging
import select
import signal
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from heapq import nsmallest
from types import FrameType
from typing import TYPE_CHECKING, Any

from gateway.servers import CannotServe, Change, Endpoint, Loaded, Plan, certificates_of
from gateway.servers.ending import Ending
from gateway.servers.pace import PRESSED, Patience
from gateway.servers.protocols import Listening
from gateway.servers.reloading import Reloads, Terminal
from gateway.servers.shedding import LoadShedder
from gateway.servers.sockets import allow_many_files, bound, connections
from gateway.web.admission import Admission

if TYPE_CHECKING:  # waitress is imported when it serves
    from gateway.servers.waitress_loop import Loop

log = logging.getLogger("gateway")

CONNECTIONS = 2000 if hasattr(select, "poll") else 480
"""Windows waits for 512 sockets at once, at most."""

MANY = 0.5
"""The part of those that may be from which on idle ones are closed sooner."""

IDLE_AFTER = 60.0
_BUFFER = 1 << 20


class WaitressServer(Reloads):
    """`run` takes the process's signals when called in the main thread; `stop` ends it
    from any thread, as they do."""

    def __init__(self) -> None:
        super().__init__()
        self._stopping = self._told_to_reload = False
        self._loaded: Loaded | None = None
        self._wake: Callable[[], None] = lambda: None

    def stop(self) -> None:
        self._stopping = True  # no Event: a signal handler may interrupt another
        with suppress(OSError):  # the loop was awake, and has ended by now
            self._wake()

    def run(self, plan: Plan, ready: Callable[[tuple[tuple[str, int], ...]], None]) -> int:
        _need_room_for_bodies()
        with ExitStack() as stack:
            sockets = [
                stack.enter_context(bound(one.host, one.port, plan.body_timeout))
                for one in plan.listen
            ]
            contexts = [_context(one) for one in plan.listen]
            others = [
                Listening(
                    stack.enter_context(bound(one.host, one.port, plan.body_timeout)),
                    _context(one),
                )
                for one in plan.protocols
            ]
            allow_many_files()
            loaded = self._loaded = plan.load()
            stack.callback(Ending(loaded).close)
            for one in others:
                one.socket.listen()
            loaded.listen(others)
            self._plan = plan
            with _signals(self.stop, self._hear_reload if plan.read_again else None):
                self._serve(plan, loaded, sockets, contexts, ready)
        return 0

    def _hear_reload(self) -> None:
        """In a signal handler: the loop begins it."""
        self._told_to_reload = True
        with suppress(OSError):
            self._wake()

    def _take_over(self, change: Change) -> None:
        loaded = self._loaded
        assert loaded is not None and loaded.prepare is not None
        loaded.prepare(change.message).take_over()

    def _serve(
        self,
        plan: Plan,
        loaded: Loaded,
        sockets: list[socket.socket],
        contexts: list[ssl.SSLContext | None],
        ready: Callable[[tuple[tuple[str, int], ...]], None],
    ) -> None:
        from waitress import wasyncore
        from waitress.server import create_server

        from gateway.servers.waitress_channel import Channel
        from gateway.servers.waitress_loop import Loop

        channels: dict[int, Any] = {}
        limit = connections(CONNECTIONS, plan.threads)
        server = create_server(
            loaded.app,
            map=channels,
            sockets=sockets,
            threads=plan.threads,
            max_request_body_size=plan.max_body,
            channel_timeout=1 << 30,  # `_Watch` does it
            connection_limit=limit,
            outbuf_high_watermark=_BUFFER,
            outbuf_overflow=4 * _BUFFER,
            clear_untrusted_proxy_headers=False,
            asyncore_use_poll=True,
            log_socket_errors=False,  # clients that vanish
            ident=None,
        )
        listening = [one for one in channels.values() if hasattr(one, "active_channels")]
        loop = Loop(channels)
        for one, context in zip(listening, contexts, strict=True):
            one.channel_class, one.loop, one.stopping = Channel, loop, False
            one.accept = partial(_accept, one, one.accept, context)
        self._wake = listening[0].pull_trigger
        ready(tuple((one.effective_host, int(one.effective_port)) for one in listening))
        watch = _Watch(listening, loaded.admission, plan, limit)
        while not self._stopping:
            loop.turn(1)
            watch.look()
            if self._told_to_reload:
                self._told_to_reload = False
                self._reload_soon()
        self._drain(listening, loop, plan.drain, loaded, watch)
        server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(channels)
        loop.close()

    def _drain(
        self,
        listening: list[Any],
        loop: Loop,
        seconds: float,
        loaded: Loaded,
        watch: _Watch,
    ) -> None:
        """Accept no more, and go on until no connection has anything under way. Then, or
        when the time is over, all are closed, also for threads that wait for their clients."""
        for one in listening:
            one.stopping = True
            one.accepting = False
            loop.remove(one._fileno)
            one.del_channel()
            one.socket.close()
        loaded.wake()
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(map(_busy, listening)):
            loop.turn(0.05)
            watch.look()
        for one in listening:
            for channel in list(one.active_channels.values()):
                channel.handle_close()


def _need_room_for_bodies() -> None:
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise CannotServe(
            f"waitress needs a folder for temporary files: {error.strerror}. Set TMPDIR to one."
        ) from error


def _context(endpoint: Endpoint) -> ssl.SSLContext | None:
    certificates = certificates_of(endpoint)
    return None if certificates is None else certificates.by_name()


def _wrapped(context: ssl.SSLContext, plain: socket.socket) -> ssl.SSLSocket:
    """Its handshake is to come."""
    return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)


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
        return _wrapped(context, plain), address
    except OSError as error:
        if error.errno in _EXHAUSTED:
            log.error("no connection can be accepted: %s", error.strerror)
            listening.loop.pause(listening._fileno, _PAUSE)
        raise


_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_PAUSE = 0.5
"""Seconds."""


def _busy(listening: Any) -> bool:
    """Whether a connection has a request in work, half of one, or an answer to send."""
    return any(
        one.requests or one.request is not None or one.total_outbufs_len
        for one in listening.active_channels.values()
    )


class _Watch:
    """Closes connections whose clients keep us waiting: looks once a second, when called."""

    def __init__(
        self, listening: list[Any], admission: Admission, plan: Plan, limit: int = CONNECTIONS
    ) -> None:
        self._listening, self._admission, self._many = listening, admission, limit * MANY
        self._room = LoadShedder(admission)
        self._head, self._body = plan.header_timeout, plan.body_timeout
        self._next = 0.0

    def look(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + min(1.0, self._head / 2, self._body / 2)
        open_now = [one for server in self._listening for one in server.active_channels.values()]
        patience = self._patience(len(open_now))
        for channel in open_now:
            channel.look(now, patience)
        self._make_room(now, open_now)

    def _make_room(self, now: float, open_now: list[Any]) -> None:
        """For those who were refused."""
        if makers := self._room.makers(now):
            standing = {one: one.stands(now) for one in open_now if one.addr[0] in makers}
            found = [one for one, since in standing.items() if since is not None]
            for one in nsmallest(self._room.count, found, key=standing.__getitem__):
                one.handle_close()
                self._room.cut()

    def _patience(self, connections: int) -> Patience:
        """Less when connections get short, and for answers when threads do."""
        many = connections > self._many
        most = PRESSED if many else float("inf")
        return Patience(
            head=min(most, self._head),
            body=min(most, self._body),
            answer=min(PRESSED if self._admission.pressed() else most, self._body),
            idle=min(most, IDLE_AFTER),
        )


def _ignored(number: int) -> bool:
    """As nohup does with a terminal's end."""
    return signal.getsignal(number) is signal.SIG_IGN


class _signals:  # noqa: N801 - used as a function
    """Call `stop` for the signals that end a server, and `reload` for the one that says so.
    Only the main thread gets them.

    A process that was told to end is ending: what is sent again, until it is gone, does
    nothing. (Python gives handlers back before it ends; what is ignored stays so.)
    """

    def __init__(self, stop: Callable[[], None], reload: Callable[[], None] | None) -> None:
        self._stop, self._reload, self._terminal = stop, reload, Terminal()
        self._told = False
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGTERM", "SIGINT", "SIGBREAK", "SIGHUP"):
                number = getattr(signal, name, None)
                if number and not (name == "SIGHUP" and _ignored(number)):
                    self._before.append((number, signal.signal(number, self._heard)))

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, signal.SIG_IGN if self._told else handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        hangup = number == getattr(signal, "SIGHUP", None)
        if hangup and self._reload is not None and not self._terminal.is_gone():
            self._reload()
            return
        self._told = True
        self._stop()
