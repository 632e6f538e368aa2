"""Group commit: what fails, fails alone; who waits, is answered; processes take turns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.indexed.batch import Transaction
from drivers.indexed.commit import GroupCommit, Turnstile
from gateway.storage import PreconditionFailed, Unavailable


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "t.db", isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE t (k TEXT PRIMARY KEY)")
    yield connection
    connection.close()


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Turnstile]:
    turnstile = Turnstile(tmp_path)
    yield turnstile
    turnstile.close()


def insert(key: str, *, fail: bool = False) -> Callable[[Transaction], str]:
    def operation(txn: Transaction) -> str:
        txn.execute("INSERT INTO t VALUES (?)", (key,))
        if fail:
            raise PreconditionFailed(key=key)
        return key

    return operation


def keys(database: sqlite3.Connection) -> set[str]:
    return {key for (key,) in database.execute("SELECT k FROM t")}


def test_an_operation_that_fails_takes_back_its_own_changes_only(
    database: sqlite3.Connection, turn: Turnstile
) -> None:
    commit = GroupCommit(database, turn, list)
    outcomes: dict[str, object] = {}
    entered, go_on = threading.Event(), threading.Event()

    def slow(txn: Transaction) -> None:
        entered.set()
        go_on.wait()

    def write(key: str, fail: bool) -> None:
        try:
            outcomes[key] = commit.write(insert(key, fail=fail))
        except PreconditionFailed as error:
            outcomes[key] = error

    leader = threading.Thread(target=commit.write, args=(slow,))
    leader.start()
    entered.wait()
    writers = [threading.Thread(target=write, args=(f"k{n}", n % 3 == 0)) for n in range(30)]
    for writer in writers:
        writer.start()
    while len(commit._queue) < 30:  # all of them are to be in one batch
        pass
    go_on.set()
    for writer in [leader, *writers]:
        writer.join()

    assert keys(database) == {f"k{n}" for n in range(30) if n % 3}
    assert all(isinstance(outcomes[f"k{n}"], PreconditionFailed) for n in range(0, 30, 3))


def test_an_sql_error_belongs_to_its_writer(database: sqlite3.Connection, turn: Turnstile) -> None:
    commit = GroupCommit(database, turn, list)
    commit.write(insert("a"))
    with pytest.raises(Unavailable):
        commit.write(insert("a"))
    commit.write(insert("b"))
    assert keys(database) == {"a", "b"}


def test_a_commit_that_fails_fails_for_all_of_its_writers(
    database: sqlite3.Connection, turn: Turnstile
) -> None:
    commit = GroupCommit(database, turn, list)
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("CREATE TABLE child (k TEXT REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(Unavailable):  # the violation is found by COMMIT
        commit.write(lambda txn: txn.execute("INSERT INTO child VALUES ('orphan')"))
    commit.write(insert("after"))
    assert keys(database) == {"after"}


def test_nobody_is_forgotten_under_load(database: sqlite3.Connection, turn: Turnstile) -> None:
    commit = GroupCommit(database, turn, list)

    def write(writer: int) -> None:
        for n in range(40):
            commit.write(insert(f"{writer}-{n}"))

    writers = [threading.Thread(target=write, args=(n,)) for n in range(16)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    assert len(keys(database)) == 16 * 40


def test_a_turnstile_that_fails_lets_nobody_wait_for_ever(
    database: sqlite3.Connection, turn: Turnstile, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = GroupCommit(database, turn, list)

    def fail() -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(turn._next, "acquire", fail)
        with pytest.raises(Unavailable):
            commit.write(insert("a"))
    commit.write(insert("b"))
    assert keys(database) == {"b"}


def test_what_was_committed_stays_so_when_the_turnstile_cannot_be_given_back(
    database: sqlite3.Connection, turn: Turnstile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("gone")

    monkeypatch.setattr(turn._hold, "release", fail)
    assert GroupCommit(database, turn, list).write(insert("a")) == "a"
    assert keys(database) == {"a"}
