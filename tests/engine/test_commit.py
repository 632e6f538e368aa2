"""Group commit: what fails, fails alone; who waits, is answered; processes take turns."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from drivers.indexed.batch import Transaction, Waiter, commit_batch
from drivers.indexed.commit import GroupCommit, Turnstile
from drivers.indexed.records import pack_detail
from drivers.local import Local
from drivers.memory import Memory
from gateway.storage import BytesBody, Context, Full, PreconditionFailed, Put, Unavailable
from gateway.storage.checksums import CHECKSUMS, compute
from gateway.storage.objects import ChecksumType


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


def test_an_operation_that_is_alone_runs_once_and_takes_back_its_changes(
    database: sqlite3.Connection, turn: Turnstile
) -> None:
    commit, runs = GroupCommit(database, turn, list), []

    def operation(txn: Transaction) -> None:
        runs.append(insert("a")(txn))
        raise PreconditionFailed(key="a")

    with pytest.raises(PreconditionFailed):
        commit.write(operation)
    commit.write(insert("b"))
    assert (runs, keys(database)) == (["a"], {"b"})


def test_the_numbers_that_an_index_in_memory_keeps_are_those_that_were_committed() -> None:
    store = Memory(quota=10, keep_versions="off")
    store.open(Context(sid="s"))
    try:

        def put(key: str, size: int) -> str | None:
            return store.put(key, BytesBody(bytes(size)), Put(size=size)).version

        put("a", 4)
        with pytest.raises(Full):
            put("b", 20)
        put("b", 5)
        store.set_versioning("on")
        assert put("c", 1) is not None
        with pytest.raises(Full):
            put("a", 1)  # the older version counts, too
        assert [one.sequence for one in store.changes().changes] == [1, 2, 3]
        assert (store.stats().objects, store.stats().bytes) == (3, 10)
    finally:
        store.close()


def test_what_was_refused_in_a_batch_is_in_no_volume(tmp_path: Path) -> None:
    store = Local()
    store.open(Context(sid="", folder=tmp_path))
    store.set_volume("v", 100)
    for name in "abc":
        store.create(name, volume="v")
    services = [cast(Local, store.bucket(name)).service for name in "abc"]

    def take(service: int, size: int, *, fail: bool) -> Callable[[Transaction], None]:
        def operation(txn: Transaction) -> None:
            ledger = txn.ledger(service)
            before = ledger.used
            ledger.add(size)
            ledger.limit(before)
            if fail:
                raise PreconditionFailed

        return operation

    sizes = (10, 90, 90)
    batch = [
        Waiter(take(one, size, fail=one == services[1]), plain=True)
        for one, size in zip(services, sizes, strict=True)
    ]
    connection = sqlite3.connect(tmp_path / "index.db", isolation_level=None)
    try:
        commit_batch(connection, batch)
        failed = [one.error is not None for one in batch]
        assert failed == [False, True, False]
        assert store.volumes()["v"].used == 100
    finally:
        connection.close()
        store.close()


@pytest.mark.parametrize("kind", ["FULL_OBJECT", "COMPOSITE", None])
def test_a_checksum_alone_is_kept_as_json(kind: ChecksumType | None) -> None:
    for name in CHECKSUMS:
        checksums = {name: compute(name, b"bytes")}
        kept = json.loads(pack_detail(Put(checksum_type=kind), checksums))
        assert kept == {"c": checksums} | ({"k": kind} if kind == "COMPOSITE" else {})


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
