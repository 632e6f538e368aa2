"""All that the gateway uses of granian's inside (2.8): what it does not document, and may move.

In the parent, `Supervisor`:
- between start-up and shutdown `_serve` calls `_serve_loop`: here that is `supervise`, and
  granian's own is not used;
- `interrupt_children` has the places in `wrks` of workers that died, put there by a thread
  for each; `main_loop_interrupt` is set after that, and when `interrupt_signal` is;
- `_spawn_worker` makes a worker of what it gets of `_init_shared_socket` (`_ssp`, `_shd` and
  `_sso` go to it as they are) and of a loader, which it calls before it listens. A worker has
  `_id`, `birth` and `inner`, its process; here it has `orders`, too;
- a worker's own `kill` is not used: after it nobody is told that it died.

In a worker, `serve`:
- it takes what the parent gives all workers (`WorkerProcess.wrap_target`);
- `WSGIWorker` is a server, whose `serve_mtr` returns at once and serves in threads of its own
  until its `WorkerSignal` is set. That there is one in a process is only granian's habit;
- a `SocketHolder` owns the descriptor that it gets; where it is a Unix socket's, a peer's path
  is REMOTE_ADDR;
- a process of multiprocessing runs no `atexit` functions at its end, but what `Finalize` has.

`tests/libraries/test_granian.py` says first when something of this moves.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, NamedTuple

from granian import _futures, _granian, net
from granian.constants import HTTPModes
from granian.server.mp import MPServer, WorkerProcess
from granian.wsgi import _callback_wrapper

from gateway.modes import WSGIApp
from gateway.servers.certificates import CertificateFiles
from gateway.servers.http2 import told
from gateway.servers.order_pipe import OrderPipe
from gateway.servers.socket_folders import socket_folder
from gateway.servers.sockets import bound

BACKLOG = 1024

_rust: Any = _granian
"""Its types are of another version."""

_net: Any = net
_scheduler: Any = _futures._new_cbscheduler


_EACH_ITS_OWN = sys.platform == "linux"
"""Its kernel spreads connections over all sockets that listen at an address."""


class Address:
    """One that the parent takes, and that workers serve at: with sockets of their own there, on
    Linux, elsewhere with the parent's."""

    def __init__(self, host: str, port: int, beside: Sequence[tuple[str, int]]) -> None:
        self._open = partial(bound, host, port, beside=beside, shared=_EACH_ITS_OWN)
        self._taken: socket.socket | None = self._open()
        self._taken.set_inheritable(not _EACH_ITS_OWN)

    def open(self) -> socket.socket:
        """In a worker."""
        if _EACH_ITS_OWN:
            return self._open()
        assert self._taken is not None
        return self._taken

    def close(self) -> None:
        """In the parent."""
        if self._taken is not None:
            self._taken.close()

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_taken": None if _EACH_ITS_OWN else self._taken}


Run = Callable[[Sequence[socket.socket], "SocketServers"], None]
"""What a worker does, with the sockets of all addresses, until it is told to end."""

Load = Callable[..., Run]
"""Gives it, in a worker, before that listens."""


class Spawned(NamedTuple):
    """A worker, as its parent sees it."""

    place: int
    worker: Any

    @property
    def pid(self) -> int:
        return int(self.worker._id())

    @property
    def orders(self) -> OrderPipe:
        found: OrderPipe = self.worker.orders
        return found

    def is_alive(self) -> bool:
        """Also right in the moment in which the thread that waits for its end has had it from
        the kernel, and has not said so yet: multiprocessing takes it for alive then."""
        if not self.worker.is_alive():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def lived(self) -> float:
        """Seconds since it was spawned."""
        return time.monotonic() - float(self.worker.birth)

    @property
    def exit_code(self) -> int | None:
        """multiprocessing's: the negative number of the signal that killed it."""
        code: int | None = self.worker.inner.exitcode
        return code

    def end(self) -> None:
        """Once it has answered what is under way in it."""
        self.worker.inner.terminate()

    def kill(self) -> None:
        self.worker.inner.kill()


