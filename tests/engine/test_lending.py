"""What of a blob is lent to a server that sends files: only what was checked lately, in a file that
is still the same. All else is read, and so checked."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers.indexed.blobs import Blob, FileBlobs, MemoryBlobs
from drivers.indexed.blocks import Crcs, plain_range
from drivers.indexed.checked_files import LASTS, SETTLED, CheckedFiles, FileState
from drivers.indexed.cipher import BLOCK
from drivers.local import Local
from gateway.storage import (
    BytesBody,
    Context,
    Corrupt,
    Encryption,
    Get,
    PartRef,
    Put,
    Secret,
    Stretch,
    lent,
    pieces,
)
from gateway.testing.conformance.bench import of_file
from gateway.testing.faults import noise

BODY = noise(4 * BLOCK + 77)
ALL = 1 << 40


class Kept:
    """One blob in a file of its own, and a clock, by which the file was written a day ago."""

    def __init__(self, folder: Path) -> None:
        self.blobs = FileBlobs(folder / "blobs", sync=False, clock=lambda: self.now)
        crcs = Crcs()
        blocks = (BODY[at : at + BLOCK] for at in range(0, len(BODY), BLOCK))
        name = self.blobs.write(crcs.through(blocks))
        self.blob = Blob(len(BODY), name, bytes(crcs.packed))
        self.path = self.blobs.path(name)
        self.now = self.path.stat().st_mtime_ns // 1_000_000 + 86_400_000

    def asked(self, start: int = 0, length: int = len(BODY)) -> list[Stretch | bytes]:
        """Its pieces as a server gets them that asks before each."""
        found: list[Stretch | bytes] = []
        got = b""
        body = plain_range(self.blobs, self.blob, start, length, known=self.blobs.known)
        while True:
            stretch = lent(body, ALL)
            piece = next(body, b"") if stretch is None else of_file(stretch)
            if not piece:
                break
            found.append(stretch or piece)
            got += piece
        assert got == BODY[start : start + length]
        return found

    def lends(self, start: int = 0, length: int = len(BODY)) -> bool:
        """Whether all of it at once."""
        found = self.asked(start, length)
        return len(found) == 1 and isinstance(found[0], Stretch)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_what_was_checked_for_one_who_asked_is_lent_to_the_next(kept: Kept) -> None:
    assert not any(isinstance(one, Stretch) for one in kept.asked())
    (stretch,) = kept.asked()
    assert isinstance(stretch, Stretch)
    assert (stretch.start, stretch.length) == (0, len(BODY))
    for start, length in ((0, 1), (BLOCK - 1, 2), (77, 3 * BLOCK), (len(BODY) - 1, 1)):
        assert kept.lends(start, length), (start, length)


def test_of_nobody_elses_reading_anything_is_remembered(kept: Kept) -> None:
    body = plain_range(kept.blobs, kept.blob, 0, len(BODY), known=kept.blobs.known)
    assert b"".join(body) == BODY
    assert kept.blob.name not in kept.blobs.known
    assert not kept.lends()


def test_blocks_that_were_checked_are_lent_and_the_others_are_read(kept: Kept) -> None:
    kept.asked(BLOCK, BLOCK)  # the second of five
    first, _, second, *rest = kept.asked()
    assert isinstance(first, bytes)
    assert isinstance(second, Stretch)
    assert (second.start, second.length) == (BLOCK, BLOCK)
    assert all(isinstance(one, bytes) for one in rest)
    assert kept.lends(), "now all have been checked"


def test_a_check_lasts_an_hour(kept: Kept) -> None:
    kept.asked()
    kept.now += LASTS - 1
    assert kept.lends()
    kept.now += 1
    assert not kept.lends()
    assert kept.lends()


def test_a_clock_that_is_set_back_makes_no_check_last_longer(kept: Kept) -> None:
    kept.asked()
    kept.now -= 1
    assert not kept.lends()


def test_a_file_that_was_changed_is_read_and_its_damage_found(kept: Kept) -> None:
    kept.asked()
    with kept.path.open("r+b") as file:
        file.seek(3 * BLOCK)
        file.write(bytes([BODY[3 * BLOCK] ^ 1]))
    with pytest.raises(Corrupt):
        kept.asked()
    assert kept.blob.name not in kept.blobs.known


def test_another_file_in_its_place_is_another(kept: Kept) -> None:
    """With all the same times."""
    kept.asked()
    status = kept.path.stat()
    other = kept.path.with_suffix(".new")
    other.write_bytes(BODY[:-1] + b"x")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(kept.path)
    with pytest.raises(Corrupt):
        kept.asked()


def test_a_file_that_became_shorter_while_it_is_lent_is_lent_no_further(kept: Kept) -> None:
    kept.asked()
    body = plain_range(kept.blobs, kept.blob, 0, len(BODY), known=kept.blobs.known)
    assert lent(body, BLOCK) is not None
    os.truncate(kept.path, 2 * BLOCK)
    assert lent(body, BLOCK) is None
    with pytest.raises(Corrupt):
        b"".join(body)


def test_a_file_that_was_written_just_now_is_not_remembered(kept: Kept) -> None:
    """What is written to it in the same tick of the file system's clock would not show."""
    kept.now -= 86_400_000 - SETTLED + 1
    kept.asked()
    assert not kept.lends()
    kept.now += 2
    kept.asked()
    assert kept.lends()


