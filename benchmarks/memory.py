"""The memory that a server takes for one large body: peak RSS during a PUT and a GET.

The body is made while it is sent and checked while it comes back; it is signed
as UNSIGNED-PAYLOAD, so that it need not be read twice.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from benchmarks.connection import Connection
from benchmarks.processes import Usage
from benchmarks.report import MIB, markdown
from benchmarks.servers import Missing, Running, Server, running
from benchmarks.signing import UNSIGNED, Request
from benchmarks.workloads import BUCKET, Refused, create_buckets, payload

INTERVAL = 0.02
PATIENCE = 120.0
PATH = f"/{BUCKET}/large.bin"


@dataclass(slots=True)
class Peak:
    """The most that was seen: of all processes together, and of one. In bytes."""

    total: int = 0
    largest: int = 0
    samples: int = 0
    seconds: float = 0.0
    usage: list[Usage] = field(default_factory=list)

    def add(self, usage: list[Usage]) -> None:
        sizes = [one.rss for one in usage]
        self.total = max(self.total, sum(sizes))
        self.largest = max(self.largest, *sizes, 0)
        self.samples += 1

    def __str__(self) -> str:
        return f"{self.total / MIB:.0f} ({self.largest / MIB:.0f}) MiB"


@contextmanager
def watching(server: Running) -> Iterator[Peak]:
    """Samples the server's processes until the block ends."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(INTERVAL):
            peak.add(server.usage() or [])

    thread = threading.Thread(target=watch)
    begin = time.perf_counter()
    thread.start()
    try:
        yield peak
    finally:
        peak.seconds = time.perf_counter() - begin
        done.set()
        thread.join()


def _checksum(block: bytes, count: int) -> int:
    crc = 0
    for one in repeat(block, count):
        crc = zlib.crc32(one, crc)
    return crc


def upload(server: Running, block: bytes, count: int) -> None:
    """PUT `count` times `block` as one object. Raises `Refused`."""
    request = Request(method="PUT", path=PATH, payload_hash=UNSIGNED, length=len(block) * count)
    connection = Connection(server.target.address, PATIENCE)
    try:
        connection.send([server.target.head(request)])
        connection.send(repeat(block, count))
        answer = connection.answer(keep=True)
    except OSError as error:
        raise Refused(f"PUT: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise Refused(f"PUT: {answer.status} {answer.body[:300]!r}")


def download(server: Running, block: bytes, count: int) -> None:
    """GET the object and compare its CRC-32. Raises `Refused`."""
    crc = 0

    def take(piece: memoryview) -> None:
        nonlocal crc
        crc = zlib.crc32(piece, crc)

    request = Request(method="GET", path=PATH, payload_hash=UNSIGNED)
    connection = Connection(server.target.address, PATIENCE)
    try:
        answer = connection.exchange(server.target.head(request), sink=take)
    except OSError as error:
        raise Refused(f"GET: {error}") from error
    finally:
        connection.close()
    if (answer.status, answer.length, crc) != (200, len(block) * count, _checksum(block, count)):
        raise Refused(f"GET: answered {answer.status} with {answer.length} bytes, not what was put")


def measure(server: Server, folder: Path, mebibytes: int) -> list[str]:
    """One row of the table."""
    block = payload(MIB)
    try:
        with running(server, folder) as one:
            create_buckets(one.target)
            idle = Peak()
            idle.add(one.usage() or [])
            with watching(one) as put:
                upload(one, block, mebibytes)
            with watching(one) as get:
                download(one, block, mebibytes)
    except (Missing, Refused) as error:
        return [server.name, "–", "–", "–", str(error)]
    speeds = " / ".join(f"{mebibytes * MIB / peak.seconds / 1e9:.2f}" for peak in (put, get))
    return [server.name, str(idle), str(put), str(get), f"{speeds} GB/s"]


def table(rows: list[list[str]], mebibytes: int) -> str:
    size = f"{mebibytes / 1024:g} GiB" if mebibytes >= 1024 else f"{mebibytes} MiB"
    head = ["peak RSS: sum (max)", "idle", f"PUT {size}", f"GET {size}", "PUT / GET"]
    return markdown(head, rows)
