"""What waits to be sent on waitress's connections."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.servers.outgoing import Outgoing
from gateway.storage import Stretch

PIECES = [bytes([number]) * 20_000 for number in range(5)]


@pytest.fixture
def stretch(tmp_path: Path) -> Iterator[Stretch]:
    path = tmp_path / "file"
    path.write_bytes(b"".join(PIECES))
    with path.open("rb") as file:
        yield Stretch(file.fileno(), 20_000, 60_000)


@pytest.mark.parametrize("taken", [99, 7000, 20_000, 50_000])
def test_pieces_are_sent_in_order_however_much_of_them_is_taken(taken: int) -> None:
    outgoing, sent = Outgoing(), b""
    for piece in PIECES:
        outgoing.append(piece)
    while outgoing:
        some = outgoing.next(9000)
        assert isinstance(some, memoryview)
        part = bytes(some[:taken])
        assert 0 < len(part) <= 9000
        outgoing.skip(len(part))
        sent += part
        assert len(outgoing) + len(sent) == 100_000
    assert sent == b"".join(PIECES)


def test_what_is_large_is_not_copied_and_what_is_small_leaves_with_what_is_before_it() -> None:
    outgoing = Outgoing()
    for piece in (b"head", b"body", PIECES[1], b"end", PIECES[2]):
        outgoing.append(piece)
    found = []
    while outgoing:
        some = outgoing.next(1 << 20)
        assert isinstance(some, memoryview)
        found.append(some.obj)
        outgoing.skip(len(some))
    assert found == [b"headbody", PIECES[1], b"end", PIECES[2]]
    assert found[1] is PIECES[1]
    assert found[3] is PIECES[2]


def test_a_head_of_which_a_part_was_sent_may_get_more_behind_it() -> None:
    outgoing = Outgoing()
    outgoing.append(b"head")
    outgoing.skip(2)
    outgoing.append(b"body")
    assert bytes(outgoing.next(99)) == b"adbody"  # type: ignore[arg-type]
    assert len(outgoing) == 6


@pytest.mark.skipif(not hasattr(os, "pread"), reason="nobody offers files there")
@pytest.mark.parametrize("sent", [0, 1, 40_000])
def test_the_rest_of_a_file_may_be_kept_in_memory(stretch: Stretch, sent: int) -> None:
    outgoing = Outgoing()
    outgoing.append(stretch)
    outgoing.append(b"end")
    outgoing.skip(sent)
    rest = outgoing.next(1)
    assert isinstance(rest, Stretch)
    assert (rest.start, len(rest)) == (20_000 + sent, 60_000 - sent)
    outgoing.keep()
    found = b""
    while outgoing:
        some = outgoing.next(1 << 20)
        assert isinstance(some, memoryview)
        found += some
        outgoing.skip(len(some))
    assert found == b"".join(PIECES)[20_000 + sent : 80_000] + b"end"


@pytest.mark.skipif(not hasattr(os, "pread"), reason="nobody offers files there")
def test_a_file_that_is_shorter_than_said_is_not_taken_for_whole(
    stretch: Stretch, tmp_path: Path
) -> None:
    os.truncate(tmp_path / "file", 50_000)
    outgoing = Outgoing()
    outgoing.append(stretch)
    with pytest.raises(EOFError):
        outgoing.keep()
