"""waitress: pure Python, one process with threads. Windows, and wherever it is asked for.

What was measured (3.0), and what follows:
- It reads a body whole before the application is called, into a file when it
  is large. No thread waits for it, but it is read before the request is
  authenticated, so `max_body` counts, and is 1 GiB unless configured.
- Its channels take up to 16 MiB of an answer from the application for each connection, and
  pass each request from one thread to another and back: `connection`, `event_loop` and `crew`
  are in their place. There 1 MiB at most waits in memory for its client (`sending`); what is
  longer holds a thread at its client's pace.
- It has no way to stop gently: here the listening sockets are closed first,
  and the loop goes on until all answers are sent, or `drain` is over.

What is used of it, and what is mended in that, is in `waitress_inside`.
"""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from heapq import nsmallest
from types import FrameType
from typing import TYPE_CHECKING, Any

from gateway.common.system import WAITED_FOR
from gateway.servers import CannotServe, Change, Loaded, Plan, certificates_of, console
from gateway.servers.added_certificates import ListenerCertificates
from gateway.servers.certificates import FileCertificates
from gateway.servers.ending import Ending
from gateway.servers.pace import PRESSED, Patience
from gateway.servers.protocols import Listening
from gateway.servers.reloading import Reloads, Terminal
from gateway.servers.shedding import LoadShedder
from gateway.servers.sockets import allow_many_files, bound, connections
from gateway.web.admission import Admission

if TYPE_CHECKING:  # waitress is imported when it serves
    from gateway.servers.channel_server import ChannelServer
    from gateway.servers.connection import Connection

log = logging.getLogger("gateway")

CONNECTIONS = min(2000, WAITED_FOR)

MANY = 0.5
"""The part of those that may be from which on idle ones are closed sooner."""

IDLE_AFTER = 60.0


class WaitressServer(Reloads):
    """`run` takes the process's signals when called in the main thread; `stop` ends it
    from any thread, as they do."""

    def __init__(self) -> None:
        super().__init__()
        self._stopping = self._told_to_reload = False
        self._within = float("inf")
        self._loaded: Loaded | None = None
        self._wake: Callable[[], None] = lambda: None

    def stop(self, within: float | None = None) -> None:
        """`within`: seconds for what is under way, if those are fewer than `drain`."""
        if within is not None:
            self._within = within
        self._stopping = True  # no Event: a signal handler may interrupt another
        with suppress(OSError):  # the loop was awake, and has ended by now
            self._wake()

    def patience(self, drain: float) -> float:
        """Seconds for what is under way when it stops."""
        return min(drain, self._within)

    def run(self, plan: Plan, ready: Callable[[tuple[tuple[str, int], ...]], None]) -> int:
        _need_room_for_bodies()
        with ExitStack() as stack:
            sockets = [
                stack.enter_context(bound(*one.address, plan.body_timeout, beside=plan.addresses))
                for one in plan.listen
            ]
            others = [
                stack.enter_context(bound(*one.address, plan.body_timeout, beside=plan.addresses))
                for one in plan.protocols
            ]
            files = [certificates_of(one) for one in (*plan.listen, *plan.protocols)]
            allow_many_files()
            loaded = self._loaded = plan.load()
            stack.callback(Ending(loaded).close)
            contexts = [_context(one, loaded) for one in files]
            for other in others:
                other.listen()
            loaded.listen(list(map(Listening, others, contexts[len(sockets) :])))
            self._plan = plan
            with self._hearing(self._hear_reload if plan.read_again else None):
                self._serve(plan, loaded, sockets, contexts[: len(sockets)], ready)
        return 0

    @contextmanager
    def _hearing(self, reload: Callable[[], None] | None) -> Iterator[None]:
        """By signals, and by a console: both are the main thread's."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with _signals(self.stop, reload), console.heard(self.stop):
            yield

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
        from gateway.servers.channel_server import ChannelServer

        limit = connections(CONNECTIONS, plan.threads)
        server = ChannelServer(
            loaded.app,
            sockets,
            contexts,
            threads=plan.threads,
            max_body=plan.max_body,
            limit=limit,
        )
        self._wake = server.wake
        ready(server.addresses())
        watch = _Watch(server, loaded.admission, plan, limit)
        while not self._stopping:
            server.turn(1)
            watch.look()
            if self._told_to_reload:
                self._told_to_reload = False
                self._reload_soon()
        _drain(server, self.patience(plan.drain), loaded, watch)
        server.close()


def _drain(server: ChannelServer, seconds: float, loaded: Loaded, watch: _Watch) -> None:
    """Accept no more, and go on until no connection has anything under way, or the time is
    over."""
    server.take_no_more()
    loaded.wake()
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(one.is_busy() for one in server.connections()):
        server.turn(0.05)
        watch.look()


def _need_room_for_bodies() -> None:
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise CannotServe(
            f"waitress needs a folder for temporary files: {error.strerror}. Set TMPDIR to one."
        ) from error


def _context(files: FileCertificates | None, loaded: Loaded) -> ssl.SSLContext | None:
    return None if files is None else ListenerCertificates(files, loaded.certificates).by_name()


class _Watch:
    """Closes connections whose clients keep us waiting: looks once a second, when called."""

    def __init__(self, server: ChannelServer, admission: Admission, plan: Plan, limit: int) -> None:
        self._server, self._admission, self._many = server, admission, limit * MANY
        self._room = LoadShedder(admission)
        self._head, self._body = plan.header_timeout, plan.body_timeout
        self._next = 0.0

    def look(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + min(1.0, self._head / 2, self._body / 2)
        open_now = self._server.connections()
        patience = self._patience(len(open_now))
        for channel in open_now:
            if channel.late(now, patience):
                channel.cut()
        self._make_room(now, open_now)

    def _make_room(self, now: float, open_now: list[Connection]) -> None:
        """For those who were refused."""
        if makers := self._room.makers(now):
            named = [one for one in open_now if one.peer in makers]
            standing = {one: since for one in named if (since := one.stands(now)) is not None}
            for one in nsmallest(self._room.count, standing, key=standing.__getitem__):
                one.cut()
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
    Only the main thread may have them.

    A process that was told to end is ending: what is sent again, until it is gone, does
    nothing. (Python gives handlers back before it ends; what is ignored stays so.)
    """

    def __init__(self, stop: Callable[[], None], reload: Callable[[], None] | None) -> None:
        self._stop, self._reload, self._terminal = stop, reload, Terminal()
        self._told = False
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> None:
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
