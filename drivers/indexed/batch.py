"""One transaction for the operations of all that wait.

Operations run one after the other, each seeing those before it. One that
fails has hardly ever changed anything by then, so they run without savepoints
first; when one fails too late for that, all is undone, and each runs again
under a savepoint of its own. So an operation may run twice: what it does
outside of the transaction must bear that. One that is alone needs none of this.

What a service's row counts is kept between operations, and written once.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal

from drivers.indexed.shared_quota import SharedQuota
from drivers.indexed.sql_errors import Uncertain, translate
from gateway.storage import NoSuchStore, QuotaExceeded, Unavailable, Versioning

Operation = Callable[["Transaction"], Any]

Room = Literal["", "hide", "remove"]
"""What an operation may have of what is set aside for a full disk: nothing; what the log
needs; and what the database does. It gives more back only where it removes for good."""


class Ledger:
    """A service's row, read when a transaction first needs it, and written at its end."""

    __slots__ = (
        "_saved", "bytes", "current", "limited", "objects", "quota", "sequence", "service",
        "shared", "uploads", "versioning", "volume", "waiting",
    )  # fmt: skip

    def __init__(self, one: Callable[..., Any], service: int) -> None:
        row = one(
            "SELECT versioning, sequence, objects, bytes, quota, waiting, current, uploads,"
            " volume FROM services WHERE id = ?",
            (service,),
        )
        if row is None:
            raise NoSuchStore
        self.versioning: Versioning = row[0]
        self.sequence: int = row[1]
        self.objects: int = row[2]
        self.bytes: int = row[3]
        self.quota: int | None = row[4]
        self.waiting: int = row[5]
        """Bytes of the parts of uploads under way."""
        self.current: int = row[6]
        """Keys that have an object which is no older version."""
        self.uploads: int = row[7]
        """Those under way."""
        self.volume: int | None = row[8]
        self.limited = self.quota is not None
        """There is a quota, its own or its volume's."""
        self.shared: SharedQuota | None = None
        self.service, self._saved = service, self.state

    @property
    def versioned(self) -> bool:
        return self.versioning != "off"

    @property
    def state(self) -> tuple[int, int, int, int, int, int]:
        return (
            self.sequence, self.objects, self.bytes, self.waiting, self.current, self.uploads,
        )  # fmt: skip

    @state.setter
    def state(self, state: tuple[int, int, int, int, int, int]) -> None:
        (
            self.sequence, self.objects, self.bytes, self.waiting, self.current, self.uploads,
        ) = state  # fmt: skip

    @property
    def used(self) -> int:
        """Of the quota: by objects, and by parts that wait."""
        return self.bytes + self.waiting

    @property
    def added(self) -> int:
        """`used` since it was saved."""
        return self.used - self._saved[2] - self._saved[3]

    def join(self, shared: SharedQuota) -> None:
        """Be counted in its volume, too."""
        self.shared = shared
        shared.members.append(self)
        self.limited = self.limited or shared.quota is not None

    def leave(self) -> None:
        """As if it had not been read."""
        if self.shared is not None:
            self.shared.members.remove(self)

    def limit(self, before: int) -> None:
        """Refuse what came since so much was `used`, where that is more than the quota. What
        adds nothing is not refused: it may have been lowered."""
        if self.quota is not None and self.used > max(self.quota, before):
            raise QuotaExceeded(quota=self.quota, used=before, size=self.used - before)
        if self.shared is not None:
            self.shared.limit(self.used - before)

    def add(self, size: int) -> None:
        self.objects += 1
        self.bytes += size

    def resize(self, change: int) -> None:
        """What an object has beside its bytes becomes more, or less."""
        self.bytes += change

    def remove(self, size: int) -> None:
        self.objects -= 1
        self.bytes -= size

    def next(self) -> int:
        self.sequence += 1
        return self.sequence

    def save(self, execute: Callable[..., Any]) -> None:
        state = self.state
        if state != self._saved:
            if self.shared is not None and (added := self.added):
                self.shared.save(execute, added)
            execute(
                "UPDATE services SET sequence = ?, objects = ?, bytes = ?, waiting = ?,"
                " current = ?, uploads = ? WHERE id = ?",
                (*state, self.service),
            )
            self._saved = state


