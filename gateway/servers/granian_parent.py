"""granian's parent process (2.8), which brings workers back.

granian's own loop ends the server when a worker dies within 5.5 s of taking another's
place, and forgets one that dies while it clears its list of the dead. Here one that dies
comes back (`workers`), and all others serve on. What ends the server is a worker that
cannot be loaded:

- one of the first, for its reason;
- one that takes another's place, while no other serves. Else it is tried again;
- one that dies without a word before any has ever been loaded.

Used of granian: `_spawn_worker`, `_serve_loop`, `wrks`, `interrupt_signal`,
`interrupt_children` (places of the dead, by threads of its own) and `main_loop_interrupt`,
which is set after each change of those; of a worker `_id`, `birth` and `inner`, its
process. `tests/libraries/test_granian.py` says first when they move.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from granian.server.mp import MPServer

from gateway.servers.workers import Comebacks

log = logging.getLogger("gateway")

_LONGEST = 4000
"""Bytes of a note: a pipe takes that from several workers without mixing them."""


class Note(NamedTuple):
    """What a worker says once: that it has been loaded, or the `reason` why it cannot be."""

    process: int
    replaces: bool
    reason: str


def say(notes: Connection, reason: str, *, replaces: bool) -> None:
    """In a worker."""
    note = f"{os.getpid()} {int(replaces)} {reason}"
    notes.send_bytes(note.encode(errors="replace")[:_LONGEST])


class Parent(MPServer):
    """`reason` is why it ended, unless it was told to. Workers get `notes`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._heard, self.notes = Pipe(duplex=False)
        self._waiting: deque[Note] = deque()
        self._serving: set[int] = set()
        self._comebacks, self._spawned, self._served = Comebacks(), 0, False
        self.reason = ""

    def _listen(self) -> None:
        while True:
            process, replaces, reason = (
                self._heard.recv_bytes().decode(errors="replace").split(" ", 2)
            )
            self._waiting.append(Note(int(process), replaces == "1", reason))
            self.main_loop_interrupt.set()

    # granian's

    def _spawn_worker(  # type: ignore[override]  # as MPServer's, which is not as its base's
        self, idx: int, target: Any, callback_loader: Callable[..., Any]
    ) -> Any:
        replaces = self._spawned >= self.workers
        self._spawned += 1
        load = partial(callback_loader, replaces=replaces)
        return super()._spawn_worker(idx=idx, target=target, callback_loader=load)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        # Not before: a thread made before signals are blocked would take them.
        threading.Thread(target=self._listen, name="notes", daemon=True).start()
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(self._comebacks.left(time.monotonic()))
            self.main_loop_interrupt.clear()  # before the look: what comes now sets it again
            self._hear()
            self._bury()
            if self.reason:
                break
            for place in self._comebacks.due(time.monotonic()):
                worker: Any = self._spawn_worker(place, spawn_target, target_loader)
                worker.start()
                self.wrks[place] = worker

    # ours

    def _hear(self) -> None:
        while self._waiting:
            note = self._waiting.popleft()
            if not note.reason:
                self._serving.add(note.process)
                self._served = True
            elif note.replaces and self._somebody_serves():
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
