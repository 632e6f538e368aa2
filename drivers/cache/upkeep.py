"""What a process does for a cache behind its requests: a thread that looks each second.

It keeps its claims, writes down what was used, makes room, and carries out
marks, so that they can be forgotten. Of the workers of a disk cache, one at a
time does the latter two, and the first one counts what is there; a memory cache
is each worker's own.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from drivers.cache import carrying, claims
from drivers.cache.context import CacheContext
from drivers.cache.marks import MarkRow
from drivers.indexed.space import FileSpace
from drivers.indexed.upkeep import orphans
from gateway.common.locks import FileLock
from gateway.common.steady import Steady
from gateway.storage import Context, StorageError

log = logging.getLogger("gateway.cache")
_LOOK = 1.0
_NOTE_USE = 10.0
_NOTHING_NEW = 10.0
"""Seconds between two looks at what time alone changes: what is unused, and marks that are old."""

_ORPHANS = 3600.0


class Upkeep:
    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock: FileLock | None = None
        self._counted = True
        self._due = {"renew": 0.0, "use": 0.0, "tidy": 0.0}
        self._tidied: object = None

    def start(
        self,
        parts: CacheContext,
        context: Context,
        folder: Path | None,
        expire_unused: float,
        *,
        first: bool,
    ) -> None:
        """`folder`: the disk cache's, `first` of whose workers this is. Who only looks beside
        a gateway keeps nothing up."""
        self._parts, self._jobs, self._unused = parts, context.jobs, expire_unused
        if not context.instance:
            return
        self._job = f"cache orphans {context.sid}"
        space = parts.stock.space
        if folder is not None and isinstance(space, FileSpace):
            self._lock = FileLock(folder / "workers" / "upkeep.lock")
            files, self._counted = space, not first
            context.jobs.add(self._job, _ORPHANS, lambda: orphans(files, age=_ORPHANS))
        self._thread = threading.Thread(target=self._run, name=f"cache {context.sid}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._parts.room.wanted.set()
            self._thread.join()
            self._thread = None
        if self._lock is not None:
            self._jobs.remove(self._job)
            self._lock.close()

    def missed(self, point: int) -> None:
        """Marks up to there were trimmed before this process saw them. On disk another
        worker has carried them out; in memory nobody has."""
        self._parts.hot.clear()
        if not self._parts.stock.shared:
            self._parts.marks.lost = point

    def _run(self) -> None:
        foreseen = (StorageError, OSError)
        # Whatever fails is tried again: the bound of the cache depends on this thread.
        steady = Steady(log, "the cache's upkeep failed, and is tried again", foreseen=foreseen)
        while not self._stop.is_set():
            if self._parts.room.wanted.wait(_LOOK):
                self._tidied = None
            self._parts.room.wanted.clear()
            steady(self._look)
        try:
            self._note_use()
        except StorageError as error:
            log.warning("what was used last is not known at the next start: %s", error)

    def _look(self) -> None:
        parts = self._parts
        if parts.stock.shared and len(parts.fills) and self._is_due("renew", claims.RENEW):
            claims.renew(parts.stock.space, parts.holder)
        if self._is_due("use", _NOTE_USE):
            self._note_use()
        parts.marks.newest()
        if not self._counted:
            parts.room.recount()
            self._counted = True
        state = parts.stock.space.version(), parts.marks.last
        if (
            state == self._tidied
            and not parts.room.removing.left
            and not self._is_due("tidy", _NOTHING_NEW)
        ):
            return
        if self._lock is None or self._lock.try_acquire():
            try:
                self.tidy()
            finally:
                if self._lock is not None:
                    self._lock.release()
        self.forget()
        self._tidied = state  # if something was done it is another now, and is gone on with

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + seconds
        return True

    def _note_use(self) -> None:
        parts = self._parts
        parts.room.write_touched(parts.hot.take_touched(), parts.clock())

    def tidy(self) -> None:
        """Make room, and carry out marks: what is not done at once goes on at the next look."""
        parts = self._parts
        parts.room.evict()
        parts.room.removing.sweep()
        now = parts.clock()
        parts.room.expire(now - round(1000 * self._unused) if self._unused else 0, now)
        old = parts.marks.old()
        # On disk others forget what was trimmed, so it is carried out first.
        done = self._carry_out(old) if parts.stock.shared else True
        if old and done:
            parts.marks.trim(old[-1].id)

    def _carry_out(self, marks: list[MarkRow]) -> bool:
        parts = self._parts
        return carrying.carry_out(parts.room.removing, parts.stock.space, marks)

    def forget(self) -> None:
        """Forget the marks that were trimmed, here or elsewhere."""
        parts = self._parts
        fading = parts.marks.fading()
        if parts.stock.shared or self._carry_out(fading):
            parts.marks.forget(fading)
