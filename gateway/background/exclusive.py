"""One at a time, of all threads and processes: by name, with lock files in `<data>/jobs`."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from gateway.common import private
from gateway.common.locks import FileLock

_NAME_LIMIT = 100


class Exclusive:
    """Of one `kind`. `folder` is the data folder, None when all is in memory (and there is
    one process). What a process has taken goes with it, however it ends."""

    def __init__(self, folder: Path | None, kind: str) -> None:
        self._folder, self._kind = None if folder is None else folder / "jobs", kind
        self._mutex = threading.Lock()
        self._held: dict[str, threading.Lock] = {}

    def take(self, name: str) -> Callable[[], None] | None:
        """What gives it back, in any thread; None when another has it."""
        if self._folder is None:
            with self._mutex:
                held = self._held.setdefault(name, threading.Lock())
            return held.release if held.acquire(blocking=False) else None
        lock = FileLock(self.file(name, "lock"))
        try:
            if not lock.try_acquire():
                lock.close()
                return None
        except BaseException:
            lock.close()
            raise
        return lock.close

    def file(self, name: str, ending: str) -> Path:
        """For what is kept of it, where anything is kept."""
        assert self._folder is not None
        private.own_folder(self._folder)
        return self._folder / f"{self._kind}-{_safe(name)}.{ending}"


def _safe(name: str) -> str:
    """A name that every file system takes; different for different ones."""
    safe = quote(name, safe="").replace("~", "%7E").replace("*", "%2A")
    if safe != safe.lower() or len(safe) > _NAME_LIMIT:  # file systems may fold case
        safe = f"{safe[:40].lower()}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"
    return safe
