"""Bytes on disk: order of syncs, damage, encryption, orphans, removals, full disks."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.indexed import blobs
from drivers.indexed.space import FileSpace
from drivers.indexed.sql_errors import Uncertain
from drivers.indexed.upkeep import remove_due, remove_orphans
from drivers.local import Local
from gateway.common import open_files
from gateway.storage import (
    Annotate,
    AnnotationQuery,
    BytesBody,
    Context,
    Corrupt,
    Delete,
    Encryption,
    Full,
    Get,
    IncompleteBody,
    InvalidPart,
    PartRef,
    Protected,
    Protection,
    Put,
    Range,
    Secret,
    Stats,
    StorageError,
    Unavailable,
    VolumeStats,
    Writable,
    pieces,
)
from gateway.testing.faults import Breaking
from tests.older_index import make_older

BIG = os.urandom(600_000)


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Local]:
    local = Local(keep_versions="off")
    local.open(Context(sid="bucket", folder=tmp_path, clock=clock, master_key=Secret(b"m" * 32)))
    yield local
    local.close()


def put(store: Local, key: str, body: bytes = BIG, **options: object) -> None:
    store.put(key, BytesBody(body), Put(size=len(body), **options))  # type: ignore[arg-type]  # any


def read(store: Local, key: str) -> bytes:
    return b"".join(pieces(store.get(key).body))


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


def soon(true: Callable[[], bool]) -> bool:
    """Whether it comes true within some seconds."""
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.005)
    return true()


def space(store: Local) -> FileSpace:
    assert isinstance(store.space, FileSpace)
    return store.space


def damaged(store: Local) -> list[str]:
    return [step.damage.key for step in store.scrub() if step.damage]


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def in_order(*steps: str) -> list[str]:
    """Without those about folders on Windows, which has no sync of one."""
    return [one for one in steps if sys.platform != "win32" or one in ("file", "commit")]


def test_the_blob_and_its_folders_are_synced_before_the_index_is_committed(
    store: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one above, too, for a folder of which this process does not know that it is on disk."""
    order: list[str] = []
    fsync, above = os.fsync, tmp_path / "blobs"

    def noting(handle: int) -> None:
        found = os.fstat(handle)
        if not stat.S_ISDIR(found.st_mode):
            order.append("file")
        else:
            order.append("above" if os.path.samestat(found, above.stat()) else "folder")
        fsync(handle)

    write = store.space.write

    def committing(operation: Any, **given: Any) -> object:
        order.append("commit")
        return write(operation, **given)

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(store.space, "write", committing)
    names = iter(["ab" + 30 * "1", "ab" + 30 * "2", "ac" + 30 * "1"])
    monkeypatch.setattr(blobs, "new_name", lambda: next(names))
    put(store, "first")
    assert order == in_order("file", "folder", "above", "commit")
    order.clear()
    put(store, "in the same folder")
    assert order == in_order("file", "folder", "commit")
    order.clear()
    (above / "ac").mkdir()  # by another process, which has not come to syncing it
    put(store, "in another")
    assert order == in_order("file", "folder", "above", "commit")


def test_a_flipped_byte_in_a_file_is_found_and_never_read_as_whole(
    store: Local, tmp_path: Path
) -> None:
    put(store, "big")
    flip(files(tmp_path)[0], 300_000)
    assert damaged(store) == ["big"]
    with pytest.raises(Corrupt):
        read(store, "big")


def test_a_file_cut_short_is_found_and_never_read_as_whole(store: Local, tmp_path: Path) -> None:
    put(store, "big", os.urandom(524_288))
    os.truncate(files(tmp_path)[0], 262_144)
    assert damaged(store) == ["big"]
    with pytest.raises(Corrupt):
        read(store, "big")


def test_a_flipped_byte_of_an_inline_body_is_found(store: Local) -> None:
    put(store, "small", b"abc")
    store.space.write(lambda txn: txn.execute("UPDATE blobs SET data = X'616264'"))
    assert damaged(store) == ["small"]
    with pytest.raises(Corrupt):
        read(store, "small")