class Supervisor(MPServer, ABC):
    """granian's parent process, for who decides when there are which workers. All of them
    serve at all `addresses`; `options` are granian's."""

    load: Load
    """What workers that are spawned from now on call."""

    def __init__(self, addresses: Sequence[tuple[str, int]], **options: Any) -> None:
        host, port = addresses[0]
        super().__init__("gateway", address=host, port=port, **options)
        self._addresses = addresses

    # for a subclass to say

    @abstractmethod
    def equipped(self, load: Load) -> tuple[Load, OrderPipe]:
        """How the next worker is to load, and by what it hears of its parent."""

    @abstractmethod
    def supervise(self) -> None:
        """From when the first workers are spawned, until it is `told_to_end` or wants to."""

    # for a subclass to use

    def run(self, load: Load) -> int:
        """The exit code."""
        self.load = load
        try:
            self.serve(serve, target_loader=load, wrap_loader=False)
        except SystemExit as error:
            return int(error.code or 0)
        return 0

    @property
    def told_to_end(self) -> bool:
        return bool(self.interrupt_signal)

    def tell_to_end(self, number: int) -> None:
        """As the signal of that number does; not in a signal's handler, for it may wait."""
        handler: Callable[[int, None], None] = self.signal_handler_interrupt
        handler(number, None)

    def wake(self) -> None:
        """End its `sleep`, or the next one."""
        self.main_loop_interrupt.set()

    def sleep(self, seconds: float | None) -> None:
        """So long, or until it is woken, a worker dies, or it is told to end."""
        self.main_loop_interrupt.wait(seconds)
        self.main_loop_interrupt.clear()  # before the caller looks: what comes now sets it again

    def spawned(self) -> list[Spawned]:
        return [Spawned(place, one) for place, one in enumerate(self.wrks)]

    def died(self) -> Iterator[Spawned]:
        """Those of which nobody knows yet."""
        while self.interrupt_children:
            place = self.interrupt_children.pop(0)
            yield Spawned(place, self.wrks[place])

    def spawn(self, place: int) -> None:
        """In the place of one that died."""
        worker: Any = self._spawn_worker(place, serve, self.load)
        worker.start()
        self.wrks[place] = worker

    # what granian calls

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        self.supervise()

    def _spawn_worker(  # type: ignore[override]  # as MPServer's, which is not as its base's
        self, idx: int, target: Any, callback_loader: Any
    ) -> Any:
        load, orders = self.equipped(self.load)
        worker: Any = super()._spawn_worker(idx=idx, target=target, callback_loader=load)
        worker.orders = orders
        return worker

    def _init_shared_socket(self) -> None:
        """What workers get in place of one socket."""
        self._taken = [Address(*one, self._addresses) for one in self._addresses]
        self._ssp, self._shd, self._sso = self._taken, None, None  # type: ignore[assignment]

    def _drop_shared_socket(self) -> None:
        for one in self._taken:
            one.close()


_in_a_worker: Callable[[Callable[..., None]], Callable[..., None]] = WorkerProcess.wrap_target


@_in_a_worker
def serve(
    number: int,
    run: Run,
    taken: tuple[Sequence[Address], None],
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
    """In a worker. All but `run` and `taken` is as granian's parent gives it."""
    sizes = (threads, blocking_threads, python_threads, idle_timeout, backpressure)

    def begin(
        holder: Any, app: WSGIApp, tls: CertificateFiles | None, *, behind_tls: bool = False
    ) -> SocketServer:
        words = without_tls if tls is None else _words(tls, without_tls)
        spoken = http if tls or behind_tls else HTTPModes.http1
        if spoken is not HTTPModes.http1:
            app = told(app)
        more = (*sizes, spoken, http1, http2, static, *words, metrics)
        worker = _rust.WSGIWorker(number, (None, holder), None, *more)
        return SocketServer(worker, holder, app, loop)

    run([one.open() for one in taken[0]], SocketServers(begin, backpressure))


def _words(one: CertificateFiles, without: Sequence[object]) -> Sequence[object]:
    return (True, str(one.certificate), str(one.key), *without[3:])


class SocketServers:
    """Begins servers in a worker; each takes up to `limit` connections."""

    def __init__(self, begin: Callable[..., SocketServer], limit: int) -> None:
        self._begin, self.limit = begin, limit

    def at(
        self, listening: socket.socket, app: WSGIApp, tls: CertificateFiles | None
    ) -> SocketServer:
        """The socket stays the caller's."""
        more = (BACKLOG,) if sys.platform == "linux" else ()
        holder = _rust.SocketHolder(os.dup(listening.fileno()), False, *more)
        return self._begin(holder, app, tls)

    def at_path(self, path: Path, app: WSGIApp) -> SocketServer:
        """At a Unix socket that is made there, for who has taken TLS off."""
        holder = _net.UnixSocketSpec(str(path), BACKLOG, None).build()
        return self._begin(holder, app, None, behind_tls=True)


class SocketServer:
    """One of granian's, which serves from now on, by a descriptor of its own."""

    def __init__(self, worker: Any, holder: Any, app: WSGIApp, loop: Any) -> None:
        self._worker, self._descriptor = worker, holder.get_fd()
        self._signal, self._ended = _rust.WorkerSignal(), threading.Event()
        self._signal.add_cb(self._ended.set)
        self._stopped = False
        self._lock = threading.Lock()
        begin = worker.serve_mtr_uds if holder.is_uds() else worker.serve_mtr
        call = _callback_wrapper(app, {}, None)
        begin(_scheduler(loop, call, impl_asyncio=True), loop, self._signal)

    def retire(self, listening: socket.socket, grace: float) -> None:
        """Take no more connections of that socket, and end after so many seconds: what has
        begun is answered, and what is idle then is closed.

        To tell it to end at once would end handshakes that are under way (measured: under load
        always some). So its descriptor is made one of a socket that nobody can reach, and made
        the old one again when it is told to end: what it has told the kernel to watch must be
        what it says is over."""
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
        with socket_folder() as folder:
            silent.bind(str(Path(folder) / "silent"))
            silent.listen(1)
        silent.setblocking(False)
        yield silent


def at_the_end(work: Callable[[], None]) -> None:
    """Have that done when this worker ends."""
    Finalize(None, work, exitpriority=100)