def test_what_is_lent_can_be_sent_until_the_body_is_closed(kept: Kept) -> None:
    kept.asked()
    body = plain_range(kept.blobs, kept.blob, 5, BLOCK, known=kept.blobs.known)
    stretch = lent(body, ALL)
    assert stretch is not None
    kept.blobs.remove(kept.blob.name)
    assert of_file(stretch) == BODY[5 : 5 + BLOCK]
    body.close()  # type: ignore[attr-defined]
    assert lent(body, ALL) is None
    assert next(body, None) is None


def test_one_piece_after_the_other_is_read_or_lent(kept: Kept) -> None:
    """By turns, in any size: what is read behind what was lent is checked as ever."""
    kept.asked()
    for most in (1, 1000, BLOCK - 1, BLOCK, BLOCK + 1):
        body = plain_range(kept.blobs, kept.blob, 3, len(BODY) - 3, known=kept.blobs.known)
        got, kinds = b"", set()
        while True:
            stretch = lent(body, most)
            piece = of_file(stretch) if stretch is not None else b""
            read = next(body, b"")
            kinds.add(stretch is not None)
            if not piece and not read:
                break
            got += piece + read
        assert got == BODY[3:], most
        assert True in kinds


def test_without_crcs_all_is_lent_at_once_unless_nothing_may_be(kept: Kept) -> None:
    plain = kept.blob._replace(crcs=b"")
    body = plain_range(kept.blobs, plain, 7, 1000, known=kept.blobs.known)
    stretch = lent(body, ALL)
    assert stretch is not None
    assert of_file(stretch) == BODY[7:1007]
    body.close()  # type: ignore[attr-defined]
    for blob in (plain, kept.blob):
        body = plain_range(kept.blobs, blob, 0, len(BODY))
        assert lent(body, ALL) is None
        assert b"".join(body) == BODY


def test_of_a_file_of_another_size_nothing_is_lent(kept: Kept) -> None:
    plain = kept.blob._replace(crcs=b"")
    os.truncate(kept.path, 2 * BLOCK)
    body = plain_range(kept.blobs, plain, 0, len(BODY), known=kept.blobs.known)
    assert lent(body, ALL) is None
    with pytest.raises(Corrupt):
        b"".join(body)


def test_nothing_that_lies_in_memory_is_lent() -> None:
    blobs = MemoryBlobs()
    name = blobs.write([BODY[:BLOCK]])
    body = plain_range(blobs, Blob(BLOCK, name), 0, BLOCK, known=blobs.known)
    assert lent(body, ALL) is None
    assert b"".join(body) == BODY[:BLOCK]


# through a store


def opened(folder: Path, ahead: int = 86_400_000, **options: Any) -> Local:
    """By whose clock all files were written a day ago."""
    store = Local(keep_versions="off", **options)
    clock = lambda: time.time_ns() // 1_000_000 + ahead  # noqa: E731
    store.open(Context(sid="bucket", folder=folder, clock=clock, master_key=Secret(b"m" * 32)))
    return store


def is_lent(store: Local, want: Get = Get(), key: str = "k") -> bool:
    """Whether the next who asks is lent what is wanted, from its first byte on."""
    with store.get(key, want) as one:
        return lent(one.body, ALL) is not None


