"""What a dropped service leaves goes in steps, between which others write; nothing else goes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.indexed import upkeep
from drivers.indexed.space import FileSpace
from drivers.indexed.upkeep import forget_changes, remove_due, remove_orphans
from drivers.local import Local
from drivers.memory import Memory
from gateway.storage import BytesBody, Context, Put


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Local]:
    local = Local()
    local.open(Context(folder=tmp_path))
    yield local
    local.close()


def fill(account: Any, name: str, number: int) -> None:
    """A service that was changed so many times, and is empty."""
    bucket = account.create(name) and account.bucket(name)
    for _ in range(number // 2):
        bucket.put("k", BytesBody(b"x"), Put(size=1))
        bucket.delete("k")


def kept(account: Any) -> int:
    with account.space.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM changes").fetchone()[0])


def test_changes_of_dropped_services_are_forgotten_and_no_others(account: Local) -> None:
    for name in ("a", "b", "c", "d"):
        fill(account, name, 20)
    account.drop("a")
    account.drop("c")
    assert kept(account) == 80
    assert forget_changes(account.space) == 40
    assert forget_changes(account.space) == 0
    for name in ("b", "d"):
        assert len(account.bucket(name).changes().changes) == 20


def test_a_service_of_the_same_name_begins_anew(account: Local) -> None:
    fill(account, "a", 20)
    account.drop("a")
    fill(account, "a", 2)
    assert [one.sequence for one in account.bucket("a").changes().changes] == [1, 2]
    assert forget_changes(account.space) == 20
    assert [one.sequence for one in account.bucket("a").changes().changes] == [1, 2]


def test_it_goes_in_steps_and_others_write_between_them(
    account: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "STEP", 7)
    fill(account, "a", 50)
    account.create("b")
    account.drop("a")
    other, sizes = account.bucket("b"), [50]
    write = account.space.write

    def writing(operation: Callable[..., Any], **given: Any) -> Any:
        done = write(operation, **given)
        sizes.append(kept(account) - len(other.changes().changes))
        write(lambda txn: None)  # another's turn
        return done

    with monkeypatch.context() as patch:
        patch.setattr(account.space, "write", writing)
        assert forget_changes(account.space) == 50
    assert sizes == [50, 43, 36, 29, 22, 15, 8, 1, 0]


def test_what_is_left_when_patience_ends_goes_the_next_time(
    account: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(account, "a", 20)
    account.drop("a")
    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "PATIENCE", -1.0)
        assert forget_changes(account.space) == 0
    assert forget_changes(account.space) == 20


def test_looking_for_them_costs_a_seek_for_each_service(account: Local) -> None:
    for name in ("a", "b"):
        fill(account, name, 6)
    many = [
        (service, number, "put", 0, "k", "null", 1, "", "", "")
        for service in (1, 2)
        for number in range(100, 20_000)
    ]
    sql = f"INSERT INTO changes VALUES ({', '.join('?' * 10)})"
    account.space.write(lambda txn: [txn.execute(sql, row) for row in many])
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection = sqlite3.connect(account.space.path)  # type: ignore[attr-defined]  # a FileSpace
    connection.set_progress_handler(count, 1)
    assert connection.execute(upkeep._DROPPED).fetchall() == []
    connection.close()
    assert steps < 500


def held(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "blobs").rglob("?" * 32))


def test_what_cannot_be_removed_is_told_and_stops_nothing_else(
    account: Local, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a row, a file or a folder is like."""
    space = account.space
    assert isinstance(space, FileSpace)
    account.create("a")
    bucket: Any = account.bucket("a")
    for number in range(3):
        bucket.put(f"k{number}", BytesBody(bytes(100_000)), Put(size=100_000))
    in_the_way = held(tmp_path)[0]
    in_the_way.unlink()
    (in_the_way / "folder").mkdir(parents=True)
    rows = "INSERT INTO blobs (refs, size, name, due) VALUES (0, 1, ?, 0)"
    bad = ("", "../../index.db", "\0", "é" * 32, "ab/cd", "A" * 32)
    space.write(lambda txn: [txn.execute(rows, (name,)) for name in bad])
    space.write(lambda txn: txn.execute("UPDATE blobs SET refs = 0, due = 0"))
    for _ in range(2):
        remove_due(space)
        assert held(tmp_path) == [in_the_way]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert all("7 files that nothing needs cannot be removed yet" in line for line in told)
    assert (tmp_path / "index.db").exists()


def test_a_folder_that_is_unreadable_keeps_no_orphan_elsewhere(
    account: Local, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    space, blobs = account.space, tmp_path / "blobs"
    assert isinstance(space, FileSpace)
    (blobs / "20").write_bytes(b"no folder")
    for name in ("0f" * 16, "ff" * 16):
        (blobs / name[:2]).mkdir(exist_ok=True)
        (blobs / name[:2] / name).write_bytes(b"left by a process that died")
        os.utime(blobs / name[:2] / name, (0, 0))
    (blobs / "ff" / "stranger").write_bytes(b"whose?")
    assert remove_orphans(space) == 2
    assert held(tmp_path) == []
    assert [record.getMessage().count("cannot be looked at") for record in caplog.records] == [1]
    assert (blobs / "ff" / "stranger").exists()


def test_in_memory_they_go_at_once() -> None:
    memory = Memory()
    memory.open(Context())
    fill(memory, "a", 20)
    memory.drop("a")
    assert kept(memory) == 0
    memory.close()
