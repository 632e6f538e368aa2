"""Blocks that are given in halves: the same bytes as ever, and none before all of its block fits
its CRC.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from drivers.indexed.blobs import Blob, FileBlobs
from drivers.indexed.blocks import Crcs, plain_range
from drivers.indexed.cipher import BLOCK
from drivers.indexed.layout import HALF
from gateway.storage import Corrupt
from gateway.testing.faults import noise

SIZES = (1, HALF - 1, HALF, HALF + 1, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + HALF, 2 * BLOCK + 5)


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path / "blobs", sync=False)


def kept(blobs: FileBlobs, body: bytes) -> Blob:
    crcs = Crcs()
    blocks = (body[at : at + BLOCK] for at in range(0, len(body), BLOCK))
    return Blob(len(body), blobs.write(crcs.through(blocks)), bytes(crcs.packed))


def edges(size: int) -> list[int]:
    """Where something begins or ends, and beside it."""
    near = (at + beside for at in range(0, size + HALF, HALF) for beside in (-1, 0, 1))
    return sorted({at for at in (*near, size) if 0 <= at <= size})


def given(blobs: FileBlobs, blob: Blob, start: int, length: int) -> Iterator[bytes]:
    """What comes before it turns out that something is wrong."""
    pieces = plain_range(blobs, blob, start, length)
    try:
        yield from pieces
    except Corrupt:
        return


def test_any_range_is_what_was_written_in_pieces_of_half_a_block(blobs: FileBlobs) -> None:
    for size in SIZES:
        body = noise(size)
        blob, ends = kept(blobs, body), edges(size)
        ranges = [*pairwise(ends), *((0, end) for end in ends), *((start, size) for start in ends)]
        for start, end in ranges:
            pieces = list(plain_range(blobs, blob, start, end - start))
            row = f"{start} to {end} of {size}"
            assert b"".join(pieces) == body[start:end], row
            assert all(0 < len(piece) <= HALF for piece in pieces), row


def test_nothing_is_given_of_a_block_that_does_not_fit(blobs: FileBlobs) -> None:
    """Whichever half it is that was changed, or is not there."""
    size = 2 * BLOCK + HALF + 9
    body = noise(size)
    for at in (0, HALF - 1, HALF, BLOCK - 1, BLOCK, BLOCK + HALF, 2 * BLOCK, size - 1):
        whole = at // BLOCK * BLOCK
        changed = bytearray(body)
        changed[at] ^= 1
        for kind, stored in (("changed", bytes(changed)), ("ends", body[:at])):
            blob = kept(blobs, body)
            blobs.path(blob.name).write_bytes(stored)
            assert b"".join(given(blobs, blob, 0, size)) == body[:whole], f"{kind} at {at}"
            if kind == "changed":  # also of a part in which it is not
                start = whole + HALF if at < whole + HALF < size else whole
                assert not b"".join(given(blobs, blob, start, 1)), f"a byte beside {at}"


def test_who_takes_the_last_piece_slowly_holds_no_file(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[int] = []
    close = os.close

    def noted(handle: int) -> None:
        closed.append(handle)
        close(handle)

    body = noise(BLOCK)
    blob = kept(blobs, body)
    pieces = plain_range(blobs, blob, 0, BLOCK)
    monkeypatch.setattr(os, "close", noted)
    first = next(pieces)
    assert len(closed) == 1
    assert b"".join((first, *pieces)) == body
