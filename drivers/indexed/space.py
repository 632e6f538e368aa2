"""An index and its blobs, opened once per data folder (or once, in memory).

The stores of all services of a folder are views on its space, so that one
commit serves all writers and a copy between services moves no bytes. Readers
in a file take a connection from a pool; in memory all share one, and a mutex.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

from drivers.indexed.batch import Transaction
from drivers.indexed.blobs import Blobs, FileBlobs, MemoryBlobs, is_name
from drivers.indexed.commit import GroupCommit, Serial, Turnstile, Write
from drivers.indexed.headroom import LEAST, Headroom, reserve_of
from drivers.indexed.removals import LATER, Removals
from drivers.indexed.rows import Due, keep_file
from drivers.indexed.schema import prepare
from drivers.indexed.sql_errors import translate
from drivers.indexed.watching import Watchers
from gateway.common import private, sqlite
from gateway.common.closing import close_all
from gateway.common.commit_watch import Version, Watch, watch
from gateway.common.reserve import Reserve, no_room

log = logging.getLogger("gateway.engine")

GRACE = 3_600_000
"""Milliseconds that the files of a manifest stay after nothing needs them: longer than the
longest read, which may open its next piece only then."""

LIMIT = 8 << 20
"""Bytes that a process remembers, about."""

ENTRY = 2048
"""Bytes of an entry's objects, beside the object's own."""


class VersionedCache:
    """Entries of one version of the index; all go when they are too much."""

    __slots__ = ("_entries", "_lock", "_used", "get", "version")

    def __init__(self, version: object) -> None:
        self.version = version
        self._entries: dict[Hashable, Any] = {}
        self._lock, self._used = threading.Lock(), 0
        self.get = self._entries.get

    def keep(self, key: Hashable, value: Any, size: int) -> None:
        with self._lock:
            if self._used > LIMIT:
                self._entries.clear()
                self._used = 0
            self._entries[key] = value
            self._used += ENTRY + size


class Recent:
    """What a process found lately, for as long as nothing was committed.

    An object that is asked for again is found without SQLite, whose every call
    gives the GIL away. All that is remembered belongs to one version of the index;
    whoever sees another one begins anew. A look-up takes the version before it
    reads, and a writer is answered after the version changed. So nothing stale is
    ever given out, and a hit takes no lock.

    `version()` changes with every commit, by any process, before it is answered.
    """

    def __init__(self, version: Callable[[], object]) -> None:
        self._version = version
        self._memory = VersionedCache(version())

    def now(self) -> VersionedCache:
        version = self._version()
        memory = self._memory
        if memory.version != version:
            memory = self._memory = VersionedCache(version)
        return memory


class Space(ABC):
    """`clock` gives milliseconds. `grace` is for how many the files of a manifest stay when
    nothing needs them, None where readers hold all that they opened; `keep` is that for
    all files."""

    blobs: Blobs
    grace: int | None
    keep: int = 0
    recent: Recent
    """What was found lately (see `reading`)."""
    version: Callable[[], Version]
    """Changes with every commit, by any process, before it is answered."""
    watchers: Watchers
    """Who is to be told that a service has changes, by whoever made them."""
    write: Write

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.before_close: list[Callable[[], object]] = []

    def due(self, time: int) -> Due:
        """When files may go of what is dropped at `time`."""
        pieces = None if self.grace is None else time + max(self.grace, self.keep)
        return Due(time + self.keep if self.keep else None, pieces)

    @abstractmethod
    def looking(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """A connection for reading; cursors are used up before the block ends. Each statement
        may see another moment."""

    @abstractmethod
    def reading(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """As `looking`, and all statements see one moment."""

    @abstractmethod
    def one(self, sql: str, parameters: Sequence[object]) -> Any:
        """The first row of a query, or None."""

    @abstractmethod
    def close(self) -> None: ...

    def _sequences(self, services: Collection[int]) -> dict[int, int]:
        """The newest sync ids, of those services that are there."""
        sql = "SELECT sequence FROM services WHERE id = ?"
        with self.looking() as connection:
            rows = {one: connection.execute(sql, (one,)).fetchone() for one in services}
        return {service: row[0] for service, row in rows.items() if row is not None}


class FileSpace(Space):
    """`reserve`: space is set aside for removals (see `headroom`). What cannot be removed is tried
    again `later`, and then a row of its own, which `keep_file` makes, until it can be."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], int],
        *,
        sync: bool = True,
        grace: int = GRACE,
        keep: int = 0,
        reserve: bool = False,
        later: Sequence[float] = LATER,
        keep_file: Callable[[Transaction, str, int, int], object] = keep_file,
    ) -> None:
        super().__init__(clock)
        self.folder, self.sync, self.grace, self.keep = folder, sync, grace, keep
        private.make_folder(folder)
        self.path = folder / "index.db"
        private.database(self.path)
        self._idle: list[sqlite3.Connection] = []
        self._opened: list[sqlite3.Connection] = []
        self._mutex = threading.Lock()
        self._turn = Turnstile(folder)
        self._watch: Watch | None = None
        self._headroom: Headroom | None = None
        writer, self._watch = self._begun(reserve)
        self._keep_file = keep_file
        self._removals = Removals(self._remove, self._leave, later)
        self.files = FileBlobs(folder / "blobs", sync=sync, clock=clock, later=self._removals.add)
        self.blobs = self.files
        self.before_close.append(self._removals.close)
        self.committer = GroupCommit(writer, self._turn, self._removals.add, self._headroom)
        self.write = self.committer.write
        self.version = self._watch.version
        self.recent = Recent(self.version)
        self.watchers = Watchers(self.version, self._sequences)
        self.before_close.append(self.watchers.close)

    def _begun(self, reserve: bool) -> tuple[sqlite3.Connection, Watch]:
        """The writer's connection, and what sees commits."""
        try:
            with self._turn:
                writer = self._prepared()
                self._watch = watch(self.path)
                if reserve:
                    self._headroom = Headroom(writer, self.path, self._watch.size)
                return writer, self._watch
        except sqlite3.Error as error:  # damaged, or a disk with no room for SQLite's own files
            self.close()
            raise translate(error) from error
        except BaseException:
            self.close()
            raise

    def _prepared(self) -> sqlite3.Connection:
        """The writer's connection. Where there is no room for SQLite's own files, what was
        set aside goes: who cannot start can remove nothing."""
        try:
            return self._opened_for_writing()
        except sqlite3.Error as error:
            reserve = Reserve(reserve_of(self.path))
            if not (no_room(error) and reserve.give()):
                raise
        connection = self._opened_for_writing()
        reserve.keep(LEAST)  # what is left of it, before somebody else takes that
        return connection

    def _opened_for_writing(self) -> sqlite3.Connection:
        connection = self._connect()
        try:
            prepare(connection, self.path)
        except BaseException:
            self._opened.remove(connection)
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite.connect(self.path, "FULL" if self.sync else "NORMAL")
        try:
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
        except BaseException:  # what cannot be used must not keep a file open
            connection.close()
            raise
        with self._mutex:
            self._opened.append(connection)
        return connection

    def _reader(self) -> sqlite3.Connection:
        """An idle connection, or a new one: there are as many as ever read at once."""
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise translate(error) from error
        return connection

    @contextlib.contextmanager
    def looking(self) -> Iterator[sqlite3.Connection]:
        connection = self._reader()
        try:
            yield connection
        except sqlite3.Error as error:
            raise translate(error) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._idle.append(connection)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self.looking() as connection:
            connection.execute("BEGIN")
            yield connection

    def one(self, sql: str, parameters: Sequence[object]) -> Any:
        connection = self._reader()
        try:
            return connection.execute(sql, parameters).fetchone()
        except sqlite3.Error as error:
            raise translate(error) from error
        finally:
            self._idle.append(connection)

    def _remove(self, name: str) -> None:
        self.blobs.remove(name)

    def _leave(self, names: Sequence[str]) -> None:
        """Have the index know files that could not be removed, as what is to be."""
        left, now = [(name, self.files.size(name)) for name in names if is_name(name)], self.clock()

        def operation(txn: Transaction) -> None:
            for name, size in left:
                self._keep_file(txn, name, size, now)

        self.write(operation)

    def close(self) -> None:
        close_all(log, ((str(self.folder), step) for step in self._ends()))

    def _ends(self) -> Iterator[Callable[[], object]]:
        yield from self.before_close
        with self._mutex:
            opened, self._opened = self._opened, []
        yield from (one.close for one in opened)
        if self._watch is not None:
            yield self._watch.close  # after all connections: see `commit_watch`
        if self._headroom is not None:
            yield self._headroom.close
        yield self._turn.close


class MemorySpace(Space):
    grace = None

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self._mutex = threading.RLock()
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA synchronous = OFF")
        prepare(self._connection, Path(":memory:"))
        self.blobs = MemoryBlobs()
        serial = Serial(self._connection, self._mutex, self._forget)
        self.write, self.version = serial.write, lambda: serial.commits
        self.recent, self.watchers = Recent(self.version), Watchers(None, self._sequences)

    def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            self.blobs.remove(name)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            yield self._connection

    looking = reading

    def one(self, sql: str, parameters: Sequence[object]) -> Any:
        with self._mutex:
            return self._connection.execute(sql, parameters).fetchone()

    def close(self) -> None:
        self.watchers.close()
        with self._mutex:
            self._connection.close()
