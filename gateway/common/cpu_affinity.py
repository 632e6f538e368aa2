"""A processor of its own for each worker (Linux).

Python code of one process runs on one processor at a time. When its threads
are spread over several, each hands the GIL to one that sleeps
elsewhere and has to be woken; on one processor it is there when it is its
turn. Measured on two processors with two workers and the load beside them:
1.28 times the GETs and 1.4 times the PUTs of 1 KiB, with half of the p99, and
no less while one or two other programs compute there.

Moving long bodies is mostly work without the lock: hashing, and copying in the
kernel, beside the server's own threads. So a thread that does it roams over
all processors meanwhile (one answer alone: 2.9 GB/s, bound to one 2.1).

Only with a worker for each processor, as is the default: fewer would leave
some of them idle, and gateways beside each other would choose the same.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from gateway.common.locks import FileLock

FILE = "worker-{}"


class Cores:
    """What the threads of a worker do: `roam` and `settle` are of the calling thread. Without
    a processor of its `own` both do nothing."""

    def __init__(self, own: int | None = None) -> None:
        self.own = own
        self._here: set[int] = set() if own is None else {own}
        self._all: set[int] = set() if own is None else processors()

    def roam(self) -> None:
        if self.own is not None:
            _run_on(self._all)

    def settle(self) -> None:
        if self.own is not None:
            _run_on(self._here)


def processors() -> set[int]:
    """Those that this thread may run on; none where that cannot be asked."""
    return os.sched_getaffinity(0) if sys.platform == "linux" else set()


def _run_on(wanted: set[int]) -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # somebody has narrowed what this process may use
            os.sched_setaffinity(0, wanted)


def claim(folder: Path | None, workers: int) -> Cores:
    """For this worker the first processor that no other has, for as long as it lives: it and
    the threads that it makes from now on run there. `folder` is the workers' own."""
    known = sorted(processors())
    if folder is None or not known or workers < len(known):
        return Cores()
    for number in range(workers):
        if _locked(folder / FILE.format(number)):
            cores = Cores(known[number % len(known)])
            cores.settle()
            return cores
    return Cores()


_HELD: list[FileLock] = []
"""The lock of this process, which goes with it."""


def _locked(file: Path) -> bool:
    """Whether this process has the file now."""
    lock = FileLock(file)
    if lock.try_acquire():
        _HELD.append(lock)
        return True
    lock.close()
    return False
