"""granian: HTTP in Rust, one process per worker. Linux and macOS.

What was measured (2.8), and what follows:
- A worker calls the loader after it was spawned, so the parent opens nothing.
- On Linux each worker has a listening socket of its own on the one port, which
  two servers could share unnoticed: the port is tried before.
- It has no time-out for bodies: `watch` has. Its time-out for heads also ends
  kept-alive connections that are idle.
- SIGTERM: idle connections are closed, requests under way are finished, without
  an end. So here a worker ends itself when `drain` is over (`ending`); its
  parent kills one that is late. Of requests sent just then on kept-alive
  connections some find theirs closed, unanswered and unseen, as HTTP/1.1 has
  it; clients repeat those.
- Its parent's signal handler sets an Event, whose lock the interrupted thread
  may hold: then the parent waits for ever (4 of 6,000 tries with a signal in
  the 0.1 ms in which it begins to wait, 39 with two signals in a row). So here
  a thread takes the signals and calls the handler, and nothing is interrupted.
- Ctrl-C in a terminal reaches the workers too, and so does a SIGTERM to all
  processes of a service; another follows from the parent. A worker that hears
  two sometimes forgets both, and runs until it is killed (7 of 14 tries). So
  here each hears one, of its parent or of others, and no SIGINT.
- A worker that cannot be loaded is spawned again and again. So here it says why
  to its parent and waits for its end, and workers that die are brought back by a
  loop of ours (`granian_parent`).
- It puts the process's environment into every request, where a variable such
  as HTTP_X_AMZ_ACL would look like a header.
- `backpressure` counts connections, idle ones too, so it is far above `threads`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gateway.common.cpu_affinity import claim
from gateway.common.leaving import leave_now
from gateway.servers import CannotServe, Change, Plan, Prepared, certificates_of, http2
from gateway.servers.ending import Ending, latest
from gateway.servers.reloading import Reloads, Terminal
from gateway.servers.rounds import take_orders
from gateway.servers.socket_folders import LONGEST, socket_folder
from gateway.servers.sockets import (
    allow_many_files,
    connections,
    free,
    wait_until_accepting,
)
from gateway.servers.watch import StallWatch

if TYPE_CHECKING:  # granian is imported when it serves
    from gateway.servers.granian_inside import Run
    from gateway.servers.granian_parent import Kind, Parent

CONNECTIONS = 2048
"""For each worker, idle ones too: 8 KiB each. The next ones wait in the kernel. Without a
descriptor left granian tries each half second, and says so each time."""

_HEADER_LIKE = ("HTTP_", "CONTENT_TYPE", "CONTENT_LENGTH", "REQUEST_URI")


class GranianServer(Reloads):
    def run(self, plan: Plan, ready: Callable[[tuple[tuple[str, int], ...]], None]) -> int:
        addresses = _addresses(plan)
        asked = addresses[: len(plan.listen)]
        server = self._parent = _server(plan, addresses)
        self._plan, stop = plan, threading.Event()

        def announce() -> None:
            if all(wait_until_accepting(*one, stop) for one in asked):
                ready(asked)

        server.on_startup(lambda: threading.Thread(target=announce, daemon=True).start())
        self._take_signals(server)
        with _folder(plan) as folder:
            self._load = partial(
                _load,
                ports=frozenset(port for _, port in asked),
                folder=folder,
                parent=os.getpid(),
                notes=server.notes,
            )
            load = partial(self._load, replace(plan, read_again=None))  # it is the parent's
            try:
                code = server.run(load)
            finally:
                stop.set()
        if server.reason:
            raise CannotServe(server.reason)
        # Workers that were told by others ended before their parent asked: no failure.
        return 0 if server.told_to_end else code

    def stop(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def _take_over(self, change: Change) -> None:
        assert self._plan is not None
        plan = replace(self._plan, load=change.load, read_again=None)
        self._parent.hand_round(change.message, partial(self._load, plan))

    def _take_signals(self, server: Parent) -> None:
        """Hand the parent's on, in a thread that may wait for a lock."""
        wanted, terminal = _signals(), Terminal()
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup; granian would overrule it
            wanted.remove(signal.SIGHUP)
        reloads = self._plan is not None and self._plan.read_again is not None

        def tell() -> None:
            while True:
                number = signal.sigwait(_signals())
                if number not in wanted:
                    continue
                if number == signal.SIGHUP and reloads and not terminal.is_gone():
                    self._reload_soon()
                else:
                    server.tell_to_end(number)

        signal.pthread_sigmask(signal.SIG_BLOCK, _signals())
        threading.Thread(target=tell, name="signals", daemon=True).start()


def _addresses(plan: Plan) -> tuple[tuple[str, int], ...]:
    """All of them free, with ports for those that leave it open."""
    found: list[tuple[str, int]] = []
    for one in (*plan.listen, *plan.protocols):
        port = free(one.host, one.port, plan.addresses)
        while not one.port and port in {other for _, other in found}:
            port = free(one.host, 0)
        found.append((one.host, port))
    return tuple(found)


