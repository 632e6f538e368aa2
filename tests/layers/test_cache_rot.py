"""Bytes that were changed: on their way from the source they are never complete nor kept, on
the cache's disk they are a miss."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.cache import Cache, checks
from drivers.cache.fills import BLOCK
from gateway.storage import (
    NOTHING,
    Context,
    Corrupt,
    Encryption,
    ObjectInfo,
    Opened,
    OriginAnswer,
    OriginFailed,
    Part,
    Readable,
    Secret,
    Unavailable,
)
from gateway.testing.faults import noise
from tests.layers.origin import Site, read, until

Opening = Callable[..., Cache]
SMALL, MIDDLE, LARGE = 1000, 70_000, 3 * BLOCK + 7


class Flipped:
    """A body with a bit changed, at `at`."""

    def __init__(self, body: Readable, at: int) -> None:
        self._body, self._at = body, at

    def read(self, size: int = 1 << 18, /) -> bytes:
        piece, at = bytearray(self._body.read(size)), self._at
        if 0 <= at < len(piece):
            piece[at] ^= 1
        self._at -= len(piece)
        return bytes(piece)

    def close(self) -> None:
        self._body.close()


def is_right(cache: Cache, key: str, size: int) -> bool:
    return read(cache, key) == noise(size)


def flip(site: Site, at: int, **changes: object) -> None:
    def answer(opened: Opened) -> Opened:
        info = replace(opened.info, **changes)  # type: ignore[arg-type]
        return replace(opened, info=info, body=Flipped(opened.body, at))

    site.origin.answer = answer


# on the way


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("named", ["CRC32", "CRC64NVME", "SHA256", "MD5"])
def test_a_bit_that_flips_on_the_way_is_never_complete_nor_kept(
    cached: Opening, site: Site, size: int, named: str
) -> None:
    """Without a checksum the ETag tells, where it is an MD5."""
    if named == "MD5":
        site.origin.alter = lambda info: replace(info, checksums=NOTHING)
    site.origin.has("k", noise(size), checksums={} if named == "MD5" else {named: ""})
    cache, said = cached(), {"checksums": NOTHING} if named == "MD5" else {}
    for at in (size - 1, 5):
        flip(site, at, **said)
        with pytest.raises(OriginFailed, match=rf"{named}|wrong bytes"):
            read(cache, "k")
        until(lambda: not len(cache._fills))
    site.origin.answer = None
    assert is_right(cache, "k", size)
    assert cache._stock.space.one("SELECT count(*) FROM cache_entries", ()) == (1,)


@pytest.mark.parametrize(
    "changes",
    [
        {"etag": "W/" + "0" * 32},
        {"etag": "0" * 32 + "-1", "parts": (Part(1, SMALL, "p", 0),)},
        {"etag": "0" * 32, "parts": (Part(1, SMALL, "p", 0),)},
        {"etag": "0" * 32, "encryption": Encryption(kind="kms")},
        {"etag": "not a digest"},
        {"etag": "0" * 32, "origin": OriginAnswer(status=200, headers=(), asked=1, answered=2)},
        {"etag": ""},
    ],
    ids=lambda changes: str(changes["etag"][:3] + "+".join(changes)),
)
def test_what_is_no_md5_of_the_object_is_not_held_against_it(
    cached: Opening, site: Site, changes: dict[str, object]
) -> None:
    site.origin.has("k", noise(SMALL))
    site.origin.alter = lambda info: replace(info, **changes)  # type: ignore[arg-type]
    assert read(cached(), "k") == noise(SMALL)


def test_the_cheapest_checksum_of_the_whole_is_taken() -> None:
    info = ObjectInfo(key="k", size=1, etag="0" * 32, modified=0)

    def name(**changes: object) -> str:
        check = checks.of_whole(replace(info, **changes))  # type: ignore[arg-type]
        return check.name if check else ""

    assert name() == "MD5"
    assert name(checksums={"SHA256": "x", "CRC32C": "x"}) == "CRC32C"
    assert name(checksums={"SHA256": "x-2"}, checksum_type="COMPOSITE") == "MD5"
    assert name(checksums={"SHA256": "x-2"}, checksum_type="COMPOSITE", etag="x-2") == ""
    assert name(encryption=Encryption()) == "MD5"
    assert name(encryption=Encryption(kind="customer")) == ""


# on the disk


def damage_files(folder: Path, damage: str) -> None:
    for path in (folder / "cache/c/blobs").glob("*/*"):
        data = bytearray(path.read_bytes())
        if damage == "torn":
            data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        elif damage == "short":
            del data[len(data) // 2 + 10 :]
        elif damage == "empty":
            data.clear()
        else:
            data[len(data) // 3] ^= 1
        path.write_bytes(data)


def damage_rows(folder: Path) -> None:
    connection = sqlite3.connect(folder / "cache/c/index.db", isolation_level=None)
    connection.create_function("damaged", 1, lambda data: bytes([data[0] ^ 1]) + data[1:])
    connection.execute("UPDATE blobs SET data = damaged(data) WHERE data IS NOT NULL")
    connection.close()


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("damage", ["torn", "short", "empty", "flipped"])
def test_a_block_that_was_changed_on_the_disk_is_fetched_again(
    site: Site, tmp_path: Path, damage: str, sealed: bool
) -> None:
    """By a power cut, or by the disk, while the gateway runs or when it does not."""
    encryption = Encryption() if sealed else None
    for size in (SMALL, MIDDLE, LARGE):
        site.origin.has(f"k{size}", noise(size), encryption=encryption)
    cache = site.worker()
    for again in (False, True):
        for size in (SMALL, MIDDLE, LARGE):
            read(cache, f"k{size}")
        if again:
            cache.close()
        damage_files(tmp_path, damage)
        damage_rows(tmp_path)
        cache = site.worker() if again else cache
        cache._hot.clear()
        sent = site.origin.sent
        for _ in range(2):
            for size in (SMALL, MIDDLE, LARGE):
                assert is_right(cache, f"k{size}", size)
        assert site.origin.sent == sent + SMALL + MIDDLE + LARGE


def test_a_block_that_was_changed_breaks_the_answer_off_when_the_source_cannot_give_it(
    site: Site, tmp_path: Path
) -> None:
    site.origin.has("k", noise(LARGE))
    cache = site.worker()
    read(cache, "k")
    damage_files(tmp_path, "flipped")
    site.origin.fail = Unavailable("It sleeps.")
    with pytest.raises(Unavailable, match="sleeps") as caught:
        read(cache, "k")
    assert not isinstance(caught.value, Corrupt)


def test_blocks_under_a_key_that_is_gone_are_fetched_again(site: Site, tmp_path: Path) -> None:
    """The data folder has another master key now."""
    for size in (SMALL, LARGE):
        site.origin.has(f"k{size}", noise(size), encryption=Encryption())
        read(site.worker(), f"k{size}")
    for one in site._workers:
        one.close()
    cache = Cache(source=site.origin)
    cache.open(
        Context(sid="c", folder=tmp_path, clock=site.clock, master_key=Secret(bytes([7] * 32)))
    )
    site._workers.append(cache)
    for _ in range(3):
        sent = site.origin.sent
        for size in (SMALL, LARGE):
            assert is_right(cache, f"k{size}", size)
        cache._hot.clear()
    assert site.origin.sent == sent, "by then all is there again"