def ask(store: Local, key: str = "k") -> list[bool]:
    """For all of it, as a server does. Whether each piece is lent."""
    kinds: list[bool] = []
    got = b""
    with store.get(key) as one:
        while True:
            stretch = lent(one.body, ALL)
            piece = one.body.read() if stretch is None else of_file(stretch)
            if not piece:
                assert len(got) == one.info.size
                return kinds
            kinds.append(stretch is not None)
            got += piece


@pytest.mark.parametrize("verify", ["read", "scrub", "always"])
def test_when_it_is_lent_is_an_option(tmp_path: Path, verify: str) -> None:
    with closing(opened(tmp_path, verify=verify)) as store:
        store.put("k", BytesBody(BODY), Put(size=len(BODY)))
        assert is_lent(store) is (verify == "scrub")
        if verify != "scrub":
            assert not any(ask(store))
        assert is_lent(store) is (verify != "always")


def test_what_is_kept_otherwise_than_it_is_sent_is_read(tmp_path: Path) -> None:
    customer = Encryption(kind="customer", key=Secret(b"k" * 32))
    rows: list[tuple[str, dict[str, Any], Encryption | None, bytes]] = [
        ("encrypted", {}, Encryption(), BODY),
        ("under a customer's key", {}, customer, BODY),
        ("compressed", {"compress": "zstd"}, None, b"text " * 100_000),
        ("in the index", {}, None, BODY[:1000]),
    ]
    for name, options, encryption, body in rows:
        folder = tmp_path / name
        with closing(opened(folder, verify="scrub", **options)) as store:
            store.put("k", BytesBody(body), Put(size=len(body), encryption=encryption))
            want = Get(encryption=customer if encryption is customer else None)
            assert not is_lent(store, want), name
            with store.get("k", want) as one:
                assert b"".join(pieces(one.body)) == body, name


def test_the_parts_of_an_object_are_lent_one_after_the_other(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as store:
        bodies = BODY[: BLOCK + 1], b"small", BODY[BLOCK:]
        upload = store.begin("k", Put()).id
        refs = []
        for number, body in enumerate(bodies, 1):
            part = store.put_part("k", upload, number, BytesBody(body), Put(size=len(body)))
            refs.append(PartRef(number=number, etag=part.etag))
        store.complete("k", upload, refs)
        assert not any(ask(store))
        assert ask(store) == [True] * 3


def test_a_scrub_that_finds_damage_ends_the_lending(tmp_path: Path) -> None:
    """Of bytes that rot: the file system knows of no change."""
    with closing(opened(tmp_path)) as store:
        store.put("k", BytesBody(BODY), Put(size=len(BODY)))
        ask(store)
        assert is_lent(store)
        (path,) = (one for one in (tmp_path / "blobs").rglob("*") if one.is_file())
        known = store.space.blobs.known
        assert known is not None
        assert path.name in known
        os.truncate(path, BLOCK + 7)
        assert [step.damage.key for step in store.scrub() if step.damage] == ["k"]
        assert path.name not in known


# what is remembered


STATE = FileState(1, 0, 0, 1)


def spans(known: CheckedFiles, blocks: int = 64) -> list[tuple[int, int]]:
    found = [(block, known.until("a", STATE, block)) for block in range(blocks)]
    return [(block, stop) for block, stop in found if stop > block]


def test_stretches_that_touch_are_one() -> None:
    known = CheckedFiles(lambda: SETTLED)
    for first, stop in ((0, 2), (4, 6), (2, 4), (10, 11), (5, 8)):
        known.note("a", STATE, SETTLED, first, stop)
    assert known.until("a", STATE, 0) == 8
    assert known.until("a", STATE, 8) == 8
    assert known.until("a", STATE, 10) == 11
    assert known.until("b", STATE, 0) == 0
    assert known.until("a", STATE._replace(inode=2), 0) == 0


def test_what_is_remembered_is_bounded() -> None:
    known = CheckedFiles(lambda: SETTLED, limit=3)
    for number in range(100):
        known.note("a", STATE, SETTLED, 2 * number, 2 * number + 1)
    assert len(spans(known, 200)) == 16
    assert known.until("a", STATE, 198) == 199
    for name in ("b", "c", "d"):
        known.note(name, STATE, SETTLED, 0, 1)
    assert [name in known for name in "abcd"] == [False, True, True, True]