@contextmanager
def _folder(plan: Plan) -> Iterator[Path | None]:
    """For sockets within this machine, which only this user can reach; None: none is needed,
    whatever certificates are added."""
    if not any(one.tls for one in plan.listen):
        yield None
        return
    try:
        made = socket_folder()
    except OSError as error:
        raise CannotServe(
            f"TLS needs a folder for temporary files: {error.strerror}. Set TMPDIR to one, whose"
            f" path has {LONGEST} bytes at most."
        ) from error
    with made as folder:
        yield Path(folder)


def _server(plan: Plan, addresses: Sequence[tuple[str, int]]) -> Parent:
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings, HTTP2Settings
    from granian.log import LogLevels

    from gateway.servers.granian_parent import Parent

    return Parent(
        addresses,
        interface=Interfaces.WSGI,
        http=HTTPModes.auto if plan.http2 else HTTPModes.http1,
        websockets=False,
        workers=plan.workers,
        blocking_threads=plan.threads,
        backpressure=connections(CONNECTIONS, plan.threads) // len(plan.listen),
        http1_settings=HTTP1Settings(
            header_read_timeout=round(plan.header_timeout * 1000), keep_alive=True
        ),
        http2_settings=HTTP2Settings(
            initial_connection_window_size=http2.WINDOW,
            initial_stream_window_size=http2.WINDOW,
            max_concurrent_streams=http2.STREAMS,
            max_headers_size=http2.HEADERS,
        ),
        workers_kill_timeout=round(latest(plan.drain)),
        ssl_protocol_min=SSLProtocols.tls12,  # of every server of a worker
        reload_paths=[Path(os.sep)],  # not used; else it asks for a current folder
        log_level=LogLevels.error,
        log_dictconfig=_LOGGING,
    )


def _signals() -> set[signal.Signals]:
    """Those that end a server, a terminal's end among them. Blocked in the parent, and so
    in forked workers until they take them: none is lost."""
    return {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


_LOGGING = {"loggers": {"_granian": {"handlers": [], "level": "ERROR", "propagate": True}}}
"""To where all other logs go, in their form."""


def _load(
    plan: Plan,
    *,
    ports: Collection[int],
    folder: Path | None,
    parent: int,
    notes: Connection,
    kind: Kind,
    orders: Connection,
) -> Run:
    """In a worker, before it listens."""
    from gateway.servers.granian_inside import at_the_end
    from gateway.servers.granian_parent import say
    from gateway.servers.granian_worker import Served, serve

    def refuse(reason: str) -> NoReturn:
        say(notes, kind, reason)
        _wait_for_end(parent)

    ending = Ending()
    _be_told_once(ending, plan.drain)
    allow_many_files()
    cores = claim(plan.claims, plan.workers)  # before it has other threads
    try:
        certificates = [certificates_of(one) for one in (*plan.listen, *plan.protocols)]
        loaded = plan.load()
    except CannotServe as error:
        refuse(str(error))
    except Exception as error:  # a driver's mistake: another worker would make it too
        traceback.print_exc()
        refuse(f"A worker cannot start: {type(error).__name__}, see the traceback.")
    loaded.admission.cores = cores
    ending.loaded = loaded
    at_the_end(ending.close_and_leave)
    _hide_headers()
    StallWatch(loaded.admission, ports, plan.body_timeout).start()
    threading.Thread(target=_follow, args=(parent,), name="parent", daemon=True).start()
    if loaded.prepare is not None:
        arguments = (loaded.prepare, orders, notes)
        threading.Thread(target=_take_orders, args=arguments, name="orders", daemon=True).start()
    begun = partial(say, notes, kind)
    return partial(serve, Served(loaded, plan, certificates, folder, begun, refuse))


def _take_orders(
    prepare: Callable[[object], Prepared], orders: Connection, notes: Connection
) -> None:
    """Those of a `Round`. Ends this process when nobody gives them any more, or when nobody
    knows what it serves."""
    from gateway.servers.granian_parent import say

    def answer(number: int, reason: str) -> None:
        say(notes, "done", reason, order=number)

    take_orders(orders, prepare, answer)
    os.kill(os.getpid(), signal.SIGTERM)


def _wait_for_end(parent: int) -> NoReturn:
    """Ending by itself would look like a crash."""
    _follow(parent)
    os._exit(1)


def _be_told_once(ending: Ending, drain: float) -> None:
    """Let one thread take this worker's signals, and hand granian the first only.

    Until granian takes them over, a forked worker has its parent's handlers.
    """
    for number in _signals():
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _signals())
    arguments = (ending, drain)
    threading.Thread(target=_obey, args=arguments, name="signals", daemon=True).start()


def _obey(ending: Ending, drain: float) -> None:
    signal.sigwait({signal.SIGTERM})
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):  # not granian's yet: nothing was accepted
        os._exit(0)
    handler(signal.SIGTERM, None)
    ending.wake()  # after it: who is answered now does not come again
    time.sleep(drain)
    ending.close()
    leave_now(0)


def _hide_headers() -> None:
    """Keep the environment from looking like headers. Proxies have a lower-case name too."""
    for name in [name for name in os.environ if name.startswith(_HEADER_LIKE)]:
        value = os.environ.pop(name)
        if name == "HTTP_PROXY":
            os.environ.setdefault("http_proxy", value)


def _follow(parent: int) -> None:
    """End with the parent, also when that was killed: else the port stays taken."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
