"""A thread that writes what others leave for it, in batches: who leaves something waits for no
disk and no pipe."""

from __future__ import annotations

import threading
from collections.abc import Callable


class WritingThread:
    """Calls `write`, which does not raise, a `pause` of so many seconds after `wake` was set:
    what comes meanwhile is of the same batch."""

    def __init__(self, name: str, pause: float, write: Callable[[], object]) -> None:
        self._name, self._pause, self._write = name, pause, write
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.wake = threading.Event()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end, within five seconds. May be called twice."""
        self._stopping.set()
        self.wake.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.wake.wait()
            self._stopping.wait(self._pause)
            self.wake.clear()
            self._write()
        self._write()
