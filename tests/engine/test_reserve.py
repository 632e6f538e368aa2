"""Space that is set aside is really taken, and what there is no room for is said so."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.indexed import headroom
from drivers.local import Local
from gateway.common.reserve import Reserve
from gateway.storage import BytesBody, Context, Full, Put
from gateway.testing.faults import disk_fault

MIB = 1 << 20


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "x.reserve"


def test_it_is_made_longer_and_goes_as_a_whole(place: Path) -> None:
    reserve = Reserve(place)
    assert reserve.keep(MIB)
    assert reserve.keep(MIB // 2)
    assert place.stat().st_size == MIB
    assert reserve.keep(3 * MIB + 5)
    assert place.stat().st_size == 3 * MIB + 5
    if sys.platform != "win32":
        assert place.stat().st_blocks * 512 >= 3 * MIB
        assert place.stat().st_mode & 0o777 == 0o600
    assert reserve.give()
    assert not place.exists()
    assert not reserve.give()


def test_of_what_there_is_no_room_for_there_is_as_much_as_there_is_room_for(place: Path) -> None:
    reserve = Reserve(place)
    call = "posix_fallocate" if hasattr(os, "posix_fallocate") else "write"
    with disk_fault(3, errno.ENOSPC, [call]) as fault:
        assert not reserve.keep(MIB)
    assert fault.fired
    assert place.stat().st_size == MIB // 2
    assert reserve.keep(MIB)
    assert place.stat().st_size == MIB


def test_where_blocks_cannot_be_had_otherwise_bytes_are_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    assert Reserve(place).keep(MIB)
    assert len(set(place.read_bytes())) == 256


@pytest.mark.skipif(sys.platform == "win32", reason="files have no holes there")
def test_one_of_holes_is_none(place: Path) -> None:
    """As some backups restore it."""
    with place.open("wb") as file:
        file.truncate(MIB)
    if place.stat().st_blocks:
        pytest.skip("no holes on this file system")
    assert Reserve(place).keep(MIB)
    assert place.stat().st_blocks * 512 >= MIB


def test_what_is_no_lack_of_room_is_told_once_and_keeps_nothing_from_going_on(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place.mkdir()
    reserve = Reserve(place)
    (place / "x").touch()
    assert reserve.keep(1 << 40)
    assert reserve.keep(1 << 40)
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [
        f"{place} cannot be made"
    ]


# an index that has no room for it


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    monkeypatch.setattr(headroom, "_LOOK", -1.0)  # at every commit
    local = Local(keep_versions="off")
    local.open(Context(sid="bucket", folder=tmp_path))
    yield local
    local.close()


def put(store: Local, key: str) -> None:
    store.put(key, BytesBody(bytes(50_000)), Put(size=50_000))


def test_where_it_cannot_be_made_the_index_does_not_grow_and_uses_what_was_freed(
    store: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (tmp_path / "index.reserve").stat().st_size == headroom.LEAST
    for number in range(10):
        put(store, f"k{number}")
    with monkeypatch.context() as patch:
        patch.setattr(Reserve, "keep", lambda reserve, size: False)
        with pytest.raises(Full):
            put(store, "new")
        for number in range(5):
            assert store.delete(f"k{number}").existed
        for number in range(4):
            put(store, f"new{number}")
        with pytest.raises(Full):
            for number in range(4, 8):
                put(store, f"new{number}")
    put(store, "new")
    assert store.stats().objects >= 10


def test_it_grows_with_what_the_log_has_added_and_comes_back(store: Local, tmp_path: Path) -> None:
    place = tmp_path / "index.reserve"
    for number in range(60):  # 3 MB, all in the log
        put(store, f"k{number}")
    assert place.stat().st_size >= headroom.LEAST + 2 * MIB
    place.unlink()
    put(store, "k")
    assert place.stat().st_size >= headroom.LEAST


def test_it_keeps_up_with_a_writer_who_is_faster_than_the_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headroom, "_LOOK", 3600.0)
    store = Local(keep_versions="off")
    store.open(Context(sid="bucket", folder=tmp_path))
    for number in range(100):  # 5 MB, all in the log
        put(store, f"k{number}")
    assert (tmp_path / "index.reserve").stat().st_size >= headroom.LEAST + 3 * MIB
    store.close()


def test_who_only_looks_makes_none(tmp_path: Path) -> None:
    local = Local()
    local.open(Context(sid="bucket", folder=tmp_path))
    local.close()
    (tmp_path / "index.reserve").unlink()
    local.open(Context(sid="bucket", folder=tmp_path))
    assert list(local.scrub()) == []
    local.close()
    assert not (tmp_path / "index.reserve").exists()