def test_what_can_be_told_before_the_first_byte_is(store: Local, tmp_path: Path) -> None:
    put(store, "big")
    flip(files(tmp_path)[0], 0)
    with pytest.raises(Corrupt):
        store.get("big")
    assert store.stat("big").size == len(BIG)
    with store.get("big", Get(range=Range(300_000, 300_009))) as found:
        assert found.body.read() == BIG[300_000:300_010]


def test_who_asks_for_it_has_blocks_checked_by_a_scrub_only(tmp_path: Path) -> None:
    local = Local(keep_versions="off", verify="scrub")
    local.open(Context(sid="bucket", folder=tmp_path))
    put(local, "big")
    put(local, "small", b"abc")
    flip(files(tmp_path)[0], 0)
    local.space.write(lambda txn: txn.execute("UPDATE blobs SET data = X'616264' WHERE data > ''"))
    assert read(local, "big")[1:] == BIG[1:]
    assert read(local, "small") == b"abd"
    assert damaged(local) == ["big", "small"]
    local.close()


def test_who_takes_the_last_piece_slowly_holds_no_file(
    store: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "big", BIG[:200_000])
    opened, closed = list[int](), list[int]()
    plain_open, plain_close = open_files.opened, os.close

    def noting(path: str) -> int:
        opened.append(plain_open(path))
        return opened[-1]

    def closing(handle: int) -> None:
        closed.append(handle)
        plain_close(handle)

    with monkeypatch.context() as patch:
        patch.setattr(open_files, "opened", noting)
        patch.setattr(os, "close", closing)
        found = store.get("big")
    assert len(opened) == 1
    assert closed == opened
    assert b"".join(pieces(found.body)) == BIG[:200_000]


def test_scrub_finds_nothing_where_nothing_is_wrong(store: Local) -> None:
    put(store, "small", b"abc")
    put(store, "big")
    put(store, "sealed", encryption=Encryption())
    assert damaged(store) == []


def test_encrypted_bytes_are_not_on_disk_in_clear(store: Local, tmp_path: Path) -> None:
    body = b"a secret that repeats " * 30_000
    put(store, "large", body, encryption=Encryption())
    put(store, "small", body[:1000], encryption=Encryption())
    raw = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"a secret that" not in raw
    assert read(store, "large") == body
    assert read(store, "small") == body[:1000]


@pytest.mark.skipif(
    sys.platform == "win32", reason="what is open stays there until the collector takes it"
)
def test_a_file_that_nothing_needs_goes_at_once_and_who_reads_it_reads_on(
    store: Local, tmp_path: Path
) -> None:
    put(store, "big")
    reader = store.get("big")
    put(store, "big", b"new")
    assert soon(lambda: files(tmp_path) == [])
    assert b"".join(pieces(reader.body)) == BIG
    assert read(store, "big") == b"new"


def upload(store: Local, key: str, *sources: str) -> None:
    """An object in parts, copied from others: no byte moves."""
    begun = store.begin(key)
    parts = [
        store.copy_part(key, begun.id, number, store, source)
        for number, source in enumerate(sources, 1)
    ]
    store.complete(key, begun.id, [PartRef(number=one.number, etag=one.etag) for one in parts])


def test_files_of_an_object_in_parts_stay_for_its_readers_also_when_others_let_them_go(
    store: Local, clock: Clock, tmp_path: Path
) -> None:
    put(store, "one")
    put(store, "two")
    upload(store, "both", "one", "two")
    reader = store.get("both")
    for key in ("both", "one", "two"):
        store.delete(key)
    assert remove_due(space(store)) == 0
    assert b"".join(pieces(reader.body)) == BIG + BIG
    clock.now += 2 * 3_600_000
    assert remove_due(space(store)) == 2
    assert files(tmp_path) == []


def test_a_file_that_an_object_still_needs_is_not_removed_when_its_time_has_come(
    store: Local, clock: Clock
) -> None:
    put(store, "one")
    upload(store, "again", "one")
    store.delete("again")
    clock.now += 2 * 3_600_000
    assert remove_due(space(store)) == 0
    assert read(store, "one") == BIG


