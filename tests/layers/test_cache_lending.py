"""What of a cached object is lent to a server that sends files: its blocks, one after the other,
once they were checked for one who asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from drivers.cache import Cache
from drivers.cache.fills import BLOCK
from gateway.storage import lent, whole_file
from gateway.testing.conformance.bench import of_file
from gateway.testing.faults import noise
from tests.layers.origin import Site, read

LARGE = 3 * BLOCK + 70_007
OLD = 1_000_000_000


def blobs(folder: Path) -> list[Path]:
    found = [one for one in folder.rglob("blobs/*/*") if one.is_file()]
    assert found
    return found


def settled(tmp_path: Path) -> None:
    """All files were written long ago."""
    for path in blobs(tmp_path):
        os.utime(path, (OLD, OLD))


def asked(cache: Cache, key: str, whole: bytes) -> list[bool]:
    """As a server reads it: whether each piece was lent."""
    kinds: list[bool] = []
    got = b""
    with cache.get(key) as opened:
        while True:
            stretch = lent(opened.body, 1 << 30)
            piece = opened.body.read() if stretch is None else of_file(stretch)
            if not piece:
                assert got == whole
                return kinds
            kinds.append(stretch is not None)
            got += piece


def test_blocks_are_lent_one_after_the_other(site: Site, tmp_path: Path) -> None:
    site.origin.has("k", noise(LARGE))
    cache = site.worker()
    assert read(cache, "k") == noise(LARGE)
    settled(tmp_path)
    assert not any(asked(cache, "k", noise(LARGE)))
    assert asked(cache, "k", noise(LARGE)) == [True] * 4


def test_a_block_that_was_damaged_is_fetched_again(site: Site, tmp_path: Path) -> None:
    site.origin.has("k", noise(LARGE))
    cache = site.worker()
    read(cache, "k")
    settled(tmp_path)
    asked(cache, "k", noise(LARGE))
    for path in blobs(tmp_path):
        damaged = bytearray(path.read_bytes())
        damaged[5] ^= 1
        path.write_bytes(damaged)
    assert not any(asked(cache, "k", noise(LARGE)))


def test_one_that_is_still_fetched_or_in_memory_is_read(
    site: Site, cached: Callable[..., Cache]
) -> None:
    site.origin.has("k", noise(LARGE))
    cache = cached()
    assert not any(asked(cache, "k", noise(LARGE)))


def test_only_an_object_of_one_block_is_one_file(site: Site, tmp_path: Path) -> None:
    cache = site.worker()
    for size in (BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK):
        key = f"k{size}"
        site.origin.has(key, noise(size))
        read(cache, key)
        settled(tmp_path)
        asked(cache, key, noise(size))
        with cache.get(key) as opened:
            path = whole_file(opened.body)
        assert bool(path) is (size <= BLOCK), size
        assert not path or Path(path).read_bytes() == noise(size)
        with cache.get(key) as opened:
            opened.body.read(1000)
            assert not whole_file(opened.body), "a part of it was taken already"
