"""Whatever is written, copied, completed and removed: each blob and manifest counts exactly
those that need it, so that nothing goes twice, too early, or never."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.indexed.blobs import MemoryBlobs
from drivers.indexed.records import unpack_pieces
from drivers.memory import Memory
from gateway.storage import (
    BytesBody,
    Context,
    Delete,
    Get,
    PartRef,
    Put,
    Range,
    StorageError,
)

SIZES = (0, 10, 70_000)
KEYS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.sampled_from(SIZES)),
        st.tuples(st.just("copy"), KEYS, KEYS),
        st.tuples(st.just("delete"), KEYS, st.booleans()),
        st.tuples(st.just("twice"), KEYS),
        st.tuples(st.just("part"), KEYS, st.integers(1, 2), st.sampled_from(SIZES)),
        st.tuples(st.just("copy part"), KEYS, st.integers(1, 2), KEYS, st.booleans()),
        st.tuples(st.just("complete"), KEYS, st.booleans()),
        st.tuples(st.just("abort"), KEYS),
        st.tuples(st.just("versioning"), st.sampled_from(["on", "suspended"])),
    ),
    max_size=30,
)


class Keeper:
    def __init__(self) -> None:
        self.store = Memory(keep_versions="off")
        self.store.open(Context(sid="s"))
        self._uploads: dict[str, str] = {}

    def do(self, step: tuple[Any, ...]) -> None:
        store = self.store
        match step:
            case "put", key, size:
                store.put(key, BytesBody(bytes(size)), Put(size=size))
            case "copy", source, key:
                store.copy(store, source, key)
            case "delete", key, by_version:
                version = store.stat(key).version if by_version else None
                store.delete(key, Delete(version=version))
            case "twice", key:
                version = store.stat(key).version
                store.delete_many([(key, Delete(version=version)), (key, Delete(version=version))])
            case "part", key, number, size:
                store.put_part(
                    key, self.upload(key), number, BytesBody(bytes(size)), Put(size=size)
                )
            case "copy part", key, number, source, whole:
                want = Get(range=None if whole else Range(5, 65_999))
                store.copy_part(key, self.upload(key), number, store, source, want)
            case "complete", key, all_parts:
                upload = self.upload(key)
                refs = [
                    PartRef(number=one.number, etag=one.etag) for one in store.parts(key, upload)
                ]
                for _ in range(2):
                    store.complete(key, upload, refs if all_parts else refs[:1])
                del self._uploads[key]
            case "abort", key:
                store.abort(key, self._uploads.pop(key, "none"))
            case "versioning", state:
                store.set_versioning(state)

    def upload(self, key: str) -> str:
        if key not in self._uploads:
            self._uploads[key] = self.store.begin(key).id
        return self._uploads[key]

    def all(self, sql: str) -> list[Any]:
        with self.store.space.reading() as connection:
            return connection.execute(sql).fetchall()

    def check(self) -> None:
        blobs, manifests = Counter[int](), Counter[int]()
        for table in ("objects", "versions"):
            for blob, manifest in self.all(f"SELECT blob, manifest FROM {table}"):
                blobs.update([blob] if blob is not None else [])
                manifests.update([manifest] if manifest is not None else [])
        assert dict(self.all("SELECT id, refs FROM manifests")) == manifests
        packed = self.all("SELECT pieces FROM manifests UNION ALL SELECT pieces FROM parts")
        blobs.update(piece.blob for (pieces,) in packed for piece in unpack_pieces(pieces))
        assert dict(self.all("SELECT id, refs FROM blobs")) == blobs
        assert self.store.recount().right
        kept = self.store.space.blobs
        assert isinstance(kept, MemoryBlobs)
        names = {name for (name,) in self.all("SELECT name FROM blobs WHERE name IS NOT NULL")}
        assert set(kept._held) == names


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_what_is_needed_is_counted(steps: list[tuple[Any, ...]]) -> None:
    keeper = Keeper()
    for step in steps:
        with suppress(StorageError):
            keeper.do(step)
        keeper.check()
    keeper.store.close()


def test_what_nothing_needs_any_more_is_let_go_of_once() -> None:
    """A count that is wrong already (of a damaged index) does not get worse, nor keep an
    object from being removed."""
    keeper = Keeper()
    for key in "ab":
        keeper.do(("put", key, 70_000))
    keeper.store.space.write(
        lambda txn: txn.execute("UPDATE blobs SET refs = 0 WHERE id = 1").rowcount
    )
    keeper.store.space.write(lambda txn: txn.execute("DELETE FROM blobs WHERE id = 2").rowcount)
    for key in "ab":
        assert keeper.store.delete(key).existed
    assert keeper.all("SELECT refs FROM blobs") == [(0,)]
    keeper.store.close()
