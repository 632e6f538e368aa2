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
- A worker that dies is spawned again; one that dies within seconds ends the
  server with 1. With several workers that fail in turn it takes dozens of tries
  to notice. So here a worker that cannot be loaded says why to its parent and
  waits for its end: no other is spawned, and the reason is said once.
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
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, NoReturn

from gateway.cores import claim
from gateway.modes import WSGIApp
from gateway.servers import CannotServe, Plan
from gateway.servers.ending import Ending, latest, leave_now
from gateway.servers.sockets import (
    allow_many_files,
    free,
    make_impatient_soon,
    wait_until_accepting,
)
from gateway.servers.watch import Watch

CONNECTIONS = 2048
"""For each worker, idle ones too: 8 KiB each. The next ones wait in the kernel."""

BACKLOG = 1024
_LONGEST = 4000
"""Bytes of a reason: a pipe takes that from several workers without mixing them."""

_HEADER_LIKE = ("HTTP_", "CONTENT_TYPE", "CONTENT_LENGTH", "REQUEST_URI")


class GranianServer:
    def run(self, plan: Plan, ready: Callable[[tuple[tuple[str, int], ...]], None]) -> int:
        if len(plan.listen) != 1:
            raise CannotServe("granian serves one address.")
        host, port = plan.listen[0]
        port = free(host, port)
        server = _server(plan, host, port)
        stop = threading.Event()

        def announce() -> None:
            if wait_until_accepting(host, port, stop):
                ready(((host, port),))

        server.on_startup(lambda: threading.Thread(target=announce, daemon=True).start())
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        threading.Thread(target=_tell, args=(server,), name="signals", daemon=True).start()
        failures = _Failures(server)
        load = partial(_load, plan, port, os.getpid(), failures.say)
        try:
            server.serve(target_loader=load, wrap_loader=False)
        except SystemExit as error:
            failures.complain()
            # Workers that were told by others ended before their parent asked: no failure.
            return 0 if server.interrupt_signal else int(error.code or 0)
        finally:
            stop.set()
        failures.complain()
        return 0


class _Failures:
    """Why a worker cannot be loaded: the first reason that one gives ends the server."""

    def __init__(self, server: Any) -> None:
        self._heard, self.say = Pipe(duplex=False)
        self._server, self._reason = server, ""
        threading.Thread(target=self._listen, name="failures", daemon=True).start()

    def _listen(self) -> None:
        self._reason = self._heard.recv_bytes().decode(errors="replace")
        self._server.signal_handler_interrupt()

    def complain(self) -> None:
        """Raises `CannotServe` when there is such a reason."""
        if self._reason:
            raise CannotServe(self._reason)


def _server(plan: Plan, host: str, port: int) -> Any:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    certificate, key = plan.tls or (None, None)
    return Granian(
        "gateway",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=plan.workers,
        blocking_threads=plan.threads,
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(
            header_read_timeout=round(plan.header_timeout * 1000), keep_alive=True
        ),
        respawn_failed_workers=True,
        workers_kill_timeout=round(latest(plan.drain)),
        ssl_cert=certificate,
        ssl_key=key,
        ssl_protocol_min=SSLProtocols.tls12,
        reload_paths=[Path(os.sep)],  # not used; else it asks for a current folder
        log_level=LogLevels.error,
        log_dictconfig=_LOGGING,
    )


def _tell(server: Any) -> None:
    """Hand the parent's signals on, in a thread that may wait for a lock."""
    while True:
        server.signal_handler_interrupt(signal.sigwait(_SIGNALS), None)


_SIGNALS = {signal.SIGTERM, signal.SIGINT}
"""Blocked in the parent, and so in forked workers until they take them: none is lost."""

_LOGGING = {
    "handlers": {"console": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["console"], "level": "ERROR", "propagate": False}},
}


def _load(plan: Plan, port: int, parent: int, failures: Connection) -> WSGIApp:
    """In a worker, before it listens."""
    ending = Ending()
    _be_told_once(ending, plan.drain)
    allow_many_files()
    cores = claim(plan.claims, plan.workers)  # before it has other threads
    try:
        loaded = plan.load()
    except CannotServe as error:
        _wait_for_end(parent, failures, str(error))
    except Exception as error:  # a driver's mistake: another worker would make it too
        traceback.print_exc()
        reason = f"A worker cannot start: {type(error).__name__}, see the traceback."
        _wait_for_end(parent, failures, reason)
    loaded.admission.cores = cores
    ending.loaded = loaded
    # A worker ends in multiprocessing's bootstrap, which runs no atexit functions but these.
    Finalize(None, ending.close_and_leave, exitpriority=100)
    _hide_headers()
    make_impatient_soon(plan.body_timeout)
    Watch(loaded.admission, port, plan.body_timeout).start()
    threading.Thread(target=_follow, args=(parent,), name="parent", daemon=True).start()
    return loaded.app


def _wait_for_end(parent: int, failures: Connection, reason: str) -> NoReturn:
    """Ending by itself would look like a crash, after which another worker is spawned."""
    failures.send_bytes(reason.encode(errors="replace")[:_LONGEST])
    _follow(parent)
    os._exit(1)


def _be_told_once(ending: Ending, drain: float) -> None:
    """Let one thread take this worker's signals, and hand granian the first only.

    Until granian takes them over, a forked worker has its parent's handlers.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
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
