"""What is compressed is read as it was written, any range of it at the price of its own blocks."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.indexed import compression
from drivers.indexed.cipher import BLOCK
from drivers.indexed.compression import BadFrame, compressed, decompressed
from drivers.indexed.layout import Layout, pack_ends
from drivers.indexed.space import FileSpace
from drivers.indexed.upkeep import remove_orphans
from drivers.local import Local
from drivers.memory import Memory
from gateway.storage import (
    Annotate,
    BytesBody,
    Complete,
    Context,
    Corrupt,
    Encryption,
    Get,
    PartRef,
    Put,
    Range,
    Secret,
    Unavailable,
    pieces,
)
from tests.older_index import make_older

CUSTOMER = Encryption(kind="customer", key=Secret(b"k" * 32))
TEXT = b"".join(b"%d is a line of a log that says little that is new.\n" % n for n in range(20_000))
NOISE = random.Random(1).randbytes(BLOCK + 10)
MIXED = NOISE + TEXT[: 2 * BLOCK] + NOISE[:5000]

Indexed = Local | Memory


def opened(folder: Path, **options: Any) -> Local:
    store = Local(keep_versions="off", durability="process", **options)
    store.open(Context(sid="bucket", folder=folder, master_key=Secret(b"m" * 32)))
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Local]:
    with closing(opened(tmp_path, compress="zstd")) as local:
        yield local


def put(store: Indexed, key: str, body: bytes, encryption: Encryption | None = None) -> Any:
    return store.put(key, BytesBody(body), Put(size=len(body), encryption=encryption))


def read(store: Indexed, key: str, want: Get = Get()) -> bytes:
    with store.get(key, want) as found:
        return b"".join(pieces(found.body))


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "blobs").rglob("*") if path.is_file()]


def harm(store: Local, sql: str, *values: object) -> None:
    store.space.write(lambda txn: txn.execute(sql, values))


def damage(store: Local) -> list[str]:
    return [step.damage.message for step in store.scrub() if step.damage]


# any range


@pytest.fixture(scope="module", params=["files", "index", "memory"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    local: Indexed
    if request.param == "memory":
        local = Memory(keep_versions="off", compress="zstd")
        local.open(Context(sid="bucket", master_key=Secret(b"m" * 32)))
    else:
        limit = {"files": 0, "index": 64 * 1024}[request.param]
        folder = tmp_path_factory.mktemp("kept")
        local = opened(folder, compress="zstd", inline_limit=limit)
    yield local
    local.close()


SOURCES = {"noise": NOISE, "text": TEXT, "zeros": b"\0" * (BLOCK + 10)}
STRETCHES = st.lists(
    st.tuples(
        st.sampled_from(sorted(SOURCES)),
        st.one_of(st.integers(1, 9000), st.integers(BLOCK - 2, BLOCK + 2)),
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    STRETCHES,
    st.sampled_from([None, Encryption(), CUSTOMER]),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=4),
    st.booleans(),
)
def test_any_range_is_that_of_the_plain_bytes(
    kept: Indexed,
    stretches: list[tuple[str, int]],
    encryption: Encryption | None,
    wanted: list[tuple[float, float]],
    in_parts: bool,
) -> None:
    bodies = [SOURCES[source][:length] for source, length in stretches]
    body = b"".join(bodies)
    if in_parts:
        upload = kept.begin("k", Put(encryption=encryption)).id
        refs = []
        for number, one in enumerate(bodies, 1):
            part = Put(size=len(one), encryption=encryption)
            made = kept.put_part("k", upload, number, BytesBody(one), part)
            refs.append(PartRef(number=number, etag=made.etag))
        kept.complete("k", upload, refs, Complete(encryption=encryption))
    else:
        put(kept, "k", body, encryption)
    assert read(kept, "k", Get(encryption=encryption)) == body
    for ends in wanted:
        first, last = sorted(int(end * (len(body) - 1)) for end in ends)
        want = Get(range=Range(first, last), encryption=encryption)
        assert read(kept, "k", want) == body[first : last + 1]


def test_a_range_costs_its_own_blocks(store: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    body = TEXT * 8
    put(store, "k", body)
    lengths: list[int] = []
    plain = os.read

    def counted(handle: int, size: int) -> bytes:
        piece = plain(handle, size)
        lengths.append(len(piece))
        return piece

    monkeypatch.setattr(os, "read", counted)
    at = 20 * BLOCK - 50
    assert read(store, "k", Get(range=Range(at, at + 99))) == body[at : at + 100]
    assert len(lengths) == 2
    assert sum(lengths) < BLOCK


# what is stored


def test_text_takes_less_space_and_nothing_else_is_another(tmp_path: Path, store: Local) -> None:
    info = put(store, "k", MIXED)
    assert sum(path.stat().st_size for path in files(tmp_path)) < len(NOISE) + BLOCK // 2
    assert store.stats().bytes == info.size == len(MIXED)
    beside = opened(tmp_path / "beside")
    as_it_is = put(beside, "k", MIXED)
    assert (info.etag, info.checksums) == (as_it_is.etag, as_it_is.checksums)
    beside.close()


@pytest.mark.parametrize("body", [NOISE, NOISE[:50_000], b"a" * 4000], ids=len)
def test_what_does_not_become_shorter_lies_as_it_is(store: Local, body: bytes) -> None:
    put(store, "k", body)
    assert store.space.one("SELECT ends, size FROM blobs", ()) == (None, len(body))
    assert damage(store) == []


def test_what_is_in_the_index_is_compressed_too(store: Local) -> None:
    put(store, "k", TEXT[:60_000])
    assert store.space.one("SELECT length(data) FROM blobs", ())[0] < 20_000
    put(store, "k", b"now it is short")
    assert store.space.one("SELECT ends FROM blobs", ()) == (None,)
    assert read(store, "k") == b"now it is short"


def test_the_option_may_be_switched_at_any_time(tmp_path: Path) -> None:
    for number, compress in enumerate(["none", "zstd", "none", "zstd"]):
        store = opened(tmp_path, compress=compress)
        put(store, f"large{number}", MIXED)
        put(store, f"small{number}", TEXT[:5000])
        for before in range(number + 1):
            assert read(store, f"large{before}") == MIXED
            assert read(store, f"small{before}") == TEXT[:5000]
        assert damage(store) == []
        store.close()
    assert len({path.stat().st_size for path in files(tmp_path)}) == 2


def test_a_copy_moves_no_bytes(tmp_path: Path, store: Local) -> None:
    put(store, "k", MIXED)
    store.copy(store, "k", "copy")
    upload = store.begin("parts").id
    part = store.copy_part("parts", upload, 1, store, "k", Get(range=Range(1, len(MIXED) - 2)))
    store.complete("parts", upload, [PartRef(number=1, etag=part.etag)])
    assert len(files(tmp_path)) == 1
    assert read(store, "copy") == MIXED
    assert read(store, "parts") == MIXED[1:-1]
    assert damage(store) == []


def test_annotations_are_compressed(store: Local) -> None:
    put(store, "k", b"x")
    store.put_annotation("k", "a", TEXT, Annotate())
    assert b"".join(pieces(store.annotation("k", "a").body)) == TEXT


def test_an_index_from_before_is_read(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, "k", MIXED)
    make_older(lambda statement: harm(store, statement), 7)
    store.close()
    store = opened(tmp_path, compress="zstd")
    put(store, "new", MIXED)
    assert read(store, "k") == read(store, "new") == MIXED
    store.close()


# what is wrong with it


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


HARM: dict[str, Callable[[Path], object]] = {
    "the first byte": lambda path: flip(path, 0),
    "a byte in the middle": lambda path: flip(path, BLOCK + 100),
    "the last byte": lambda path: flip(path, -1),
    "cut short": lambda path: os.truncate(path, BLOCK + 5000),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
}


@pytest.mark.parametrize("encryption", [None, CUSTOMER], ids=["plain", "encrypted"])
@pytest.mark.parametrize("what", HARM)
def test_each_harm_to_a_file_is_found(
    tmp_path: Path, store: Local, what: str, encryption: Encryption | None
) -> None:
    put(store, "k", MIXED, encryption)
    assert damage(store) == []
    (path,) = files(tmp_path)
    HARM[what](path)
    assert len(damage(store)) == 1
    if what != "longer":
        with pytest.raises(Corrupt):
            read(store, "k", Get(encryption=encryption))


def test_a_frame_that_is_none_is_damage_where_no_crc_says_so(tmp_path: Path) -> None:
    store = opened(tmp_path, compress="zstd", verify="scrub")
    put(store, "k", MIXED)
    put(store, "small", TEXT[:60_000])
    (path,) = files(tmp_path)
    flip(path, BLOCK)  # the first byte of the second block: that of a frame
    harm(store, "UPDATE blobs SET crcs = NULL")
    harm(
        store,
        "UPDATE blobs SET data = CAST(X'00' || substr(data, 2) AS BLOB) WHERE data IS NOT NULL",
    )
    assert ["cannot be decompressed" in one for one in damage(store)] == [True, True]
    for key in ("k", "small"):
        with pytest.raises(Corrupt, match="compressed"):
            read(store, key)
    store.close()


ENDS = {
    "no ends": b"x",
    "no bytes": 5,
    "fewer": pack_ends([BLOCK]),
    "nothing between": pack_ends([BLOCK, BLOCK, BLOCK + 5, BLOCK + 6]),
    "too much between": pack_ends([BLOCK, 3 * BLOCK, 3 * BLOCK + 1, 3 * BLOCK + 2]),
    "far away": pack_ends([2**64 - 1] * 4),
}


@pytest.mark.parametrize("kind", ENDS)
def test_damaged_ends_are_an_error_in_the_contracts_words(store: Local, kind: str) -> None:
    put(store, "k", MIXED)
    harm(store, "UPDATE blobs SET ends = ?", ENDS[kind])
    for first in range(4):
        with pytest.raises(Corrupt):
            read(store, "k", Get(range=Range(first * BLOCK, len(MIXED) - 1)))
    assert len(damage(store)) == 1


ZEROS = b"\0" * BLOCK


def frame(plain: bytes, **options: int) -> bytes:
    zstd = compression.library()
    given = {getattr(zstd.CompressionParameter, name): value for name, value in options.items()}
    compressor = zstd.ZstdCompressor(options=given)
    return bytes(compressor.compress(plain) + compressor.flush())


FRAMES: dict[str, Callable[[], bytes]] = {
    "more bytes than its block has": lambda: compressed(ZEROS * 256),
    "more in a small window": lambda: frame(ZEROS * 256, window_log=17),
    "fewer": lambda: compressed(ZEROS[:-1]),
    "more memory than its block needs": lambda: frame(ZEROS, window_log=27),
    "two frames": lambda: compressed(ZEROS[: BLOCK // 2]) * 2,
    "bytes behind it": lambda: compressed(ZEROS) + b"x",
    "no end": lambda: compressed(ZEROS)[:-1],
    "no beginning": lambda: compressed(ZEROS)[1:],
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_that_is_not_what_it_has_to_be_is_refused(kind: str) -> None:
    stored = FRAMES[kind]()
    tracemalloc.start()
    try:
        with pytest.raises(BadFrame):
            decompressed(stored, BLOCK)
        assert tracemalloc.get_traced_memory()[1] < 3 * BLOCK
    finally:
        tracemalloc.stop()


def test_a_block_beyond_the_last_is_nothing() -> None:
    with pytest.raises(BadFrame):
        decompressed(compressed(ZEROS), Layout(BLOCK).plain_length(1))


# where it cannot be done


def no_library() -> Any:
    raise ImportError("it is not there")


def test_without_the_library_what_needs_it_says_so(
    tmp_path: Path, store: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "text", TEXT)
    put(store, "noise", NOISE)
    monkeypatch.setattr(compression, "_zstd", no_library)
    for kind in (Local, Memory):
        with pytest.raises(ValueError, match=r'compress = "zstd" needs .*zstd') as refused:
            kind(compress="zstd")
        assert sys.version_info >= (3, 14) or "pip install backports.zstd" in str(refused.value)
    with pytest.raises(Unavailable, match="needs"):
        read(store, "text")
    with pytest.raises(Unavailable):  # and does not call damaged what it cannot look at
        damage(store)
    assert read(store, "noise") == NOISE


# a crash


KILLED = """
import os, sys
from pathlib import Path
from drivers.local import Local
from gateway.storage import BytesBody, Context, Put

def put(body):
    store.put("k", BytesBody(body), Put(size=len(body)))

store = Local(keep_versions="off", compress="zstd")
store.open(Context(sid="bucket", folder=Path(sys.argv[1])))
put(b"old")
store.space.write = lambda *_, **__: os._exit(9)
put(b"new" * 100_000)
"""


@pytest.mark.usefixtures("processes")
def test_killed_between_file_and_commit_the_old_object_is_there(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(command, env=environ, cwd=root).returncode == 9
    store = opened(tmp_path)
    assert read(store, "k") == b"old"
    assert len(files(tmp_path)) == 1
    assert damage(store) == []
    assert isinstance(store.space, FileSpace)
    assert remove_orphans(store.space, age=-1) == 1
    assert files(tmp_path) == []
    store.close()
