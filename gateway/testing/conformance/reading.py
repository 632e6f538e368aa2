"""Reading: bytes, ranges, parts, and stores that are asked for what is not there."""

from __future__ import annotations

import pytest

from gateway.storage import (
    Get,
    InvalidPart,
    InvalidRange,
    NoSuchKey,
    Range,
    Writable,
    lent,
    pieces,
)
from gateway.testing.conformance.bench import Bench, of_file
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import together
from gateway.testing.faults import noise

TEN = b"0123456789"
SIZES = (0, 1, 65_535, 65_536, 65_537, 1 << 20)

SATISFIABLE = (
    (Range(0, 0), 0, 1),
    (Range(2, 5), 2, 4),
    (Range(5, 15), 5, 5),
    (Range(9, 9), 9, 1),
    (Range(3, None), 3, 7),
    (Range(0, None), 0, 10),
    (Range(0, 1 << 62), 0, 10),
    (Range(None, 3), 7, 3),
    (Range(None, 10), 0, 10),
    (Range(None, 99), 0, 10),
)
UNSATISFIABLE = (Range(10, None), Range(10, 12), Range(1 << 62, None), Range(None, 0))


class ReadingConformance(Conformance):
    @pytest.mark.parametrize("size", SIZES)
    def test_what_was_put_is_read(self, bench: Bench, size: int) -> None:
        data = noise(size)
        bench.seed("k", data)
        assert bench.read("k") == data

    def test_an_opened_object_says_what_it_is(self, bench: Bench) -> None:
        bench.seed("k", TEN)
        with bench.store.get("k") as opened:
            assert (opened.info.key, opened.info.size) == ("k", 10)
            assert (opened.start, opened.length, opened.status) == (0, 10, 200)

    def test_stat_and_get_agree(self, bench: Bench) -> None:
        bench.seed("k", TEN)
        with bench.store.get("k") as opened:
            assert bench.store.stat("k") == opened.info

    @pytest.mark.parametrize("want", [Get(), Get(range=Range(0, 1)), Get(part=1)])
    def test_a_missing_key_is_NoSuchKey(self, bench: Bench, want: Get) -> None:
        bench.seed("there", TEN)
        for ask in (bench.store.get, bench.store.stat):
            with pytest.raises(NoSuchKey) as raised:
                ask("absent", want)
            assert raised.value.key == "absent"
            assert raised.value.delete_marker is None

    def test_a_range_gives_its_bytes_cut_at_the_end_of_the_object(self, bench: Bench) -> None:
        bench.seed("k", TEN)
        for wanted, start, length in SATISFIABLE:
            with bench.store.get("k", Get(range=wanted)) as opened:
                assert (opened.start, opened.length, opened.info.size) == (start, length, 10)
                assert b"".join(pieces(opened.body)) == TEN[start : start + length], wanted

    def test_a_range_beyond_the_end_is_InvalidRange_with_the_size(self, bench: Bench) -> None:
        bench.seed("k", TEN)
        for wanted in UNSATISFIABLE:
            with pytest.raises(InvalidRange) as raised:
                bench.store.get("k", Get(range=wanted)).close()
            assert raised.value.size == 10

    def test_the_last_bytes_of_an_empty_object_are_none(self, bench: Bench) -> None:
        bench.seed("empty", b"")
        with bench.store.get("empty", Get(range=Range(None, 5))) as opened:
            assert (opened.start, opened.length, opened.info.size) == (0, 0, 0)
            assert opened.body.read() == b""
        assert bench.store.stat("empty", Get(range=Range(None, 5))).size == 0

    @pytest.mark.parametrize("wanted", [Range(0, None), Range(0, 0), Range(None, 0)])
    def test_an_empty_object_has_no_other_range(self, bench: Bench, wanted: Range) -> None:
        bench.seed("empty", b"")
        with pytest.raises(InvalidRange) as raised:
            bench.store.get("empty", Get(range=wanted)).close()
        assert raised.value.size == 0

    def test_ranges_are_right_at_every_border_of_a_large_object(self, bench: Bench) -> None:
        data = noise((1 << 20) + 77)
        bench.seed("k", data)
        for border in (4096, 65_536, 262_144, 524_288, 1 << 20):
            for first, last in ((border - 1, border), (border, border), (border - 70, border + 70)):
                wanted = Get(range=Range(first, last))
                assert bench.read("k", wanted) == data[first : last + 1], (first, last)
        assert bench.read("k", Get(range=Range(None, 100))) == data[-100:]

    def test_a_body_is_read_in_pieces_of_any_size_and_then_ends(self, bench: Bench) -> None:
        data = noise(100_000)
        bench.seed("k", data)
        with bench.store.get("k") as opened:
            read = [opened.body.read(size) for size in (1, 7, 4096, 65_536)]
            assert [len(piece) > 0 for piece in read] == [True] * 4
            assert all(
                len(piece) <= size for piece, size in zip(read, (1, 7, 4096, 65_536), strict=True)
            )
            assert b"".join(read) + b"".join(iter(opened.body.read, b"")) == data
            assert opened.body.read() == b""

    def test_a_body_may_be_closed_half_way_and_twice(self, bench: Bench) -> None:
        bench.seed("k", noise(300_000))
        opened = bench.store.get("k")
        assert opened.body.read(10)
        opened.close()
        opened.close()
        assert len(bench.read("k")) == 300_000

    def test_what_is_lent_to_a_server_is_what_others_read(self, bench: Bench) -> None:
        """Which stretches of a file are lent, and when, is the store's to say."""
        data = noise((1 << 20) + 300_077)
        bench.seed("k", data)
        bench.upkeep.days_pass(1)
        end = len(data) - 1
        for first, last in ((0, end), (1, end), (262_143, 262_144), (70_000, 900_001), (0, end)):
            want = Get(range=Range(first, last))
            expected = data[first : last + 1]
            assert bench.sent("k", want) == bench.sent("k", want, 70_000) == expected, (first, last)
            assert bench.read("k", want) == expected, (first, last)
        for most in (1, 1 << 30):  # one is read, then lent, then read
            with bench.store.get("k") as opened:
                head = opened.body.read(1000)
                found = lent(opened.body, most)
                middle = b"" if found is None else of_file(found)
                assert head + middle + b"".join(pieces(opened.body)) == data

    def test_two_readers_do_not_disturb_each_other(self, bench: Bench) -> None:
        data = noise(200_000)
        bench.seed("k", data)
        with bench.store.get("k") as one, bench.store.get("k") as two:
            assert one.body.read(1000) == data[:1000]
            assert two.body.read(500) == data[:500]
            assert b"".join(pieces(one.body)) == data[1000:]
            assert b"".join(pieces(two.body)) == data[500:]

    def test_many_threads_read_the_same_bytes(self, bench: Bench) -> None:
        objects = {f"k{n}": noise(size, str(n)) for n, size in enumerate((10, 70_000, 400_000))}
        for key, data in objects.items():
            bench.seed(key, data)
        read = together(12, lambda n: bench.read(f"k{n % 3}"))
        assert read == [objects[f"k{n % 3}"] for n in range(12)]

    def test_part_one_of_an_object_put_whole_is_all_of_it(self, bench: Bench) -> None:
        bench.seed("k", TEN)
        with bench.able("part reads"), bench.store.get("k", Get(part=1)) as opened:
            assert (opened.start, opened.length, opened.info.parts) == (0, 10, ())
            assert b"".join(pieces(opened.body)) == TEN

    def test_an_object_put_whole_has_no_second_part(self, bench: Bench) -> None:
        bench.seed("k", TEN)
        with bench.able("part reads"), pytest.raises((InvalidPart, InvalidRange)):
            bench.store.get("k", Get(part=2)).close()

    def test_what_a_store_is_not_said_to_do_it_does_not_find(self, bench: Bench) -> None:
        """`find` gives something of the type that was asked for, or None."""
        found = bench.store.find(Writable)
        assert found is None or hasattr(found, "put")