def test_removed_files_stay_as_long_as_they_are_to_be_kept(tmp_path: Path, clock: Clock) -> None:
    store = Local(keep_versions="off", keep_removed=600)
    store.open(Context(sid="bucket", folder=tmp_path, clock=clock))
    put(store, "big")
    store.delete("big")
    clock.now += 599_000
    assert remove_due(space(store)) == 0
    clock.now += 2_000
    assert remove_due(space(store)) == 1
    assert files(tmp_path) == []
    store.close()


def test_the_collector_takes_old_orphans_and_nothing_else(store: Local, tmp_path: Path) -> None:
    put(store, "big")
    (known,) = files(tmp_path)
    blobs = tmp_path / "blobs"
    old, young = blobs / "ab" / ("ab" * 16), blobs / "cd" / ("cd" * 16)
    for path in (old, young):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left by a process that died")
    long_ago = time.time() - 100_000
    os.utime(old, (long_ago, long_ago))
    os.utime(known, (long_ago, long_ago))
    assert remove_orphans(space(store)) == 1
    assert set(files(tmp_path)) == {known, young}


@pytest.mark.parametrize("size", [10, 600_000])
def test_a_source_that_breaks_leaves_nothing(store: Local, tmp_path: Path, size: int) -> None:
    put(store, "key", b"old")
    with pytest.raises(ConnectionResetError):
        store.put("key", Breaking(b"x" * size, ConnectionResetError()), Put(size=size + 1))
    with pytest.raises(IncompleteBody):
        store.put("key", BytesBody(b"x" * size), Put(size=size + 1))
    assert files(tmp_path) == []
    assert read(store, "key") == b"old"


