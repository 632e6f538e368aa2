"""Writing: all of a body or nothing of it, with everything that was given, and nobody waits."""

from __future__ import annotations

import hashlib
import time
from threading import Thread

import pytest

from gateway.storage import (
    BytesBody,
    Get,
    IncompleteBody,
    NoSuchKey,
    Put,
    Range,
    TooLarge,
    pieces,
)
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.faults import (
    PATIENCE,
    Breaking,
    Dribbling,
    Gated,
    Generated,
    Watched,
    lying,
    noise,
    peak_memory,
)

SIZES = (0, 1, 65_535, 65_536, 65_537, 1 << 20)
LARGE = 64 << 20
FLAT = 16 << 20
"""What a body of LARGE bytes may take at the most: some pieces, and what is done beside."""


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class WritingConformance(Conformance):
    @pytest.mark.parametrize("size", SIZES)
    def test_a_put_tells_what_a_stat_tells_later(self, bench: Bench, size: int) -> None:
        before = time.time_ns() // 1_000_000
        info = bench.put("k", noise(size))
        assert bench.agree(info, bench.store.stat("k"))
        assert (info.key, info.size) == ("k", size)
        # one second for a store whose times are whole seconds, and one for its clock
        assert before - 2000 <= info.modified <= time.time_ns() // 1_000_000 + 2000

    @pytest.mark.parametrize("size", SIZES)
    def test_an_ETag_is_the_MD5_of_the_body_or_does_not_look_like_one(
        self, bench: Bench, size: int
    ) -> None:
        etag = bench.put("k", noise(size)).etag
        assert etag == md5(noise(size)) or "-" in etag
        assert '"' not in etag

    def test_other_bytes_have_another_ETag(self, bench: Bench) -> None:
        assert bench.put("k", b"one").etag != bench.put("k", b"two").etag

    @pytest.mark.parametrize("size", SIZES)
    def test_a_body_whose_size_is_not_announced_is_stored_whole(
        self, bench: Bench, size: int
    ) -> None:
        info = bench.writable.put("k", BytesBody(noise(size)))
        assert info.size == size
        assert bench.read("k") == noise(size)

    @pytest.mark.parametrize("step", [1, 1000])
    def test_a_body_that_comes_in_small_pieces_is_stored_whole(
        self, bench: Bench, step: int
    ) -> None:
        data = noise(300 * step)
        bench.writable.put("k", Dribbling(data, step), Put(size=len(data)))
        assert bench.read("k") == data

    def test_a_source_is_read_to_its_end_and_not_closed(self, bench: Bench) -> None:
        for size in (10, 200_000):
            source = Watched(noise(size))
            bench.writable.put("k", source, Put(size=size))
            assert source.to_the_end
            assert not source.closed

    @pytest.mark.parametrize("size", [100, 200_000, 3 << 20])
    def test_a_body_that_ends_early_is_IncompleteBody_and_changes_nothing(
        self, bench: Bench, size: int
    ) -> None:
        bench.put("there", b"old")
        for key in ("there", "new"):
            source, options = lying(noise(size), announced=size + 1)
            with bench.unchanged(), pytest.raises(IncompleteBody) as raised:
                bench.writable.put(key, source, options)
            assert (raised.value.expected, raised.value.received) == (size + 1, size)

    @pytest.mark.parametrize("size", [100, 200_000, 3 << 20])
    def test_a_body_that_is_too_long_is_TooLarge_and_changes_nothing(
        self, bench: Bench, size: int
    ) -> None:
        bench.put("there", b"old")
        for key in ("there", "new"):
            source, options = lying(noise(size), announced=size - 1)
            with bench.unchanged(), pytest.raises(TooLarge):
                bench.writable.put(key, source, options)

    @pytest.mark.parametrize("size", [0, 100, 200_000, 3 << 20])
    def test_a_source_that_breaks_passes_its_error_on_and_changes_nothing(
        self, bench: Bench, size: int
    ) -> None:
        bench.put("there", b"old")
        for key in ("there", "new"):
            error = ConnectionResetError("the client went away")
            for options in (Put(size=4 << 20), Put()):
                with bench.unchanged(), pytest.raises(ConnectionResetError) as raised:
                    bench.writable.put(key, Breaking(noise(size), error), options)
                assert raised.value is error

    def test_a_store_goes_on_after_a_source_that_broke(self, bench: Bench) -> None:
        with pytest.raises(KeyError):
            bench.writable.put("k", Breaking(noise(200_000), KeyError("ours")), Put(size=300_000))
        bench.put("k", b"fine")
        assert bench.read("k") == b"fine"

    def test_an_overwrite_replaces_bytes_and_all_else(self, bench: Bench) -> None:
        bench.put("k", noise(100_000), Put(metadata={"colour": "red"}, content_type="text/plain"))
        bench.put("k", b"new")
        info = bench.store.stat("k")
        assert bench.read("k") == b"new"
        assert (info.size, dict(info.metadata), info.content_type) == (
            3, {}, "binary/octet-stream",
        )  # fmt: skip

    @pytest.mark.parametrize("size", [20, 100_000, 2 << 20])
    def test_a_reader_sees_the_old_object_or_the_new_and_never_a_mixture(
        self, bench: Bench, size: int
    ) -> None:
        bodies = [bytes([letter]) * (size + letter) for letter in b"AB"]
        bench.put("k", bodies[0])
        done = False

        def keep_writing() -> None:
            turn = 0
            while not done:
                turn += 1
                bench.put("k", bodies[turn % 2])

        writer = Thread(target=keep_writing)
        writer.start()
        try:
            for _ in range(20):
                with bench.store.get("k") as opened:
                    body = b"".join(pieces(opened.body))
                    assert body in bodies
                    assert len(body) == opened.info.size == opened.length
        finally:
            done = True
            writer.join()

    @pytest.mark.parametrize("size", [20, 100_000, 3 << 20])
    def test_a_reader_that_began_before_an_overwrite_or_delete_reads_the_old_bytes(
        self, bench: Bench, size: int
    ) -> None:
        for key, change in (("over", bench.put), ("gone", bench.delete)):
            data = noise(size, key)
            bench.put(key, data)
            with bench.store.get(key) as opened:
                head = opened.body.read(10)
                change(key)
                assert head + b"".join(pieces(opened.body)) == data

    @pytest.mark.parametrize("size", [20, 300_000])
    def test_a_half_written_object_is_not_there_and_holds_up_nobody(
        self, bench: Bench, size: int
    ) -> None:
        bench.put("old", b"old")
        slow = Gated(noise(size))
        writer = Thread(target=bench.writable.put, args=("k", slow, Put(size=size)))
        writer.start()
        try:
            assert slow.reached.wait(PATIENCE)
            with pytest.raises(NoSuchKey):
                bench.store.stat("k")
            bench.put("other", noise(100_000))
            bench.delete("old")
            assert bench.listed() == ["other"]
        finally:
            slow.go.set()
            writer.join()
        assert bench.read("k") == noise(size)

    def test_a_large_body_passes_in_flat_memory(self, bench: Bench) -> None:
        if not bench.driver.flat_memory:
            pytest.skip("the store holds its objects in memory")
        expected = hashlib.md5(usedforsecurity=False)
        for piece in pieces(Generated(LARGE)):
            expected.update(piece)
        with peak_memory() as writing:
            info = bench.writable.put("large", Generated(LARGE), Put(size=LARGE))
        with peak_memory() as reading:
            digest = bench.digest("large")
        assert (info.size, digest) == (LARGE, expected.hexdigest())
        assert writing.bytes < FLAT
        assert reading.bytes < FLAT
        assert len(bench.read("large", Get(range=Range(LARGE - 9, None)))) == 9
