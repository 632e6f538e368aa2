"""Purges as points in a cache's history: a row each, never a walk.

Whoever fetches notes the newest point *before* the fetch. What was fetched is
gone when a later mark names it (all, a prefix, a key, a tag), stale when that
mark is soft. So a purge costs one commit, whatever is stored, and a fill that
was under way cannot bring old bytes back.

The rows lie in a small database of their own (`marks.db`, synced at each
commit), which all workers watch: a look costs 0.2 µs (`common.commit_watch`), and
a mark counts in every worker once `add` has returned. What the newest mark has
been held against needs no other look.

Marks are `trim`med when all that they name has been removed and nobody can
still be at work with what they would judge: they stay for `KEPT` at least. A
process that has slept for longer than that is told (`missed`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from drivers.indexed.batch import Transaction
from drivers.indexed.commit import GroupCommit, Serial, Turnstile, Write
from drivers.indexed.headroom import Headroom
from drivers.indexed.sql_errors import translate
from gateway.common import private, sqlite
from gateway.common.commit_watch import Version, Watch, watch
from gateway.storage import Purge, PurgeKind

Verdict = Literal["good", "stale", "gone"]
GOOD: Verdict = "good"
STALE: Verdict = "stale"
GONE: Verdict = "gone"

KEPT = 30_000
"""Milliseconds for which a mark stays: longer than any look-up takes."""

_STATEMENTS = (
    """CREATE TABLE IF NOT EXISTS marks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, value TEXT NOT NULL,
    soft INTEGER NOT NULL, time INTEGER NOT NULL, UNIQUE (kind, value, soft))""",
    "CREATE TABLE IF NOT EXISTS trimmed (id INTEGER NOT NULL)",
)
_INSERT = "INSERT OR REPLACE INTO marks (kind, value, soft, time) VALUES (?, ?, ?, ?)"

_SELECT = "SELECT id, kind, value, soft FROM marks"


class MarkRow(NamedTuple):
    id: int
    kind: PurgeKind
    value: str
    soft: bool


class Named:
    """The newest mark of each name."""

    def __init__(self) -> None:
        self.everything = 0
        self.keys: dict[str, int] = {}
        self.prefixes: dict[str, int] = {}
        self.tags: dict[str, int] = {}

    def add(self, mark: MarkRow) -> None:
        if mark.kind == "all":
            self.everything = mark.id
        else:
            self._of(mark.kind)[mark.value] = mark.id

    def _of(self, kind: PurgeKind) -> dict[str, int]:
        return {"key": self.keys, "prefix": self.prefixes, "tag": self.tags}[kind]

    def newest(self, key: str, tags: Iterable[str]) -> int:
        """The newest mark that names an entry; 0 when none does."""
        found = max(self.everything, self.keys.get(key, 0))
        for prefix, number in tuple(self.prefixes.items()):
            if number > found and key.startswith(prefix):
                found = number
        for tag in tags:
            found = max(found, self.tags.get(tag, 0))
        return found

    def forget(self, upto: int) -> None:
        for kept in (self.keys, self.prefixes, self.tags):
            for value in [value for value, number in tuple(kept.items()) if number <= upto]:
                del kept[value]


_RESERVE = 1 << 20
"""Bytes set aside for marks: on a full disk what is removed through a cache, or purged, must
not be answered from it."""


class Marks:
    """`folder`: where the database lies; None for one in memory. `missed` is called with a
    point when marks up to it were trimmed before this process saw them."""

    def __init__(
        self, folder: Path | None, clock: Callable[[], int], missed: Callable[[int], object]
    ) -> None:
        self._clock, self._missed = clock, missed
        self._lock = threading.RLock()
        self._turn: Turnstile | None = None
        self._watch: Watch | None = None
        self._connections: list[sqlite3.Connection] = []
        try:
            self._open(folder)
        except BaseException as error:  # what cannot be used must not keep a file open
            self.close()
            if isinstance(error, sqlite3.Error):
                raise translate(error) from error
            raise

    def _open(self, folder: Path | None) -> None:
        if folder is None:
            self._reader = self._connect(None)
            serial = Serial(self._reader, self._lock, _nothing)
            self._write: Write = serial.write
            self._version: Callable[[], Version] = lambda: serial.commits
        else:
            path = folder / "marks.db"
            private.own_folder(folder)
            private.database(path)
            self._turn = Turnstile(folder)
            with self._turn:
                writer = self._connect(path)
            self._reader = self._connect(path)
            self._watch = watch(path)
            headroom = Headroom(writer, path, self._watch.size, least=_RESERVE)
            self._write = GroupCommit(writer, self._turn, _nothing, headroom).write
            self._version = self._watch.version
        self._write(_create)
        self._seen: Version = -1
        self.hard, self.soft = Named(), Named()
        self._known: dict[int, MarkRow] = {}
        self.last = self.forgotten = self._trimmed()
        self.lost = 0
        """What was fetched before that point cannot be judged here any more."""
        self._load()

    def _connect(self, path: Path | None) -> sqlite3.Connection:
        connection = sqlite.connect(path, "FULL")
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        """May be called twice."""
        for connection in self._connections:
            connection.close()
        if self._watch is not None:
            self._watch.close()  # after all connections: see `commit_watch`
        if self._turn is not None:
            self._turn.close()

    # looking

    def newest(self) -> int:
        """The newest point, with all marks known that were acknowledged before this call."""
        if self._version() != self._seen:
            self._load()
        return self.last

    def judge(self, key: str, tags: Iterable[str], point: int) -> Verdict:
        """What the marks after `point`, as of the last `newest`, say of an entry."""
        if point >= self.last:
            return GOOD
        if point < self.lost:
            return GONE
        if self.hard.newest(key, tags) > point:
            return GONE
        return STALE if self.soft.newest(key, tags) > point else GOOD

    def overtaken(self, key: str, point: int) -> bool:
        """Whether a fetch that began at that point may have been overtaken by a mark."""
        return point < self.forgotten or self.judge(key, (), point) != GOOD

    def _load(self) -> None:
        with self._lock:
            version = self._version()  # before the rows: a later commit is seen next time
            trimmed = self._trimmed()
            if trimmed > self.last:
                self.last = trimmed
                self._missed(trimmed)
            for row in self._query(
                "SELECT id, kind, value, soft FROM marks WHERE id > ?", self.last
            ):
                mark = MarkRow(row[0], row[1], row[2], bool(row[3]))
                (self.soft if mark.soft else self.hard).add(mark)
                self._known[mark.id] = mark
                self.last = max(self.last, mark.id)
            self._seen = version

    def _trimmed(self) -> int:
        return int(self._query("SELECT coalesce(max(id), 0) FROM trimmed")[0][0])

    def _query(self, sql: str, *parameters: object) -> list[Any]:
        with self._lock:
            try:
                return self._reader.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise translate(error) from error

    # changing

    def add(self, purges: Iterable[Purge]) -> int:
        """The point after all of them, once it holds in every worker."""
        rows = [(one.kind, one.value, one.soft, self._clock()) for one in purges]

        def operation(txn: Transaction) -> int:
            last = 0
            for row in rows:
                last = txn.execute(_INSERT, row).lastrowid or 0
                if row[0] == "all" and not row[2]:  # it says all that those before it say
                    txn.execute("DELETE FROM marks WHERE id < ?", (last,))
            return last

        return self._write(operation, room="remove")

    def old(self) -> list[MarkRow]:
        """Marks that have been there for long enough to be trimmed, in their order."""
        rows = self._query(
            f"{_SELECT} WHERE time <= ? ORDER BY id LIMIT 1000",
            self._clock() - KEPT,
        )
        return [MarkRow(row[0], row[1], row[2], bool(row[3])) for row in rows]

    def trim(self, upto: int) -> None:
        """Forget marks up to that point: nothing is left that they name."""

        def operation(txn: Transaction) -> None:
            txn.execute("DELETE FROM marks WHERE id <= ?", (upto,))
            txn.execute("DELETE FROM trimmed")
            txn.execute("INSERT INTO trimmed VALUES (?)", (upto,))

        self._write(operation, room="remove")

    def fading(self) -> list[MarkRow]:
        """Marks that this process knows, and that were trimmed: to be forgotten."""
        with self._lock:
            trimmed = self._trimmed()
            return [mark for number, mark in sorted(self._known.items()) if number <= trimmed]

    def forget(self, fading: list[MarkRow]) -> None:
        """What has not been judged since must be looked up again (see `forgotten`)."""
        if not fading:
            return
        last = fading[-1].id
        with self._lock:
            self.forgotten = max(self.forgotten, last)
            self.hard.forget(last)
            self.soft.forget(last)
            for mark in fading:
                del self._known[mark.id]


def _nothing(_: object) -> None:
    """No blobs are released here."""


def _create(txn: Transaction) -> None:
    for statement in _STATEMENTS:
        txn.execute(statement)
