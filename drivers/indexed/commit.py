"""How writes become durable.

Writers hand over operations: functions of a transaction. `GroupCommit` lets
the first that comes evaluate and commit, in one transaction, the operations of
all that wait, each under a savepoint, so that one fails alone and sees those
before it; every writer returns after the commit that holds its operation.
While the leader waits for the disk, the next batch gathers. (A thread of its
own for committing was measured too: two more switches per write, and slower.)

Between processes a `Turnstile` of two file locks lets writers pass in turn;
SQLite's own busy time-out is unfair (longest wait 182 ms against 19).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from gateway.storage import Full, StorageError, Unavailable
from gateway.storage.locks import FileLock

T = TypeVar("T")
Operation = Callable[["Transaction"], Any]

BATCH = 256
"""Operations in one commit; more wait for the next."""


class Transaction:
    """What an operation works with. `released` collects names of blobs that nothing
    needs after the commit."""

    __slots__ = ("execute", "released")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.execute = connection.execute
        self.released: list[str] = []

    def one(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        return self.execute(sql, parameters).fetchone()


class Committer(Protocol):
    def write(self, operation: Callable[[Transaction], T]) -> T:
        """Its result, once it is durable. Raises what it raised, with nothing changed."""


class Uncertain(Unavailable):
    """The commit failed in a way that may yet turn out to have worked."""


def translate(error: sqlite3.Error) -> StorageError:
    """SQLite's errors that are not programming errors, as the contract's."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return Full()
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable("The index is locked by another process.", retry_after=1)
    return Unavailable(f"The index cannot be written or read: {error}.")


class _Waiter:
    __slots__ = ("error", "lead", "operation", "result", "wake")

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.result: Any = None
        self.error: BaseException | None = None
        self.lead = False
        self.wake = threading.Lock()
        self.wake.acquire()

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result


def run_batch(connection: sqlite3.Connection, batch: Sequence[_Waiter]) -> list[str]:
    """Evaluate all in the open transaction; the names of blobs released."""
    released: list[str] = []
    for waiter in batch:
        transaction = Transaction(connection)
        connection.execute("SAVEPOINT operation")
        try:
            waiter.result = waiter.operation(transaction)
        except BaseException as error:  # whatever it is belongs to the writer that waits
            waiter.error = translate(error) if isinstance(error, sqlite3.Error) else error
            if not connection.in_transaction:
                raise  # SQLite has rolled all of it back: the batch is lost
            connection.execute("ROLLBACK TO operation")
        else:
            released += transaction.released
        connection.execute("RELEASE operation")
    return released


def commit_batch(connection: sqlite3.Connection, batch: Sequence[_Waiter]) -> list[str]:
    """One transaction for all; what fails as a whole fails for each of them."""
    committing = False
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            released = run_batch(connection, batch)
            committing = True
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except BaseException as error:  # it belongs to the writers; none of them was answered yet
        failure = translate(error) if isinstance(error, sqlite3.Error) else error
        if committing and type(failure) is Unavailable:
            failure = Uncertain(failure.message)
        for waiter in batch:
            waiter.error = waiter.error or failure
        return []
    return released


class GroupCommit:
    """For an index in a file. `turn` is held around each transaction."""

    def __init__(self, connection: sqlite3.Connection, turn: Turnstile) -> None:
        self._connection, self._turn = connection, turn
        self._mutex = threading.Lock()
        self._queue: list[_Waiter] = []
        self._led = False

    def write(self, operation: Callable[[Transaction], T]) -> T:
        waiter = _Waiter(operation)
        with self._mutex:
            self._queue.append(waiter)
            waiter.lead, self._led = not self._led, True
        if not waiter.lead:
            waiter.wake.acquire()
        if waiter.lead:
            self._lead()
        return cast(T, waiter.outcome())

    def _lead(self) -> None:
        batch: list[_Waiter] = []
        try:
            with self._turn:
                batch = self._take()
                commit_batch(self._connection, batch)
        except BaseException as error:  # of the turnstile: nobody may wait for ever
            batch = batch or self._take()
            failure = Unavailable(f"The index cannot be locked: {error}.")
            for waiter in batch:
                waiter.error = waiter.error or failure
        finally:
            self._hand_over()
            for waiter in batch:
                if not waiter.lead:
                    waiter.wake.release()

    def _take(self) -> list[_Waiter]:
        with self._mutex:
            batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
        return batch

    def _hand_over(self) -> None:
        with self._mutex:
            following = self._queue[0] if self._queue else None
            self._led = following is not None
        if following is not None:
            following.lead = True
            following.wake.release()


class Serial:
    """For an index in memory: one connection, which readers share, and one mutex."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        mutex: threading.RLock,
        released: Callable[[Sequence[str]], object],
    ) -> None:
        self._connection, self._mutex, self._released = connection, mutex, released

    def write(self, operation: Callable[[Transaction], T]) -> T:
        waiter = _Waiter(operation)
        with self._mutex:
            names = commit_batch(self._connection, (waiter,))
            if names:
                self._released(names)
        return cast(T, waiter.outcome())


class Turnstile:
    """Lets one process at a time through, in about the order in which they came.

    Who comes takes `next`, then `hold`, then gives `next` back: so one waits at
    the door, the others queue behind it, and who has just left is last again.
    """

    def __init__(self, folder: Path) -> None:
        self._next = FileLock(folder / "index.next")
        self._hold = FileLock(folder / "index.hold")

    def __enter__(self) -> None:
        self._next.acquire()
        try:
            self._hold.acquire()
        finally:
            self._next.release()

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):  # what was committed stays so
            self._hold.release()

    def close(self) -> None:
        self._next.close()
        self._hold.close()
