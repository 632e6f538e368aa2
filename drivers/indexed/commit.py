"""How writes become durable.

Writers hand over operations: functions of a transaction. `GroupCommit` lets
the first that comes evaluate and commit the operations of all that wait (see
`batch`); every writer returns after the commit that holds its operation. While
the leader waits for the disk, the next batch gathers. (A thread of its own for
committing was measured too: two more switches per write, and slower.)

Between processes a `Turnstile` of two file locks lets writers pass in turn;
SQLite's own busy time-out is unfair (longest wait 182 ms against 19).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar, cast

from drivers.indexed.batch import Ledger, Room, Transaction, Waiter, commit_batch
from drivers.indexed.headroom import Headroom
from drivers.indexed.sql_errors import NoSpace
from gateway.common import private
from gateway.common.locks import FileLock
from gateway.common.waiting import about_to_wait
from gateway.storage import Unavailable

T = TypeVar("T")

BATCH = 256
"""Operations in one commit; more wait for the next."""

LEDGERS = 16
"""Services whose numbers an index in memory keeps between commits."""


class Write(Protocol):
    """What `GroupCommit` and `Serial` are for."""

    def __call__(
        self, operation: Callable[[Transaction], T], *, plain: bool = False, room: Room = ""
    ) -> T:
        """Its result, once it is durable. Raises what it raised, with nothing changed.

        `plain`: the operation leaves the rows of services to the ledgers (see `batch`).
        `room`: what it is given on a full disk (see `headroom`).
        """


class GroupCommit:
    """For an index in a file. `turn` is held around each transaction; `released` is told
    which blobs nothing needs any more; `headroom` is what removals have on a full disk."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        turn: Turnstile,
        released: Callable[[Sequence[str]], object],
        headroom: Headroom | None = None,
    ) -> None:
        self._connection, self._turn, self._released = connection, turn, released
        self._headroom = headroom
        self._mutex = threading.Lock()
        self._queue: list[Waiter] = []
        self._led = False

    def write(
        self, operation: Callable[[Transaction], T], *, plain: bool = False, room: Room = ""
    ) -> T:
        waiter = Waiter(operation, plain=plain, room=room)
        about_to_wait()
        with self._mutex:
            self._queue.append(waiter)
            waiter.lead, self._led = not self._led, True
        if not waiter.lead:
            waiter.wake.acquire()
        if waiter.lead:
            self._lead()
        return cast(T, waiter.outcome())

    def _lead(self) -> None:
        batch: list[Waiter] = []
        names: list[str] = []
        try:
            with self._turn:
                if self._headroom is not None:
                    self._headroom.tend()
                batch = self._take()
                names = commit_batch(self._connection, batch)
                if self._headroom is not None:
                    names += self._again(self._headroom, _without_space(batch))
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
        if names:
            self._released(names)

    def _again(self, headroom: Headroom, refused: Sequence[Waiter]) -> list[str]:
        """Do what the disk had no room for once more, where the log can begin anew; and then
        removals, one by one, with what was set aside for them."""
        if not refused:
            return []
        headroom.settle()
        names = self._retried(refused)
        removals = [one for one in _without_space(refused) if one.room]
        if removals:
            with headroom.given():
                for waiter in removals:
                    names += self._retried((waiter,))
                headroom.let_grow()
                for waiter in _without_space(removals):
                    if waiter.room == "remove":
                        names += self._retried((waiter,))
        return names

    def _retried(self, batch: Sequence[Waiter]) -> list[str]:
        for waiter in batch:
            waiter.error = None
        return commit_batch(self._connection, batch)

    def _take(self) -> list[Waiter]:
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


def _without_space(batch: Sequence[Waiter]) -> list[Waiter]:
    return [one for one in batch if isinstance(one.error, NoSpace)]


class Serial:
    """For an index in memory: one connection, which readers share, and one mutex.
    `commits` counts."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        mutex: threading.RLock,
        released: Callable[[Sequence[str]], object],
    ) -> None:
        self._connection, self._mutex, self._released = connection, mutex, released
        self._ledgers: dict[int, Ledger] = {}
        self.commits = 0

    def write(
        self, operation: Callable[[Transaction], T], *, plain: bool = False, room: Room = ""
    ) -> T:
        waiter = Waiter(operation, plain=plain, room=room)
        with self._mutex:
            if len(self._ledgers) > LEDGERS:
                self._ledgers.clear()
            names = commit_batch(self._connection, (waiter,), self._ledgers)
            self.commits += 1
            if names:
                self._released(names)
        return cast(T, waiter.outcome())


class Turnstile:
    """Lets one process at a time through, in about the order in which they came.

    Who comes takes `next`, then `hold`, then gives `next` back: so one waits at
    the door, the others queue behind it, and who has just left is last again.
    """

    def __init__(self, folder: Path) -> None:
        private.close(folder / "index.next")
        private.close(folder / "index.hold")
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
