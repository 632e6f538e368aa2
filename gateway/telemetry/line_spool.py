"""Lines that wait to be delivered somewhere, by queue: what access logs of buckets go through.

Each worker adds its own behind the requests, in batches by a thread of its own, to one SQLite
file of the data folder, or to one in memory when nothing is kept on disk; a job of one worker
takes them out. Nobody waits: under overload, when the disk does not take them, and beyond what
may wait, lines are shed, counted, and told once. A process that is killed loses what it added
in the last `_BATCH` seconds; a power cut may take some more.

What waits for one target may take as much as is left for all others (a dynamic threshold,
Choudhury and Hahne 1998): half of `size` where one does not take its lines, a third each where
two do not, and there is always room for who does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.common import looking, sqlite
from gateway.common.steady import Steady
from gateway.common.writing_thread import WritingThread

log = logging.getLogger("gateway")

FILE = "access-lines.db"
SIZE, SIZE_IN_MEMORY = 1 << 30, 32 << 20
"""Bytes of lines that wait, of all targets, and of the names of their queues with each."""
CAPACITY = 20_000
"""Lines that a worker holds in memory, at most."""

_BATCH = 0.5
_VERSION = 2
_SCHEMA = (
    """CREATE TABLE lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT, queue TEXT, time INTEGER, line TEXT)""",
    "CREATE INDEX lines_by_queue ON lines (target, queue, id)",
    "CREATE TABLE waiting (target TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID",
)
_NEWEST = 1 << 62
_OF_QUEUE = "FROM lines WHERE target = ? AND queue = ?"


class Queue(NamedTuple):
    """Lines of one `name` that go to `target`, for which all of its queues are one."""

    target: str
    name: str


_Line = tuple[str, str, int, str]
"""Target, queue, time, line."""


class SpooledLine(NamedTuple):
    """`time` is milliseconds since the epoch; ids grow."""

    id: int
    time: int
    line: str


def _size(queue: str, line: str) -> int:
    """What waits with a line is where it is to go, too: who names many there takes more room."""
    return len(queue) + len(line)


class LineSpool:
    """`folder` None: in memory, for this process alone. `shed` counts lines that are lost."""

    def __init__(
        self, folder: Path | None = None, *, size: int | None = None, capacity: int = CAPACITY
    ) -> None:
        usual = SIZE_IN_MEMORY if folder is None else SIZE
        self._path = None if folder is None else folder / FILE
        self._size, self._capacity = usual if size is None else size, capacity
        self._waiting: list[_Line] = []
        self._overrun = False
        self._crowded = set[str]()
        """Targets of which lines were shed, until none wait: told in the log. "" is this worker,
        for good."""
        self._writing = threading.Lock()
        prepare = sqlite.anew(("lines", "waiting"), _VERSION, _SCHEMA)
        self._turns = sqlite.Turns(self._path, "NORMAL", prepare, FILE)
        self._thread = WritingThread("line-spool", _BATCH, self.flush)
        self._steady = Steady(log, "lines of access logs are lost", foreseen=(OSError,))
        self.shed = 0

    # adding

    def add(self, queue: Queue, time: int, line: str) -> None:
        """Never raises, and waits for nothing. `line` is ASCII."""
        if len(self._waiting) >= self._capacity:
            self.shed += 1
            self._overrun = True
            return
        self._waiting.append((*queue, time, line))
        self._thread.wake.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end. May be called twice."""
        self._thread.stop()
        self.flush()
        self._turns.close()

    def flush(self) -> None:
        """Write what waits in this process."""
        with self._writing:
            self._steady(self._write)

    def _write(self) -> None:
        if self._overrun:
            self._tell_once("", "lines of access logs are dropped: more come than are written")
        waiting = self._waiting
        lines = waiting[:]
        del waiting[: len(lines)]  # others may have been added behind them
        if not lines:
            return
        taken: list[_Line] = []
        try:
            with self._turns.transaction() as connection:
                sizes = dict(connection.execute("SELECT target, size FROM waiting"))
                self._crowded &= {"", *sizes}
                taken = self._fair(lines, sizes)
                connection.executemany(
                    "INSERT INTO lines (target, queue, time, line) VALUES (?, ?, ?, ?)", taken
                )
                targets = {target for target, *_ in taken}
                connection.executemany(
                    "INSERT OR REPLACE INTO waiting VALUES (?, ?)",
                    [(target, sizes[target]) for target in targets],
                )
        except BaseException:
            taken = []
            raise
        finally:
            self.shed += len(lines) - len(taken)

    def _fair(self, lines: Sequence[_Line], sizes: dict[str, int]) -> list[_Line]:
        """Those for which there is room, by what waits for each target, which grows."""
        left, taken = self._size - sum(sizes.values()), list[_Line]()
        for one in lines:
            target, size = one[0], _size(one[1], one[-1])
            grown = sizes.get(target, 0) + size
            if grown <= left:
                sizes[target], left = grown, left - size
                taken.append(one)
            else:
                self._tell_once(target, f"{target} does not take its access logs: some are dropped")
        return taken

    def _tell_once(self, target: str, words: str) -> None:
        if target not in self._crowded:
            self._crowded.add(target)
            log.warning(words)

    # taking; all of it raises `OSError`

    def queues(self) -> dict[Queue, int]:
        """Those in which lines wait, in an order that stays, and the last id of each."""
        self.flush()
        if not self._exists():
            return {}
        with self._turns.transaction() as connection:
            rows = connection.execute(
                "SELECT target, queue, max(id) FROM lines GROUP BY 1, 2 ORDER BY 1, 2"
            )
            return {Queue(target, name): last for target, name, last in rows}

    def page(
        self, queue: Queue, limit: int, size: int = SIZE, last: int = _NEWEST
    ) -> Sequence[SpooledLine]:
        """The oldest up to that id: so many, or of so many bytes, but one at least."""
        found = list[SpooledLine]()
        with self._turns.transaction() as connection:
            for row in connection.execute(
                f"SELECT id, time, line {_OF_QUEUE} AND id <= ? ORDER BY id LIMIT ?",
                (*queue, last, limit),
            ):
                one = SpooledLine._make(row)
                size -= len(one.line)
                if found and size < 0:
                    break
                found.append(one)
        return found

    def drop(self, queue: Queue, last: int) -> None:
        """All of it up to that id: it was delivered."""
        self._remove(queue, "id <= ?", last)

    def lose(self, queue: Queue, last: int) -> None:
        """The same of what will never be."""
        self.shed += self._remove(queue, "id <= ?", last)

    def expire(self, queue: Queue, time: int) -> int:
        """How many lines of before that time there were, which are lost."""
        lost = self._remove(queue, "time < ?", time)
        self.shed += lost
        return lost

    def _remove(self, queue: Queue, which: str, value: int) -> int:
        found = f"{_OF_QUEUE} AND {which}"
        with self._turns.transaction() as connection:
            count, size = connection.execute(
                f"SELECT count(*), coalesce(sum(length(line) + length(queue)), 0) {found}",
                (*queue, value),
            ).fetchone()
            connection.execute(f"DELETE {found}", (*queue, value))
            connection.execute(
                "UPDATE waiting SET size = size - ? WHERE target = ?", (size, queue.target)
            )
            connection.execute("DELETE FROM waiting WHERE size <= 0")
        return int(count)

    def _exists(self) -> bool:
        """Whether anybody has ever added a line: else there is no file."""
        if self._turns.begun:
            return True
        return self._path is not None and looking.is_there(self._path)
