"""granian: HTTP in Rust, one process per worker. Linux and macOS.

What was measured (2.8), and what follows:
- A worker calls the loader after it was spawned, so the parent opens nothing.
- On Linux each worker has a listening socket of its own on the one port, which
  two servers could share unnoticed: the port is tried before.
- SIGTERM: idle connections are closed, requests under way are finished, up to
  `drain`; then the worker is killed. Of requests sent just then on kept-alive
  connections some find theirs closed, unanswered and unseen, as HTTP/1.1 has
  it; clients repeat those.
- Ctrl-C in a terminal reaches the workers too, and so does a SIGTERM to all
  processes of a service; another follows from the parent. A worker that hears
  two sometimes forgets both, and runs until it is killed (7 of 14 tries). So
  here each hears one, of its parent or of others, and no SIGINT.
- A worker that dies is spawned again; one that dies within seconds ends the
  server with 1.
- It puts the process's environment into every request, where a variable such
  as HTTP_X_AMZ_ACL would look like a header.
- `backpressure` counts connections, idle ones too, so it is far above `threads`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.util import Finalize
from typing import Any

from gateway.modes import WSGIApp
from gateway.servers import CannotServe, Plan
from gateway.servers.sockets import free, make_impatient_soon, wait_until_accepting

CONNECTIONS = 1024
_HEADER_LIKE = ("HTTP_", "CONTENT_TYPE", "CONTENT_LENGTH", "REQUEST_URI")


class GranianServer:
    def run(self, plan: Plan, ready: Callable[[tuple[tuple[str, int], ...]], None]) -> int:
        if len(plan.listen) != 1:
            raise CannotServe(
                "granian serves one address; give one, or set server = 'waitress', which"
                " serves several."
            )
        host, port = plan.listen[0]
        port = free(host, port)
        server = _server(plan, host, port)
        stop = threading.Event()

        def announce() -> None:
            if wait_until_accepting(host, port, stop):
                ready(((host, port),))

        server.on_startup(lambda: threading.Thread(target=announce, daemon=True).start())
        patience = plan.drain + _GRACE
        threading.Thread(target=_see_to_the_end, args=(server, patience, stop), daemon=True).start()
        load = partial(_load, plan.load, os.getpid())
        _parents.append(server)
        try:
            server.serve(target_loader=load, wrap_loader=False)
        except SystemExit as error:
            # Workers that were told by others ended before their parent asked: no failure.
            return 0 if server.interrupt_signal else int(error.code or 0)
        finally:
            stop.set()
        return 0


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
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=30_000, keep_alive=True),
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, round(plan.drain)),
        ssl_cert=certificate,
        ssl_key=key,
        ssl_protocol_min=SSLProtocols.tls12,
        log_level=LogLevels.error,
        log_dictconfig=_LOGGING,
    )


def _see_to_the_end(server: Any, patience: float, ended: threading.Event) -> None:
    """Once in some hundred stops granian's parent was seen to wait for ever: its signal
    handler takes a lock that the thread it interrupts may hold. Then this ends it."""
    while not server.interrupt_signal:
        if ended.wait(1):
            return
    if not ended.wait(patience):
        for worker in list(server.wrks):
            worker.kill()
        os._exit(0)


_GRACE = 5.0
"""Seconds beyond `drain` that a stop may take."""

_parents: list[Any] = []
"""The parent's server, as a forked worker sees it."""

_LOGGING = {
    "handlers": {"console": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["console"], "level": "ERROR", "propagate": False}},
}


def _load(load: Callable[[], Any], parent: int) -> WSGIApp:
    """In a worker, before it listens."""
    _be_told_once()
    loaded = load()
    # A worker ends in multiprocessing's bootstrap, which runs no atexit functions but these.
    Finalize(None, loaded.close, exitpriority=100)
    _hide_headers()
    make_impatient_soon()
    threading.Thread(target=_follow, args=(parent,), name="parent", daemon=True).start()
    app: WSGIApp = loaded.app
    return app


def _be_told_once() -> None:
    """Let one thread take this worker's signals, and hand granian the first only.

    Until granian takes them over, a forked worker has its parent's handlers, which
    would lose a SIGTERM: what came until now is made up for.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if any(parent.interrupt_signal for parent in _parents):
        sys.exit(0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    threading.Thread(target=_obey, name="signals", daemon=True).start()


def _obey() -> None:
    signal.sigwait({signal.SIGTERM})
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):  # not granian's yet: nothing was accepted
        os._exit(0)
    handler(signal.SIGTERM, None)


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
