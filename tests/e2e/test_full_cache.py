"""A cache whose disk is really full: every read is answered, with the right bytes, nothing is
stored, and when there is room storing begins again, without a restart.

A small tmpfs is mounted for it (see `test_full_disk`); the source is on another disk. What
is stored is seen as a user sees it: by bytes that were replaced beside the cache.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from gateway.testing.faults import PATIENCE, noise
from tests.e2e.conftest import serving
from tests.e2e.raw import MIB
from tests.e2e.test_full_disk import leave, small_disk
from tests.e2e.test_kill import Client
from tests.e2e.test_operations import TWO_WORKERS

CONFIG = """
[services.upstream]
driver = "local"
keep_versions = "off"

[services.thumbs]
driver = "cache"
source = "upstream"
folder = "{folder}"
max_size = "1GiB"
"""
WAITRESS = ("--server", "waitress")
SIZES = (1000, 100_000, MIB, 3 * MIB + 77)


class Site:
    """What the source has; each key's bytes are like no other's."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._made = 0
        self.has: dict[str, bytes] = {}

    def write(self, key: str, size: int) -> None:
        """Beside the cache."""
        self._made += 1
        self.has[key] = noise(size, f"{key} {self._made}")
        self._client.well("PUT", f"/upstream/{key}", self.has[key])

    def read(self, key: str) -> bytes:
        return self._client.well("GET", f"/thumbs/{key}").body

    def is_stored(self, key: str) -> bool:
        """Whether what is in the cache is answered after the source has other bytes."""
        before = self.has[key]
        self.write(key, len(before))
        answered = self.read(key)
        assert answered in (before, self.has[key])
        return answered == before

    def put(self, key: str, data: bytes) -> int:
        """Through the cache. What is refused is not done."""
        status = self._client("PUT", f"/thumbs/{key}", data).status
        if status == 200:
            self.has[key] = data
        else:
            assert status == 507
        assert self.read(key) == self.has[key]
        assert self._client.well("GET", f"/upstream/{key}").body == self.has[key]
        return status


def test_a_full_disk_stores_nothing_answers_all_and_stores_again(tmp_path: Path) -> None:
    server = WAITRESS if sys.platform == "win32" else TWO_WORKERS
    disk = tmp_path / "disk"
    with small_disk(disk), gateway(tmp_path, disk, *server) as client:
        site = Site(client)
        site.write("before", MIB)
        site.read("before")
        assert site.is_stored("before")
        fill(site, disk)
        while_full(site, client)
        for key in ("before", "full/1000", "full/1048576", "new"):
            site.has.setdefault(key, b"")
            site.put(key, noise(2000, f"put {key}"))
        leave(disk, 0)  # what those have set free
        for key in ("full/1000", "new", "5/1000"):
            if site.has.pop(key):
                client.well("DELETE", f"/thumbs/{key}")
            assert client("GET", f"/thumbs/{key}").status == 404
        site.write("full/again", MIB)
        assert site.read("full/again") == site.has["full/again"]
        (disk / "ballast").unlink()
        until_it_stores(site)
        assert site.put("full/1000", b"data") == 200
    assert "Traceback" not in (tmp_path / "gateway/log").read_text("utf-8")


def test_a_gateway_starts_with_a_cache_on_a_full_disk(tmp_path: Path) -> None:
    """Some blocks go, so that its index can be opened."""
    disk = tmp_path / "disk"
    with small_disk(disk):
        with gateway(tmp_path, disk, *WAITRESS) as client:
            site = Site(client)
            for number in range(20):
                site.write(str(number), 100_000)
                site.read(str(number))
        leave(disk, 0)
        with gateway(tmp_path, disk, *WAITRESS) as client:
            site._client = client
            for key, data in site.has.items():
                assert site.read(key) == data
        (disk / "ballast").unlink()


@contextmanager
def gateway(folder: Path, disk: Path, *options: str) -> Iterator[Client]:
    config = CONFIG.format(folder=disk.as_posix())
    with (
        serving(folder / "gateway", *options, config=config) as running,
        Client(running.url) as client,
    ):
        yield client


def fill(site: Site, disk: Path) -> None:
    """As a cache fills its disk by itself, and then with what others put there."""
    leave(disk, 5 * MIB)
    for number in range(6):
        for size in SIZES:
            site.write(f"{number}/{size}", size)
            assert site.read(f"{number}/{size}") == site.has[f"{number}/{size}"]
    leave(disk, 0)


def while_full(site: Site, client: Client) -> None:
    for size in SIZES:
        key = f"full/{size}"
        site.write(key, size)
        for _ in range(3):
            assert site.read(key) == site.has[key]
        assert not site.is_stored(key)
    part = client("GET", "/thumbs/full/1048576", b"", ("Range", "bytes=9-1048000"))
    assert (part.status, part.body) == (206, site.has["full/1048576"][9:1048001])
    assert client("GET", "/thumbs/absent").status == 404


def until_it_stores(site: Site) -> None:
    end = time.monotonic() + PATIENCE
    for number in count():
        key = f"again/{number}"
        site.write(key, SIZES[number % len(SIZES)])
        assert site.read(key) == site.has[key]
        if site.is_stored(key):
            return
        assert time.monotonic() < end, "it never stores again"
        time.sleep(0.2)