def test_an_index_that_is_full_says_so_and_works_again(store: Local) -> None:
    put(store, "key", b"old")
    pages = store.space.write(lambda txn: txn.one("PRAGMA page_count")[0])
    store.space.write(lambda txn: txn.execute(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(Full):
        for number in range(100):
            put(store, f"k{number}", b"x" * 60_000)
    assert read(store, "key") == b"old"
    store.space.write(lambda txn: txn.execute("PRAGMA max_page_count = 1000000000"))
    put(store, "key", b"new")
    assert read(store, "key") == b"new"


def test_a_commit_that_may_have_worked_leaves_the_bytes(
    store: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(operation: object, **given: object) -> object:
        raise Uncertain("the disk said no after the commit")

    with monkeypatch.context() as patch:
        patch.setattr(store.space, "write", write)
        with pytest.raises(Unavailable):
            put(store, "big")
    assert len(files(tmp_path)) == 1  # the collector takes it, if nothing needs it


@pytest.mark.parametrize(("schema", "said"), [(99, "newer release"), (1, "first release")])
def test_an_index_of_another_release_is_refused(tmp_path: Path, schema: int, said: str) -> None:
    local = Local()
    local.open(Context(sid="bucket", folder=tmp_path))
    local.space.write(lambda txn: txn.execute("UPDATE meta SET value = ?", (str(schema),)))
    local.close()
    with pytest.raises(StorageError, match=said):
        Local().open(Context(sid="bucket", folder=tmp_path))


def test_names_on_disk_are_short_and_work_on_every_system(store: Local, tmp_path: Path) -> None:
    put(store, "CON/aux.txt:stream?" + "é" * 500)
    for path in files(tmp_path):
        name = path.relative_to(tmp_path).as_posix()
        assert len(name) < 60
        assert set(name) <= set("blobs/0123456789abcdef")


def test_a_quota_counts_parts_that_wait(tmp_path: Path) -> None:
    local = Local(keep_versions="off", quota=1000)
    local.open(Context(sid="bucket", folder=tmp_path))
    upload = local.begin("k").id
    local.put_part("k", upload, 1, BytesBody(b"x" * 600), Put(size=600))
    with pytest.raises(Full):
        local.put_part("k", upload, 2, BytesBody(b"x" * 600), Put(size=600))
    assert len(files(tmp_path)) == 1
    local.abort("k", upload)
    put(local, "k", b"x" * 1000)
    with pytest.raises(Full):
        put(local, "other", b"x")
    local.close()


def waiting(store: Local) -> tuple[int, int]:
    """Bytes of parts that wait, as they are counted, and as they are."""
    with store.space.reading() as connection:
        (counted,) = connection.execute(
            "SELECT waiting FROM services WHERE id = ?", (store.service,)
        ).fetchone()
        (found,) = connection.execute("SELECT COALESCE(SUM(size), 0) FROM parts").fetchone()
    return counted, found


def test_what_waits_is_counted_whatever_becomes_of_it(tmp_path: Path) -> None:
    local = Local(keep_versions="off", quota=10_000)
    local.open(Context(sid="bucket", folder=tmp_path))

    def send(upload: str, number: int, size: int) -> PartRef:
        part = local.put_part("k", upload, number, BytesBody(b"x" * size), Put(size=size))
        assert len(set(waiting(local))) == 1
        return PartRef(number=number, etag=part.etag)

    put(local, "source", b"x" * 2000)
    first, second = local.begin("k").id, local.begin("k").id
    refs = [send(first, 1, 1000), send(first, 2, 2000)]
    refs[0] = send(first, 1, 4000)
    local.copy_part("k", second, 7, local, "source")
    assert waiting(local) == (8000, 8000)
    with pytest.raises(Full):
        send(second, 8, 1)
    with pytest.raises(Full):
        send(second, 7, 2001)
    send(second, 7, 1999)
    with pytest.raises(InvalidPart):
        local.complete("k", first, [PartRef(number=9, etag="x")])
    assert waiting(local) == (7999, 7999)
    local.abort("k", second)
    local.complete("k", first, refs[:1])
    assert waiting(local) == (0, 0)
    assert local.stats().bytes == 6000
    local.close()


def test_an_index_without_that_number_gets_it(tmp_path: Path) -> None:
    local = Local(keep_versions="off")
    local.open(Context(sid="bucket", folder=tmp_path))
    for size in (3, 5):
        upload = local.begin("k").id
        local.put_part("k", upload, 1, BytesBody(b"x" * size), Put(size=size))
    local.space.write(lambda txn: make_older(txn.execute, 2))
    local.close()
    local = Local(keep_versions="off")
    local.open(Context(sid="bucket", folder=tmp_path))
    assert waiting(local) == (8, 8)
    local.put("k", BytesBody(b"x"), Put(size=1, cause="why"))
    assert [one.cause for one in local.changes().changes] == ["why"]
    local.close()


def test_an_index_counts_what_it_has_once_when_it_is_brought_up_to_date(tmp_path: Path) -> None:
    local = Local(keep_versions="forever")
    local.open(Context(sid="bucket", folder=tmp_path))
    for key in "aabbc":
        put(local, key)
    local.delete("c")
    local.abort("k", local.begin("k").id)
    uploads = [local.begin("k").id for _ in range(3)]
    part = local.put_part("k", uploads[0], 1, BytesBody(b"part"), Put(size=4))
    local.complete("k", uploads[0], [PartRef(number=1, etag=part.etag)])
    before = local.stats()
    assert (before.objects, before.current, before.uploads) == (6, 3, 2)
    local.space.write(lambda txn: make_older(txn.execute, 8))
    local.close()
    for _ in range(2):
        local = Local(keep_versions="forever")
        local.open(Context(sid="bucket", folder=tmp_path))
        assert local.stats() == before
        local.close()


def test_the_buckets_of_an_index_without_volumes_are_in_none(tmp_path: Path) -> None:
    def opened() -> Local:
        local = Local()
        local.open(Context(sid="", folder=tmp_path))
        return local

    local = opened()
    local.create("before")
    local.space.write(lambda txn: make_older(txn.execute, 9))
    local.close()
    local = opened()
    assert local.volumes() == {}
    local.set_volume("v", 10)
    local.create("in-it", volume="v")
    for name, size in (("before", 100), ("in-it", 7)):
        writable = local.bucket(name).find(Writable)
        assert writable is not None
        writable.put("k", BytesBody(bytes(size)), Put(size=size))
    assert local.volumes() == {"v": VolumeStats(quota=10, used=7, buckets=1)}
    local.close()


def test_an_index_without_annotations_takes_them(tmp_path: Path) -> None:
    local = Local(keep_versions="forever")
    local.open(Context(sid="bucket", folder=tmp_path))
    put(local, "k")
    version = local.stat("k").version
    put(local, "k", b"newer")
    local.space.write(lambda txn: make_older(txn.execute, 4))
    local.close()
    local = Local(keep_versions="forever")
    local.open(Context(sid="bucket", folder=tmp_path))
    for of in (None, version):
        assert local.annotations("k", AnnotationQuery(version=of)).annotations == ()
    local.put_annotation("k", "a", b"x" * 100_000, Annotate(version=version))
    local.delete("k", Delete(version=version))
    assert local.stats().bytes == len(b"newer")
    local.close()


def test_what_a_quota_refuses_of_an_annotation_leaves_nothing(tmp_path: Path) -> None:
    local = Local(keep_versions="off", quota=200_000)
    local.open(Context(sid="bucket", folder=tmp_path))
    put(local, "k", b"x")
    local.put_annotation("k", "a", b"x" * 150_000)
    for name in ("a", "b"):
        with pytest.raises(Full):
            local.put_annotation("k", name, b"x" * 250_000)
    assert len(files(tmp_path)) == 1
    with pytest.raises(Full):
        put(local, "other", b"x" * 50_000)
    local.delete_annotation("k", "a")
    put(local, "other", b"x" * 150_000)
    local.delete("k")
    local.delete("other")
    assert local.stats() == Stats(objects=0, bytes=0, current=0, quota=200_000)
    local.close()
    assert files(tmp_path) == []


def test_a_part_costs_the_same_however_many_wait(tmp_path: Path) -> None:
    local = Local(keep_versions="off", quota=1 << 40)
    local.open(Context(sid="bucket", folder=tmp_path))
    upload = local.begin("k").id
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def cost(number: int) -> int:
        nonlocal steps
        connection = local.space.committer._connection  # type: ignore[attr-defined]  # its own
        connection.set_progress_handler(count, 1)
        steps = 0
        local.put_part("k", upload, number, BytesBody(b"x"), Put(size=1))
        connection.set_progress_handler(None, 1)
        return steps

    few = cost(1)
    row = (b"", 1, "e", 0, "{}")
    sql = "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)"
    local.space.write(lambda txn: [txn.execute(sql, (upload, n, *row)) for n in range(10, 5000)])
    assert cost(2) < few + 100
    local.close()


def test_a_removal_that_is_refused_uses_up_no_number(tmp_path: Path) -> None:
    """Followers of the changes rely on numbers without gaps."""
    local = Local(keep_versions="off")
    local.open(Context(sid="", folder=tmp_path))
    local.create("bucket")
    bucket: Any = local.bucket("bucket")
    put(bucket, "free", b"x")
    put(bucket, "held", b"x", protection=Protection(hold=True))
    bucket.set_versioning("suspended")
    results = bucket.delete_many([("held", Delete()), ("free", Delete()), ("held", Delete())])
    assert [isinstance(one, Protected) for one in results] == [True, False, True]
    page = bucket.changes()
    assert [one.sequence for one in page.changes] == [1, 2, 3]
    assert page.last == 3
    local.close()


def test_a_version_that_becomes_current_while_it_is_looked_up_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = Local()
    local.open(Context(sid="bucket", folder=tmp_path))
    put(local, "k", b"first")
    first = local.stat("k").version
    put(local, "k", b"second")
    second = local.stat("k").version
    look = local.space.one

    def look_and_purge(sql: str, parameters: Sequence[object]) -> object:
        found = look(sql, parameters)
        local.delete("k", Delete(version=second))
        return found

    monkeypatch.setattr(local.space, "one", look_and_purge)
    assert local.stat("k", Get(version=first)).size == 5
    local.close()
