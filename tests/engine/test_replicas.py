"""A service that is a replica by its configuration, and then is one no more."""

from __future__ import annotations

from dataclasses import replace
from hashlib import md5
from pathlib import Path

import pytest

from drivers.indexed.replica.options import ReplicaOf
from drivers.local import Local
from gateway.storage import (
    Arrival,
    BadDigest,
    BytesBody,
    Change,
    Conflict,
    Context,
    Delete,
    Encryption,
    ObjectInfo,
    Position,
    Put,
    ReadOnly,
    Secret,
    Unavailable,
)

OF = ReplicaOf(url="http://127.0.0.1:9", key=Secret("key"), sid="there")
DATA = b"data" * 30_000


def opened(folder: Path, of: ReplicaOf | None = OF, *, looks: bool = False) -> Local:
    local = Local(replica_of=of)
    context = Context(sid="here", folder=folder)
    if looks:
        context.instance = ""
    local.open(context)
    return local


def arrival(local: Local, number: int, key: str = "k") -> Arrival:
    version = f"{number:012x}{'0' * 20}"
    etag = md5(DATA).hexdigest()
    change = Change(number, "put", 1000 + number, key, version, len(DATA), etag, "a/b")
    info = ObjectInfo(key=key, size=len(DATA), etag=etag, modified=1000 + number, version=version)
    return Arrival(change, info, local.receive(info, BytesBody(DATA)))


def filled(folder: Path) -> Local:
    local = opened(folder)
    local.settle(Position("theirs", 0))
    local.follow("theirs", [arrival(local, 1), arrival(local, 2)])
    return local


def files(folder: Path) -> int:
    return sum(1 for one in (folder / "blobs").rglob("*") if one.is_file())


def test_where_it_stands_and_what_it_has_are_kept_together(tmp_path: Path) -> None:
    filled(tmp_path).close()
    local = opened(tmp_path)
    assert local.position() == Position("theirs", 2)
    assert [one.sequence for one in local.changes().changes] == [1, 2]
    with pytest.raises(ReadOnly, match="is a replica: write to http"):
        local.put("k", BytesBody(b""))
    local.close()


def test_the_etag_of_what_is_encrypted_is_no_md5(tmp_path: Path) -> None:
    """A replica keeps as SSE-S3, with its ETag, what came under a key service's key: who follows
    that one takes it, too."""
    local = Local(replica_of=OF)
    local.open(Context(sid="here", folder=tmp_path, master_key=Secret("k" * 32)))
    plain = ObjectInfo(key="k", size=4, etag="0" * 32, modified=1, version=f"{1:032x}")
    for encryption in (Encryption(kind="kms"), Encryption()):
        local.receive(replace(plain, encryption=encryption), BytesBody(b"data")).drop()
    with pytest.raises(BadDigest):
        local.receive(plain, BytesBody(b"data"))
    local.close()


def test_bytes_of_what_was_not_taken_go(tmp_path: Path) -> None:
    local = filled(tmp_path)
    before = files(tmp_path)
    taken = [arrival(local, 3), arrival(local, 5)]
    assert files(tmp_path) == before + 2
    with pytest.raises(Conflict):
        local.follow("theirs", taken)
    assert files(tmp_path) == before
    local.close()


def test_what_becomes_a_plain_store_counts_on_under_another_feed(tmp_path: Path) -> None:
    filled(tmp_path).close()
    local = opened(tmp_path, None)
    made = local.put("k", BytesBody(b"mine"), Put(size=4))
    page = local.changes(2)
    assert [one.version for one in page.changes] == [made.version]
    assert page.feed not in ("", "theirs")
    local.delete("k", Delete(version=made.version))
    assert local.stat("k").size == len(DATA)
    local.close()
    with pytest.raises(Conflict, match="replace"):
        opened(tmp_path)
    replaced = ReplicaOf(url=OF.url, key=OF.key, sid=OF.sid, replace=True)
    local = opened(tmp_path, replaced)
    assert local.position().feed == ""
    assert local.stat("k").size == len(DATA)
    local.close()
    local = opened(tmp_path, None)
    assert local.changes().feed != page.feed  # it may have become another meanwhile
    local.close()


def test_one_that_becomes_plain_before_it_was_whole_counts_behind_all(tmp_path: Path) -> None:
    local = filled(tmp_path)
    local.begin_anew()
    local.place([arrival(local, 9)], [])
    with pytest.raises(Unavailable):
        local.changes()
    local.close()
    local = opened(tmp_path, None)
    local.put("k", BytesBody(b"mine"), Put(size=4))
    assert [one.sequence for one in local.versions().entries] == [10, 9, 2, 1]
    local.close()


def test_a_command_that_looks_changes_nothing_of_it(tmp_path: Path) -> None:
    """Its configuration may be one that is not served yet."""
    filled(tmp_path).close()
    local = opened(tmp_path, None, looks=True)
    assert local.position() == Position("theirs", 2)
    local.close()


def test_a_replica_that_keeps_no_versions_is_refused() -> None:
    with pytest.raises(ValueError, match="keep_versions"):
        Local(replica_of=OF, keep_versions="off")
