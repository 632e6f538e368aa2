"""What is counted wrong is found, and set right, while others write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.indexed import recounting
from drivers.indexed.store import IndexedStore
from drivers.local import Local
from drivers.memory import Memory
from gateway.storage import BytesBody, Context, Delete, Put, Recount, Stats

COLUMNS = ("objects", "bytes", "current", "uploads", "waiting")


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IndexedStore]:
    store = Local() if request.param == "local" else Memory()
    store.open(Context(sid="bucket", folder=tmp_path))
    for key in "aabc":
        put(store, key)
    store.delete("c")
    upload = store.begin("k").id
    store.put_part("k", upload, 1, BytesBody(b"part"), Put(size=4))
    yield store
    store.close()


def put(store: IndexedStore, key: str) -> None:
    store.put(key, BytesBody(b"data"), Put(size=4))


def falsify(store: IndexedStore, **by: int) -> None:
    what = ", ".join(f"{column} = {column} + {amount}" for column, amount in by.items())
    store.space.write(lambda txn: txn.execute(f"UPDATE services SET {what}"))


def test_it_counts_what_is_there(store: IndexedStore) -> None:
    counted, found = store.recount(repair=True)
    assert counted == found == store.stats()
    assert [getattr(found, name) for name in COLUMNS] == [4, 16, 2, 1, 4]


@pytest.mark.parametrize("column", COLUMNS)
def test_each_number_that_is_wrong_is_found_and_set_right(store: IndexedStore, column: str) -> None:
    right = store.stats()
    falsify(store, **{column: 3})
    wrong = store.stats()
    assert wrong != right
    assert store.recount() == store.recount() == Recount(wrong, right)
    assert store.recount(repair=True) == Recount(wrong, right)
    assert store.recount() == Recount(right, right)


def test_others_are_left_as_they_are(store: IndexedStore, tmp_path: Path) -> None:
    falsify(store, objects=1)
    other = Local() if isinstance(store, Local) else Memory()
    other.open(Context(sid="other", folder=tmp_path))
    put(other, "a")
    assert store.recount(repair=True).counted.objects == 5
    assert other.stats().objects == other.recount().found.objects == 1
    other.close()


def test_a_repair_while_others_write_is_exact(store: IndexedStore) -> None:
    stop = threading.Event()

    def write(number: int) -> None:
        while not stop.is_set():
            put(store, f"k{number}")
            store.delete(f"k{number}")
            store.abort("u", store.begin("u").id)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for round in range(5):
            falsify(store, objects=7, bytes=-70, current=round, uploads=-3)
            assert not store.recount(repair=True).right
            assert store.recount().right
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert store.recount().right


def test_two_repairs_at_once_add_nothing_twice(
    store: IndexedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is done between the counting and the writing of the first."""
    falsify(store, objects=3, uploads=1)
    write, others = store.space.write, []

    def slow(operation: object, **options: object) -> object:
        monkeypatch.setattr(store.space, "write", write)
        others.append(store.recount(repair=True))
        return write(operation, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store.space, "write", slow)
    assert store.recount(repair=True).right, "the second time it found nothing wrong"
    assert [one.right for one in others] == [False]
    assert store.recount().right


def test_a_write_that_comes_in_between_is_counted_once(
    store: IndexedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    falsify(store, objects=-1, current=5)
    write = store.space.write

    def slow(operation: object, **options: object) -> object:
        monkeypatch.setattr(store.space, "write", write)
        put(store, "new")
        store.delete("a", Delete())
        return write(operation, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store.space, "write", slow)
    done = store.recount(repair=True)
    assert (done.counted.objects, done.found.objects) == (3, 4)
    assert store.recount().right
    assert (store.stats().objects, store.stats().current) == (5, 2)


def test_what_is_counted_and_what_is_there_are_of_one_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, found = Local(), recounting._found
    store.open(Context(sid="bucket", folder=tmp_path))

    def later(*arguments: Any) -> Stats:
        put(store, "new")
        return found(*arguments)

    monkeypatch.setattr(recounting, "_found", later)
    assert store.recount().right
    assert store.stats().objects == 1
    store.close()
