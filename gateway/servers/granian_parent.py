"""granian's parent process (2.8), which brings workers back.

granian's own loop ends the server when a worker dies within 5.5 s of taking another's
place, and forgets one that dies while it clears its list of the dead. Here one that dies
comes back (`workers`), and all others serve on. What ends the server is a worker that
cannot be loaded:

- one of the first, for its reason;
- one that takes another's place, while no other serves. Else it is tried again;
- one that dies without a word before any has ever been loaded.

A configuration that was read again goes to all workers, which serve on (see `rounds`). While
it is on its way nobody takes a dead one's place: who comes then is to get one of the two
configurations, and with it all the others.

Used of granian: `_init_shared_socket` and `_drop_shared_socket` with `_ssp`, `_shd` and `_sso`,
which go to workers as they are; `_spawn_worker`, `_serve_loop`, `wrks`, `interrupt_signal`,
`interrupt_children` (places of the dead, by threads of its own) and `main_loop_interrupt`,
which is set after each change of those; of a worker `_id`, `birth` and `inner`, its
process; it takes an attribute more, `tell`. `tests/libraries/test_granian.py` says first when
they move.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple

from granian.server.mp import MPServer

from gateway.servers.granian_worker import Bound
from gateway.servers.rounds import Round
from gateway.servers.workers import Comebacks

log = logging.getLogger("gateway")

_LONGEST = 4000
"""Bytes of a note: a pipe takes that from several workers without mixing them."""


Kind = Literal["first", "replaces", "done"]


class Note(NamedTuple):
    """What a worker says: once, that it has been loaded, as one of the `first` or one that
    `replaces` another, and of each order that it is `done`; or the `reason` why it cannot be."""

    process: int
    kind: str
    order: int
    reason: str


def say(notes: Connection, kind: Kind, reason: str = "", *, order: int = 0) -> None:
    """In a worker."""
    note = f"{os.getpid()} {kind} {order} {reason}"
    notes.send_bytes(note.encode(errors="replace")[:_LONGEST])


class Parent(MPServer):
    """`reason` is why it ended, unless it was told to. Workers get `notes`, and serve at all
    `addresses`."""

    def __init__(self, addresses: Sequence[tuple[str, int]], **options: Any) -> None:
        host, port = addresses[0]
        super().__init__("gateway", address=host, port=port, **options)
        self._addresses = addresses
        self._heard, self.notes = Pipe(duplex=False)
        self._waiting: deque[Note] = deque()
        self._serving: set[int] = set()
        self._comebacks, self._spawned, self._served = Comebacks(), 0, False
        self._load: Callable[..., Any] | None = None
        self._round: Round | None = None
        self.reason = ""

    def _listen(self) -> None:
        while True:
            process, kind, order, reason = (
                self._heard.recv_bytes().decode(errors="replace").split(" ", 3)
            )
            self._waiting.append(Note(int(process), kind, int(order), reason))
            self.main_loop_interrupt.set()

    # granian's

    def _init_shared_socket(self) -> None:
        """What workers get in place of one socket; `_sso` is what they keep beside it."""
        self._bound = [Bound.to(*one) for one in self._addresses]
        shared: Any = [one.shared for one in self._bound]
        self._ssp, self._shd, self._sso = self._bound, None, shared  # type: ignore[assignment]

    def _drop_shared_socket(self) -> None:
        for one in self._bound:
            one.close()

    def _spawn_worker(  # type: ignore[override]  # as MPServer's, which is not as its base's
        self, idx: int, target: Any, callback_loader: Callable[..., Any]
    ) -> Any:
        kind: Kind = "replaces" if self._spawned >= self.workers else "first"
        self._spawned += 1
        told, tell = Pipe(duplex=False)
        load = partial(self._load or callback_loader, kind=kind, orders=told)
        worker: Any = super()._spawn_worker(idx=idx, target=target, callback_loader=load)
        worker.tell = tell
        return worker

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        # Not before: a thread made before signals are blocked would take them.
        threading.Thread(target=self._listen, name="notes", daemon=True).start()
        while not self.interrupt_signal:
            now = time.monotonic()
            self.main_loop_interrupt.wait(self._left(now))
            self.main_loop_interrupt.clear()  # before the look: what comes now sets it again
            self._hear()
            self._bury()
            if self.reason:
                break
            self._go_round()
            for place in self._empty_places():
                worker: Any = self._spawn_worker(place, spawn_target, target_loader)
                worker.start()
                self.wrks[place] = worker
        if self._round is not None:
            self._round.give_up("The gateway ends.")

    # ours

    def hand_round(self, message: object, load: Callable[..., Any]) -> None:
        """Have all workers serve what `message` says, and those to come what `load` loads; for
        any thread, one at a time. Raises `CannotServe` when one of them cannot: none does then."""
        self._round = found = Round(message, load)
        self.main_loop_interrupt.set()
        found.wait()

    @property
    def _on_its_way(self) -> bool:
        return self._round is not None and self._round.begun

    def _left(self, now: float) -> float | None:
        """Seconds until something is to be done; None: when somebody says so."""
        until = [] if self._round is None else [self._round.left(now)]
        comeback = None if self._on_its_way else self._comebacks.left(now)
        return min(until if comeback is None else [*until, comeback], default=None)

    def _empty_places(self) -> list[int]:
        return [] if self._on_its_way else self._comebacks.due(time.monotonic())

    def _go_round(self) -> None:
        found = self._round
        if found is None:
            return
        workers: list[Any] = self.wrks
        living = {one._id(): one.tell for one in workers if one.is_alive()}
        found.go_on(living, self._serving, time.monotonic())
        if found.accepted:
            self._load = found.load
        if found.over:
            self._round = None

    def _hear(self) -> None:
        while self._waiting:
            note = self._waiting.popleft()
            if note.kind == "done":
                if self._round is not None:
                    self._round.heard(note.process, note.order, note.reason)
            elif not note.reason:
                self._serving.add(note.process)
                self._served = True
            elif note.kind == "replaces" and self._somebody_serves():
                log.error("A worker cannot start, and is tried again: %s", note.reason)
                self._kill(note.process)  # it waits for that
            else:
                self.reason = self.reason or note.reason

    def _somebody_serves(self) -> bool:
        workers: list[Any] = self.wrks
        return any(one.is_alive() and one._id() in self._serving for one in workers)

    def _kill(self, process: int) -> None:
        workers: list[Any] = self.wrks
        for one in workers:
            if one._id() == process:
                one.inner.kill()

    def _bury(self) -> None:
        while self.interrupt_children:
            place = self.interrupt_children.pop(0)
            worker: Any = self.wrks[place]
            now = time.monotonic()
            self._serving.discard(worker._id())
            how = _words(worker.inner.exitcode)
            if not self._served:
                self.reason = self.reason or f"A worker ended before it could serve ({how})."
                return
            pause = self._comebacks.died(place, now - worker.birth, now)
            when = f"in {pause:.0f} s" if pause else "now"
            log.error("worker %d ended (%s): another takes its place %s", place + 1, how, when)


def _words(code: int | None) -> str:
    """An exit code of multiprocessing's: the negative number of the signal that killed it."""
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
