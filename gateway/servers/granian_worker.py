"""What one worker of granian's runs (2.8): a server of it for each listener, one application.

Used of granian: `WSGIWorker` and its `serve_mtr`, which returns at once and serves in threads
of its own until its `WorkerSignal` is set; `SocketHolder`, of a descriptor that it then owns;
`WorkerProcess.wrap_target`; and that a peer's path is REMOTE_ADDR where it listens on a Unix
socket. `tests/libraries/test_granian.py` says first when something of this moves.

That there is one such server in a process is only granian's habit. It takes one certificate,
once, so:

- Where a listener has one, granian speaks TLS. When that has changed, another server begins on
  the same socket, and the one before it gets no more connections. To tell it to end at once
  would end handshakes that are under way (measured: under load always some). So its descriptor
  is made one of a socket that nobody can reach, and made the old one again when it is told to
  end, after `GRACE`: what it has told the kernel to watch must be what it says is over.
- Where it has several, a `TLSFront` speaks TLS, and granian is behind it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from granian import _futures, _granian, net
from granian.server.mp import WorkerProcess
from granian.wsgi import _callback_wrapper

from gateway.modes import WSGIApp
from gateway.servers import Loaded, Plan
from gateway.servers.certificates import Certificate, FileCertificates
from gateway.servers.protocols import Listening
from gateway.servers.sockets import make_impatient
from gateway.servers.tls_front import TLSFront

rust: Any = _granian
"""Its types are of another version."""

specs: Any = net
scheduler: Any = _futures._new_cbscheduler

BACKLOG = 1024

GRACE = 10.0
"""Seconds that a handshake may take on granian. Idle connections have `header_timeout`."""


class Bound(NamedTuple):
    """An address that the parent has taken. On Linux each worker opens a socket of its own
    there, elsewhere they have the parent's."""

    spec: Any
    shared: socket.socket | None = None

    @classmethod
    def to(cls, host: str, port: int) -> Bound:
        spec = specs.SocketSpec(host, port, BACKLOG)
        number = spec.build().get_fd()
        if sys.platform == "linux":
            return cls(spec)
        shared = socket.socket(fileno=number)
        shared.set_inheritable(True)
        return cls(None, shared)

    def open(self) -> socket.socket:
        return self.shared or socket.socket(fileno=self.spec.build().get_fd())

    def close(self) -> None:
        if self.shared is not None:
            self.shared.close()


class Served(NamedTuple):
    """`certificates` are those of `plan.listen`, then of `plan.protocols`; `folder` is for
    sockets of its own."""

    loaded: Loaded
    plan: Plan
    certificates: Sequence[FileCertificates | None]
    folder: Path | None


_in_a_worker: Callable[[Callable[..., None]], Callable[..., None]] = WorkerProcess.wrap_target


@_in_a_worker
def serve(
    number: int,
    served: Served,
    bound: tuple[Sequence[Bound], None],
    _ipc: None,
    loop: Any,
    _mode: Any,
    threads: int,
    blocking_threads: int,
    python_threads: int,
    idle_timeout: int,
    backpressure: int,
    _tasks: Any,
    http: Any,
    http1: Any,
    http2: Any,
    _websockets: bool,
    static: None,
    _log: None,
    without_tls: Sequence[object],
    _scope: Any,
    metrics: Any,
) -> None:
    """In a worker, until it is told to end (SIGTERM). All but `served` and `bound` is as
    granian's parent gives it."""
    sizes = (threads, blocking_threads, python_threads, idle_timeout, backpressure)

    def start(holder: Any, app: WSGIApp, tls: Certificate | None) -> _Server:
        said = without_tls if tls is None else _words(tls, without_tls)
        more = (*sizes, http, http1, http2, static, *said, metrics)
        return _Server(rust.WSGIWorker(number, (None, holder), None, *more), holder, app, loop)

    asked = len(served.plan.listen)
    at = list(zip((one.open() for one in bound[0]), served.certificates, strict=True))
    listeners = [_listener(*one, served, start, backpressure) for one in at[:asked]]
    served.loaded.listen([_listening(*one) for one in at[asked:]])

    def stop(*_: object) -> None:
        for one in listeners:
            one.stop()

    signal.signal(signal.SIGTERM, stop)
    for one in listeners:
        one.wait()


def _listening(listening: socket.socket, certificates: FileCertificates | None) -> Listening:
    listening.listen(BACKLOG)
    return Listening(listening, None if certificates is None else certificates.by_name())


