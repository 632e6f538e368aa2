"""A scrub finds what is damaged, says whose it is, and nothing else, also while others write."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.indexed import scrubbing
from drivers.indexed.records import pack_pieces, unpack_pieces
from drivers.local import Local
from gateway.storage import (
    BytesBody,
    Context,
    Corrupt,
    Damage,
    Encryption,
    Get,
    Part,
    PartRef,
    Put,
    Range,
    Secret,
)

BIG = os.urandom(600_000)
CUSTOMER = Encryption(kind="customer", key=Secret(b"k" * 32))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Local]:
    local = Local(keep_versions="off")
    local.open(Context(sid="bucket", folder=tmp_path, master_key=Secret(b"m" * 32)))
    yield local
    local.close()


def put(store: Local, key: str, body: bytes = BIG, **options: object) -> str | None:
    return store.put(key, BytesBody(body), Put(size=len(body), **options)).version  # type: ignore[arg-type]  # any


def send(store: Local, key: str, upload: str, number: int, body: bytes) -> Part:
    return store.put_part(key, upload, number, BytesBody(body), Put(size=len(body)))


def found(store: Local) -> list[Damage]:
    return [step.damage for step in store.scrub() if step.damage]


def whose(store: Local) -> list[str]:
    return [damage.key for damage in found(store)]


def only_file(tmp_path: Path, *known: Path) -> Path:
    (path,) = {path for path in (tmp_path / "blobs").rglob("*") if path.is_file()} - {*known}
    return path


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


HARM: dict[str, Callable[[Path], object]] = {
    "the first byte": lambda path: flip(path, 0),
    "a byte in the middle": lambda path: flip(path, 300_000),
    "the last byte": lambda path: flip(path, path.stat().st_size - 1),
    "cut short in a block": lambda path: os.truncate(path, 300_000),
    "cut short between blocks": lambda path: os.truncate(path, 262_144),
    "emptied": lambda path: os.truncate(path, 0),
    "longer by a byte": lengthen,
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("encryption", [None, Encryption(), CUSTOMER], ids=["plain", "ours", "his"])
@pytest.mark.parametrize("harm", HARM)
def test_each_harm_to_a_file_is_found(
    store: Local, tmp_path: Path, harm: str, encryption: Encryption | None
) -> None:
    put(store, "fine")
    fine = only_file(tmp_path)
    put(store, "harmed", encryption=encryption)
    assert found(store) == []
    HARM[harm](only_file(tmp_path, fine))
    assert whose(store) == ["harmed"]


@pytest.mark.parametrize("encryption", [None, Encryption()], ids=["plain", "ours"])
def test_a_flipped_byte_of_the_index_file_in_an_inline_body_is_found(
    store: Local, tmp_path: Path, encryption: Encryption | None
) -> None:
    marked = os.urandom(50_000)
    for key in ("a", "b", "c"):
        put(store, key, marked if key == "b" else os.urandom(50_000), encryption=encryption)
    with store.space.reading() as connection:
        (kept,) = connection.execute(
            "SELECT b.data FROM objects o JOIN blobs b ON b.id = o.blob WHERE o.key = 'b'"
        ).fetchone()
    store.close()
    index = tmp_path / "index.db"
    flip(index, index.read_bytes().index(kept[20_000:20_100]))
    again = Local(keep_versions="off")
    again.open(Context(sid="bucket", folder=tmp_path))
    assert whose(again) == ["b"]
    again.close()


def test_versions_are_named(tmp_path: Path) -> None:
    store = Local()
    store.open(Context(sid="bucket", folder=tmp_path))
    first = put(store, "k")
    file = only_file(tmp_path)
    put(store, "k")
    put(store, "k", b"small")
    store.delete("k")
    flip(file, 5)
    assert [(one.key, one.version) for one in found(store)] == [("k", first)]
    store.close()


@pytest.mark.parametrize("size", [1000, 300_000])
def test_a_damaged_annotation_is_named_with_its_object(tmp_path: Path, size: int) -> None:
    store = Local()
    store.open(Context(sid="bucket", folder=tmp_path))
    first = put(store, "k", b"one")
    marked = os.urandom(size)
    store.put_annotation("k", "harmed", marked)
    put(store, "k", b"two")
    store.put_annotation("k", "fine", BIG)
    assert found(store) == []
    with store.space.reading() as connection:
        rows = connection.execute(
            "SELECT b.id, b.name FROM annotations a JOIN blobs b ON b.id = a.blob"
            " WHERE a.name = 'harmed'"
        ).fetchall()
    ((blob, name),) = rows
    if name:
        flip(store.space.files.path(name), 5)  # type: ignore[attr-defined]  # of files
    else:
        sql = "UPDATE blobs SET data = zeroblob(1000) WHERE id = ?"
        store.space.write(lambda txn: txn.execute(sql, (blob,)))
    (damage,) = found(store)
    assert (damage.key, damage.version) == ("k", first)
    assert damage.message.startswith("Its annotation harmed: ")
    store.close()


def test_all_objects_that_share_a_damaged_blob_are_named_and_it_is_read_once(
    store: Local, tmp_path: Path
) -> None:
    put(store, "a")
    for key in ("b", "c"):
        store.copy(store, "a", key)
    put(store, "z", b"fine")
    assert sum(step.bytes for step in store.scrub()) == len(BIG) + 4
    flip(only_file(tmp_path), 5)
    assert whose(store) == ["a", "b", "c"]


def test_parts_of_uploads_and_what_was_made_of_them(store: Local, tmp_path: Path) -> None:
    upload = store.begin("whole").id
    parts = [send(store, "whole", upload, number, BIG) for number in (1, 2)]
    refs = [PartRef(number=part.number, etag=part.etag) for part in parts]
    store.complete("whole", upload, refs)
    known = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    waiting = store.begin("waiting").id
    send(store, "waiting", waiting, 7, BIG)
    flip(known[0], 5)
    flip(only_file(tmp_path, *known), 5)
    one, other = found(store)
    assert one.key == "whole"
    assert other.key == "waiting"
    assert other.message.startswith(f"Part 7 of the upload {waiting}: ")


def test_stretches_of_a_blob_are_checked_as_a_whole(store: Local, tmp_path: Path) -> None:
    put(store, "source")
    upload = store.begin("target").id
    refs = []
    for number, wanted in enumerate([Range(0, 99_999), Range(500_000, 599_999)], 1):
        part = store.copy_part("target", upload, number, store, "source", Get(range=wanted))
        refs.append(PartRef(number=number, etag=part.etag))
    store.complete("target", upload, refs)
    assert found(store) == []
    flip(only_file(tmp_path), 300_000)
    assert whose(store) == ["source", "target"]


LOST = {
    "DELETE FROM blobs": "The index has lost its bytes.",
    "UPDATE objects SET blob = NULL": "The index does not know where all of its bytes are.",
    "UPDATE objects SET size = size + 1": "The index says that it is longer than its bytes.",
    "UPDATE blobs SET size = size + 1": "shorter than was written",
}


@pytest.mark.parametrize("sql", LOST)
def test_an_index_that_contradicts_itself_is_found(store: Local, sql: str) -> None:
    put(store, "k")
    store.space.write(lambda txn: txn.execute(sql))
    (damage,) = found(store)
    assert LOST[sql] in damage.message


def test_whole_blocks_of_another_object_are_found(store: Local) -> None:
    """By the checksum of the whole: each block is what it was."""
    for key in ("a", "b", "small", "smaller"):
        put(store, key, os.urandom(100 if key.startswith("s") else 600_000))
    sql = (
        "UPDATE objects SET blob = (SELECT sum(blob) FROM objects WHERE key IN ({0})) - blob"
        " WHERE key IN ({0})"
    )

    def swap(txn: Any) -> None:
        for pair in ("'a', 'b'", "'small', 'smaller'"):
            txn.execute(sql.format(pair))

    store.space.write(swap)
    assert whose(store) == ["a", "b", "small", "smaller"]
    assert "another CRC64NVME" in found(store)[0].message


def test_parts_that_are_whole_and_in_another_order_are_found(store: Local) -> None:
    upload = store.begin("k").id
    parts = [send(store, "k", upload, number, os.urandom(300_000)) for number in (1, 2)]
    refs = [PartRef(number=part.number, etag=part.etag) for part in parts]
    store.complete("k", upload, refs)
    assert found(store) == []

    def swap(txn: Any) -> None:
        (packed,) = txn.execute("SELECT pieces FROM manifests").fetchone()
        pieces = pack_pieces(list(reversed(unpack_pieces(packed))))
        txn.execute("UPDATE manifests SET pieces = ?", (pieces,))

    store.space.write(swap)
    assert whose(store) == ["k"]


def test_a_damaged_row_is_named_and_the_others_are_checked(store: Local) -> None:
    """It can be removed, too."""
    put(store, "a")
    upload = store.begin("b").id
    part = store.copy_part("b", upload, 1, store, "a")
    store.complete("b", upload, [PartRef(number=1, etag=part.etag)])
    other = store.begin("c").id
    send(store, "c", other, 1, BIG)
    put(store, "d")
    store.space.write(lambda txn: txn.execute("UPDATE manifests SET pieces = X'0102'"))
    store.space.write(lambda txn: txn.execute("UPDATE parts SET pieces = X'0102'"))
    store.space.write(lambda txn: txn.execute("UPDATE blobs SET size = 0 WHERE refs = 1"))
    assert whose(store) == ["b", "d", "c"]
    with pytest.raises(Corrupt):
        store.get("b")
    store.delete("b")
    store.delete("d")
    assert whose(store) == ["c"]


@pytest.mark.parametrize(
    "damage",
    [
        "objects SET detail = '{'",
        "objects SET detail = '5'",
        f"objects SET detail = '{'[' * 100_000}'",
        "objects SET size = 'x'",
        "objects SET modified = 'x'",
        "objects SET etag = X'FF'",
        "objects SET content_type = X'FF'",
        "objects SET owner = X'FF'",
        "blobs SET data = 5",
    ],
)
def test_a_row_that_is_damaged_is_an_error_in_the_contracts_words(
    store: Local, damage: str
) -> None:
    put(store, "k", metadata={"a": "1"})
    store.space.write(lambda txn: txn.execute(f"UPDATE {damage}"))
    for ask in (store.get, store.stat):
        with pytest.raises(Corrupt):
            ask("k")


def test_all_of_many_are_checked(store: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrubbing, "PAGE", 3)
    store.set_versioning("on")
    for number in range(11):
        for key in ("same", f"k{number}"):
            put(store, key, b"%d" % number)
            upload = store.begin(key).id
            for part in range(1, 5):
                send(store, key, upload, part, b"part")
    steps = list(store.scrub())
    assert sum(step.objects for step in steps) == 22 + 22 * 4
    assert [step.damage for step in steps if step.damage] == []
    store.space.write(lambda txn: txn.execute("UPDATE blobs SET data = X'00'"))
    store.space.write(lambda txn: txn.execute("UPDATE blobs SET crcs = X'00' WHERE name > ''"))
    assert len(found(store)) == 22 + 22 * 4


def test_what_is_replaced_meanwhile_is_no_damage(store: Local, tmp_path: Path) -> None:
    for number in range(20):
        put(store, f"k{number:02}", BIG if number % 2 else b"small")
    steps = store.scrub()
    next(steps)  # it has a page with all of them
    for number in range(20):
        store.delete(f"k{number:02}")
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    assert [step.damage for step in steps if step.damage] == []


def test_nothing_is_held_between_steps(store: Local, tmp_path: Path) -> None:
    """Else the log of the index would grow for as long as a scrub takes."""
    put(store, "a")
    steps = store.scrub()
    next(steps)
    other = sqlite3.connect(tmp_path / "index.db")
    put(store, "b", b"small")
    busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    assert busy == 0
    assert [step.damage for step in steps if step.damage] == []


def test_no_more_than_a_block_is_read_in_a_step(store: Local) -> None:
    put(store, "a", os.urandom(3_000_000))
    assert max(step.bytes for step in store.scrub()) <= 262_144
