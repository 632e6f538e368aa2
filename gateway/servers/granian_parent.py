"""granian's parent process, which brings workers back.

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
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple

from gateway.servers.granian_inside import Load, Supervisor
from gateway.servers.order_pipe import OrderPipe
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


class Parent(Supervisor):
    """`reason` is why it ended, unless it was told to. Workers get `notes`."""

    def __init__(self, addresses: Sequence[tuple[str, int]], **options: Any) -> None:
        super().__init__(addresses, **options)
        self._heard, self.notes = Pipe(duplex=False)
        self._waiting: deque[Note] = deque()
        self._serving: set[int] = set()
        self._comebacks, self._equipped, self._served = Comebacks(), 0, False
        self._round: Round | None = None
        self.reason = ""

    def equipped(self, load: Load) -> tuple[Load, OrderPipe]:
        kind: Kind = "replaces" if self._equipped >= self.workers else "first"
        self._equipped += 1
        told, tell = Pipe(duplex=False)
        return partial(load, kind=kind, orders=told), OrderPipe(tell)

    def supervise(self) -> None:
        # Not before: a thread made before signals are blocked would take them.
        threading.Thread(target=self._listen, name="notes", daemon=True).start()
        while not self.told_to_end:
            self.sleep(self._left(time.monotonic()))
            self._hear()
            self._bury()
            if self.reason:
                break
            self._go_round()
            for place in self._empty_places():
                self.spawn(place)
        if self._round is not None:
            self._round.give_up("The gateway ends.")

    def hand_round(self, message: object, load: Load) -> None:
        """Have all workers serve what `message` says, and those to come what `load` loads; for
        any thread, one at a time. Raises `CannotServe` when one of them cannot: none does then."""
        self._round = found = Round(message, load)
        self.wake()
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
        living = {one.pid: one.orders for one in self.spawned() if one.is_alive()}
        found.go_on(living, self._serving, time.monotonic())
        if found.accepted:
            self.load = found.load
        for one in self.spawned():
            if one.pid in found.unfit:
                one.end()
        found.unfit.clear()
        if found.over:
            self._round = None

    def _listen(self) -> None:
        while True:
            process, kind, order, reason = (
                self._heard.recv_bytes().decode(errors="replace").split(" ", 3)
            )
            self._waiting.append(Note(int(process), kind, int(order), reason))
            self.wake()

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
        return any(one.is_alive() and one.pid in self._serving for one in self.spawned())

    def _kill(self, process: int) -> None:
        for one in self.spawned():
            if one.pid == process:
                one.kill()

    def _bury(self) -> None:
        for one in self.died():
            self._serving.discard(one.pid)
            how = _words(one.exit_code)
            if not self._served:
                self.reason = self.reason or f"A worker ended before it could serve ({how})."
                return
            pause = self._comebacks.died(one.place, one.lived(), time.monotonic())
            when = f"in {pause:.0f} s" if pause else "now"
            log.error("worker %d ended (%s): another takes its place %s", one.place + 1, how, when)


def _words(code: int | None) -> str:
    """An exit code of multiprocessing's: the negative number of the signal that killed it."""
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