def _words(one: Certificate, without: Sequence[object]) -> Sequence[object]:
    return (True, str(one.files.certificate), str(one.files.key), *without[3:])


class _Server:
    """One of granian's, which serves from now on at the socket `listening`, by a descriptor of
    its own."""

    def __init__(self, worker: Any, holder: Any, app: WSGIApp, loop: Any) -> None:
        self._worker, self._descriptor = worker, holder.get_fd()
        self._signal, self._ended = rust.WorkerSignal(), threading.Event()
        self._signal.add_cb(self._ended.set)
        self._stopped = False
        self._lock = threading.Lock()
        begin = worker.serve_mtr_uds if holder.is_uds() else worker.serve_mtr
        call = _callback_wrapper(app, {}, None)
        begin(scheduler(loop, call, impl_asyncio=True), loop, self._signal)

    def retire(self, listening: socket.socket, grace: float) -> None:
        """Take no more connections, and end after so many seconds: what has begun is answered,
        and what is idle then is closed."""
        with self._lock, _nobody_calls() as silent:
            if self._stopped:
                return
            os.dup2(silent.fileno(), self._descriptor, inheritable=False)
        timer = threading.Timer(grace, self.stop, [listening])
        timer.daemon = True
        timer.start()

    def stop(self, listening: socket.socket | None = None) -> None:
        """Take no more, close what is idle, and end when all others are answered."""
        with self._lock:
            if self._stopped:  # its descriptor may be another's by now
                return
            self._stopped = True
            if listening is not None and listening.fileno() >= 0:
                os.dup2(listening.fileno(), self._descriptor, inheritable=False)
            self._signal.set()

    def wait(self) -> None:
        self._ended.wait()


@contextmanager
def _nobody_calls() -> Iterator[socket.socket]:
    """A socket that listens at a place that is gone."""
    with socket.socket(socket.AF_UNIX) as silent:
        with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
            silent.bind(str(Path(folder) / "silent"))
            silent.listen(1)
        silent.setblocking(False)
        yield silent


Start = Callable[[Any, WSGIApp, Certificate | None], _Server]


def _listener(
    listening: socket.socket,
    certificates: FileCertificates | None,
    served: Served,
    start: Start,
    limit: int,
) -> _Direct | _Fronted:
    make_impatient(listening, served.plan.body_timeout)
    if certificates is not None and len(certificates.all) > 1:
        return _Fronted(listening, certificates, served, start, limit)
    return _Direct(listening, certificates, served, start)


class _Direct:
    """A listener where granian takes the connections."""

    def __init__(
        self,
        listening: socket.socket,
        certificates: FileCertificates | None,
        served: Served,
        start: Start,
    ) -> None:
        self._listening, self._app, self._start = listening, served.loaded.app, start
        self._grace = served.plan.header_timeout + GRACE
        self._servers: list[_Server] = []
        self._stopped = False
        self._lock = threading.Lock()
        self._serve(None if certificates is None else certificates.all[0])
        if certificates is not None:
            certificates.watch(self._serve)

    def _serve(self, tls: Certificate | None) -> None:
        """With that from now on."""
        with self._lock:
            if self._stopped:
                return
            before = self._servers[-1:]
            holder = _holder(os.dup(self._listening.fileno()))
            self._servers.append(self._start(holder, self._app, tls))
            for one in before:
                one.retire(self._listening, self._grace)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for one in self._servers:
                one.stop(self._listening)
            self._listening.close()

    def wait(self) -> None:
        for one in self._servers:
            one.wait()


def _holder(descriptor: int) -> Any:
    return rust.SocketHolder(descriptor, False, *((BACKLOG,) if sys.platform == "linux" else ()))


class _Fronted:
    """A listener where granian is behind a `TLSFront`."""

    def __init__(
        self,
        listening: socket.socket,
        certificates: FileCertificates,
        served: Served,
        start: Start,
        limit: int,
    ) -> None:
        assert served.folder is not None
        behind = served.folder / f"{os.getpid()}-{listening.fileno()}"
        holder = specs.UnixSocketSpec(str(behind), BACKLOG, None).build()
        listening.listen(BACKLOG)
        self._front = TLSFront(
            listening,
            certificates.by_name(),
            behind,
            patience=served.plan.header_timeout,
            limit=limit,
        )
        self._server = start(holder, self._front.told(served.loaded.app), None)
        self._front.start()

    def stop(self) -> None:
        self._front.stop()
        self._server.stop()

    def wait(self) -> None:
        self._server.wait()
        self._front.ended.wait()
