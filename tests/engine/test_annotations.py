"""Annotations in the index: whatever becomes of a version, what its annotations need stays in
step with it, and nothing of them is left behind."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from drivers.indexed.store import IndexedStore
from drivers.memory import Memory
from gateway.storage import (
    Annotate,
    BytesBody,
    Context,
    Delete,
    Encryption,
    Put,
    Readable,
    Secret,
    Stats,
    StorageError,
    Versioning,
    VersionQuery,
    pieces,
)

MANAGED = Encryption()


@pytest.fixture
def store() -> Iterator[Memory]:
    memory = Memory()
    memory.open(Context(sid="bucket", master_key=Secret(b"m" * 32)))
    yield memory
    memory.close()


def put(store: IndexedStore, key: str, data: bytes, encryption: Encryption | None = None) -> None:
    store.put(key, BytesBody(data), Put(size=len(data), encryption=encryption))


def check(store: IndexedStore) -> None:
    """The index agrees with itself."""
    assert store.recount().right
    tables = ("objects", "versions", "annotations")
    with store.space.reading() as index:
        versions = {
            row[:2]: json.loads(row[2] or "{}").get("n", 0)
            for table in tables[:2]
            for row in index.execute(f"SELECT key, sequence, detail FROM {table}").fetchall()
        }
        annotated = Counter(index.execute("SELECT key, sequence FROM annotations").fetchall())
        assert annotated == {key: count for key, count in versions.items() if count}
        needed = Counter(
            blob
            for table in tables
            for (blob,) in index.execute(f"SELECT blob FROM {table}").fetchall()
            if blob is not None
        )
        assert needed == dict(index.execute("SELECT id, refs FROM blobs").fetchall())


def change(store: IndexedStore, dice: random.Random) -> None:
    key, name, data = dice.choice("ab"), dice.choice("xyz"), bytes(dice.choice([1, 100, 70_000]))
    encryption = dice.choice([None, MANAGED])
    action = dice.randrange(8)
    if action < 3:
        store.put_annotation(key, name, data, Annotate(most=2))
    elif action == 3:
        store.delete_annotation(key, name)
    elif action == 4:
        put(store, key, data, encryption)
    elif action == 5:
        store.delete(key)
    elif action == 6:
        for entry in store.versions(VersionQuery(prefix=key)).entries[-1:]:
            store.delete(key, Delete(version=entry.version))
    else:
        options = Put(annotations=store.brought(key), encryption=encryption)
        store.copy(store, key, dice.choice("ab"), options=options)


def changes(store: IndexedStore, seed: int, count: int) -> None:
    dice = random.Random(seed)
    for _ in range(count):
        try:
            change(store, dice)
        except StorageError:
            continue  # there was nothing, or there were enough


@pytest.mark.parametrize("states", [("off",), ("on", "suspended", "on")])
def test_an_index_agrees_with_itself_whatever_happens(
    store: Memory, states: tuple[Versioning, ...]
) -> None:
    if states == ("off",):
        store = Memory(keep_versions="off")
        store.open(Context(sid="other", master_key=Secret(b"m" * 32)))
    for state in states:
        store.set_versioning(state)
        threads = [threading.Thread(target=changes, args=(store, n, 60)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(store)
    assert [step.damage for step in store.scrub() if step.damage] == []
    for entry in store.versions(VersionQuery()).entries:
        store.delete(entry.key, Delete(version=entry.version))
    check(store)
    assert store.stats() == Stats(objects=0, bytes=0, current=0)
    store.close()


def test_one_is_encrypted_as_the_object_that_is_there_when_it_comes(
    store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "k", b"plain")
    stored, seen = store.writer.stored, list[Encryption | None]()

    def replacing(
        source: Readable, options: Put, encryption: Encryption | None, *, inline: bool = True
    ) -> object:
        if not seen:
            seen.append(encryption)
            put(store, "k", b"secret", MANAGED)
        seen.append(encryption)
        return stored(source, options, encryption, inline=inline)

    monkeypatch.setattr(type(store.writer), "stored", staticmethod(replacing))
    made, info = store.put_annotation("k", "a", b"text")
    assert info.encryption == MANAGED
    assert seen[-1] == MANAGED
    opened = store.annotation("k", "a")
    assert (opened.annotation, b"".join(pieces(opened.body))) == (made, b"text")
    check(store)


def test_an_object_without_any_asks_nothing_of_them(store: Memory) -> None:
    store.set_versioning("on")
    asked: list[str] = []
    with store.space.reading() as index:
        index.set_trace_callback(asked.append)
    put(store, "k", b"one")
    put(store, "k", b"two")
    store.set_labels("k", tags={"t": "1"})
    store.copy(store, "k", "l")
    with store.get("k"):
        store.delete("k")
    for entry in store.versions(VersionQuery()).entries:
        store.delete(entry.key, Delete(version=entry.version))
    with store.space.reading() as index:
        index.set_trace_callback(None)
    assert asked
    assert [sql for sql in asked if "annotations" in sql] == []
