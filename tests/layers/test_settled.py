"""What an upstream tells only when somebody looks (tags, parts) is asked for before a lock is
taken: while it is, others write."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from drivers.cache import Cache
from drivers.cache.fills import BLOCK
from drivers.fsspec import FileSystem
from drivers.local import Local
from drivers.memory import Memory
from gateway.storage import (
    BytesBody,
    Context,
    Copies,
    Labels,
    Multipart,
    ObjectInfo,
    OriginDenied,
    Part,
    Put,
    StorageError,
    Store,
    Writable,
    settled,
)
from gateway.testing.faults import noise
from tests.layers.origin import Site, read

PATIENCE = 120.0


class Look:
    """What happens while somebody looks at `Tags` and `Parts`."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None
        self.fail: StorageError | None = None
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        if self.fail is not None:
            raise self.fail
        other = threading.Thread(target=self.meanwhile, daemon=True)
        other.start()
        other.join(PATIENCE)
        assert not other.is_alive(), "a lock is held while the source is asked"


class Tags(Mapping[str, str]):
    def __init__(self, look: Look) -> None:
        self._look = look

    def __getitem__(self, key: str) -> str:
        self._look()
        return {"t": "1"}[key]

    def __iter__(self) -> Iterator[str]:
        self._look()
        return iter(["t"])

    def __len__(self) -> int:
        return 1


class Parts(Sequence[Part]):
    def __init__(self, look: Look) -> None:
        self._look = look

    def __getitem__(self, index: Any) -> Any:
        self._look()
        return (Part(1, 5, "p", 0),)[index]

    def __len__(self) -> int:
        return 1


@pytest.fixture
def look() -> Look:
    return Look()


def test_settled_is_the_same_with_all_that_was_to_be_fetched(look: Look) -> None:
    info = ObjectInfo(key="k", size=1, etag="e", modified=2, tags=Tags(look), parts=Parts(look))
    plain = settled(info)
    assert plain == replace(info, tags={"t": "1"}, parts=(Part(1, 5, "p", 0),))
    assert settled(plain) is plain
    assert settled(Put(tags=Tags(look))) == Put(tags={"t": "1"})


# drivers


@pytest.fixture(params=["local", "memory", "fsspec"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: Store
    if request.param == "local":
        store = Local(keep_versions="off")
    elif request.param == "memory":
        store = Memory(keep_versions="off")
    else:
        store = FileSystem(url=f"file://{tmp_path.as_posix()}", metadata="sidecar")
    store.open(Context(sid="s", folder=tmp_path))
    yield store
    store.close()


def put(store: Store, key: str, **options: Any) -> ObjectInfo:
    return cast(Writable, store).put(key, BytesBody(b"bytes"), Put(size=5, **options))


def copy(store: Store, tags: Mapping[str, str]) -> object:
    copies = store.find(Copies)
    return copies and copies.copy(store, "k", "k2", options=Put(tags=tags))


def begin(store: Store, tags: Mapping[str, str]) -> object:
    multipart = store.find(Multipart)
    return multipart and multipart.begin("k", Put(tags=tags))


def label(store: Store, tags: Mapping[str, str]) -> object:
    return cast(Labels, store.find(Labels)).set_labels("k", tags=tags)


@pytest.mark.parametrize(
    "change", [lambda store, tags: put(store, "k", tags=tags), copy, begin, label]
)
def test_no_lock_is_held_while_tags_are_fetched(
    store: Store, look: Look, change: Callable[[Store, Mapping[str, str]], object]
) -> None:
    put(store, "k")
    look.meanwhile = lambda: put(store, "k")
    done = change(store, Tags(look))
    if done is None:
        pytest.skip("it cannot do that")
    assert look.count
    if isinstance(done, ObjectInfo):
        assert store.stat(done.key).tags == {"t": "1"}


# the cache


@pytest.mark.parametrize("size", [5, 6 * BLOCK])
def test_while_a_cold_object_is_stored_the_index_is_free(
    cached: Callable[..., Cache], site: Site, look: Look, size: int
) -> None:
    site.origin.has("k", noise(size))
    site.origin.alter = lambda info: replace(info, tags=Tags(look), parts=Parts(look))
    cache = cached()
    look.meanwhile = lambda: cache._stock.drop(0)  # a write to the index, of whoever
    assert read(cache, "k") == noise(size)
    assert look.count >= 2
    asked = site.origin.asked
    cache._hot.clear()
    info = cache.stat("k")
    assert (info.tags, info.parts) == ({"t": "1"}, (Part(1, 5, "p", 0),))
    assert site.origin.asked == asked


def test_what_the_source_does_not_tell_in_full_is_answered_and_not_stored(
    cached: Callable[..., Cache], site: Site, look: Look, caplog: pytest.LogCaptureFixture
) -> None:
    """The gateway's keys may read objects, and not their tags."""
    for key in ("k", "plain"):
        site.origin.has(key, noise(6 * BLOCK))
    look.fail = OriginDenied("Not the tags.")
    cache = cached()

    def tagged(info: ObjectInfo) -> ObjectInfo:
        return replace(info, tags=Tags(look)) if info.key == "k" else info

    site.origin.alter = tagged
    with caplog.at_level(logging.WARNING, "gateway.cache"):
        for _ in range(2):
            assert read(cache, "k") == noise(6 * BLOCK)
    assert len(caplog.records) == 1
    asked = site.origin.asked
    for _ in range(2):
        assert read(cache, "plain") == noise(6 * BLOCK)
    assert site.origin.asked == asked + 1, "storing goes on"