class Transaction:
    """What operations work with. `released` collects names of blobs that nothing
    needs after the commit. `execute` gives one cursor again and again: its rows are
    fetched before the next statement."""

    __slots__ = ("_ledgers", "execute", "released")

    def __init__(
        self, connection: sqlite3.Connection, ledgers: dict[int, Ledger] | None = None
    ) -> None:
        self.execute = connection.cursor().execute
        self.released: list[str] = []
        self._ledgers: dict[int, Ledger] = {} if ledgers is None else ledgers

    def one(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        return self.execute(sql, parameters).fetchone()

    def ledger(self, service: int) -> Ledger:
        """The service's numbers. Raises `NoSuchStore`."""
        found = self._ledgers.get(service)
        if found is None:
            found = Ledger(self.one, service)
            if found.volume is not None:
                found.join(self._shared_quota(found.volume))
            self._ledgers[service] = found
        return found

    def _shared_quota(self, volume: int) -> SharedQuota:
        for one in self._ledgers.values():
            if one.shared is not None and one.volume == volume:
                return one.shared
        return SharedQuota(self.one, volume)

    def save(self) -> None:
        """Write the ledgers."""
        for ledger in self._ledgers.values():
            ledger.save(self.execute)

    def settle(self) -> None:
        """Write the ledgers, and read them anew when they are asked for again: for
        operations that work on the services' rows themselves."""
        self.save()
        self._ledgers.clear()

    def keep(self) -> Callable[[], None]:
        """A function that gives the ledgers and `released` back their state of now."""
        states = [(ledger, ledger.state) for ledger in self._ledgers.values()]
        released = len(self.released)

        def restore() -> None:
            del self.released[released:]
            known = {ledger.service: ledger for ledger, _ in states}
            for ledger in self._ledgers.values():
                if known.get(ledger.service) is not ledger:
                    ledger.leave()
            self._ledgers = known
            for ledger, state in states:
                ledger.state = state

        return restore


class Waiter:
    """An operation, whoever waits for it, and what became of it. `plain`: it leaves the
    services' rows to the ledgers."""

    __slots__ = ("error", "lead", "operation", "plain", "result", "room", "wake")

    def __init__(self, operation: Operation, *, plain: bool, room: Room = "") -> None:
        self.operation, self.plain, self.room = operation, plain, room
        self.result: Any = None
        self.error: BaseException | None = None
        self.lead = False
        self.wake = threading.Lock()
        self.wake.acquire()

    def run(self, transaction: Transaction) -> None:
        """Set `result`, or `error`: whatever it is belongs to the writer that waits."""
        self.error = None
        try:
            if not self.plain:
                transaction.settle()
            self.result = self.operation(transaction)
        except BaseException as error:
            self.error = translate(error) if isinstance(error, sqlite3.Error) else error

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result


def _run_together(connection: sqlite3.Connection, batch: Sequence[Waiter]) -> list[str] | None:
    """None when an operation failed that had changed something."""
    transaction = Transaction(connection)
    for waiter in batch:
        before, restore = connection.total_changes, transaction.keep()
        waiter.run(transaction)
        if waiter.error is not None:
            if connection.total_changes != before or not connection.in_transaction:
                return None
            restore()
    transaction.settle()
    return transaction.released


def _run_apart(connection: sqlite3.Connection, batch: Sequence[Waiter]) -> list[str]:
    """Each under a savepoint. Raises when SQLite has rolled all of it back: the batch is lost."""
    released: list[str] = []
    for waiter in batch:
        transaction = Transaction(connection)
        connection.execute("SAVEPOINT operation")
        waiter.run(transaction)
        if waiter.error is None:
            transaction.settle()
            released += transaction.released
        elif connection.in_transaction:
            connection.execute("ROLLBACK TO operation")
        else:
            raise waiter.error
        connection.execute("RELEASE operation")
    return released


def _run_alone(
    connection: sqlite3.Connection, waiter: Waiter, ledgers: dict[int, Ledger] | None
) -> list[str]:
    """Without the means to undo one operation of several. Raises what it raised."""
    transaction = Transaction(connection, ledgers)
    waiter.run(transaction)
    if waiter.error is not None:
        raise waiter.error
    transaction.save()
    return transaction.released


def _run(
    connection: sqlite3.Connection, batch: Sequence[Waiter], ledgers: dict[int, Ledger] | None
) -> list[str]:
    """Evaluate all in a transaction that stays open; the names of blobs released."""
    connection.execute("BEGIN IMMEDIATE")
    if len(batch) == 1:
        return _run_alone(connection, batch[0], ledgers)
    released = _run_together(connection, batch)
    if released is None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        released = _run_apart(connection, batch)
    return released


def commit_batch(
    connection: sqlite3.Connection,
    batch: Sequence[Waiter],
    ledgers: dict[int, Ledger] | None = None,
) -> list[str]:
    """One transaction for all; what fails as a whole fails for each of them.

    The names of blobs that nothing needs any more. `ledgers`: what is kept of services
    between transactions of one, where nobody else writes; forgotten when one fails.
    """
    committing = False
    try:
        try:
            released = _run(connection, batch, ledgers)
            committing = True
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except BaseException as error:  # it belongs to the writers; none of them was answered yet
        if ledgers is not None:
            ledgers.clear()
        failure = translate(error) if isinstance(error, sqlite3.Error) else error
        if committing and type(failure) is Unavailable:
            failure = Uncertain(failure.message)
        for waiter in batch:
            waiter.error = waiter.error or failure
        return []
    return released
