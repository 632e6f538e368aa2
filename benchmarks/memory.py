"""The memory that a server takes: idle, for large bodies, for many connections, over time.

RSS is sampled while a body goes up and comes back; it is made while it is sent and checked
while it comes, and signed as UNSIGNED-PAYLOAD, so that it need not be read twice. Growth is
looked at after some requests, and again after many more.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
import zlib
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from benchmarks import requests, starting, steps
from benchmarks.connection import Answer, Connection
from benchmarks.load import LoadFailed, generator, measure
from benchmarks.processes import Usage
from benchmarks.report import markdown
from benchmarks.requests import MIB, payload
from benchmarks.seeding import Refused, create_bucket, prepare
from benchmarks.servers import SERVERS
from benchmarks.signing import UNSIGNED, Request
from benchmarks.starting import Missing, Running
from benchmarks.workloads import BUCKET, WORKLOADS

INTERVAL = 0.02
PATIENCE = 120.0
PATH = f"/{BUCKET}/large.bin"
PART = 64
SLICE = 5.0


@dataclass(slots=True)
class Peak:
    """The most that was seen: of all processes together, and of one. In bytes."""

    total: int = 0
    largest: int = 0
    seconds: float = 0.0

    def add(self, usage: list[Usage]) -> None:
        sizes = [one.rss for one in usage]
        self.total = max(self.total, sum(sizes))
        self.largest = max(self.largest, *sizes, 0)

    def __str__(self) -> str:
        return f"{self.total / MIB:.0f} ({self.largest / MIB:.0f}) MiB"

    def above(self, idle: Peak) -> str:
        return f"{self} +{max(0, self.total - idle.total) / MIB:.0f}"


@contextmanager
def watching(server: Running) -> Iterator[Peak]:
    """Samples the server's processes until the block ends."""
    peak, done = Peak(), threading.Event()
    peak.add(server.usage() or [])

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
        peak.add(server.usage() or [])


@contextmanager
def _connected(server: Running, what: str) -> Iterator[Connection]:
    """Failures of the connection become `Refused`."""
    try:
        connection = Connection(server.target.address, PATIENCE)
        try:
            yield connection
        finally:
            connection.close()
    except (OSError, steps.Wrong) as error:
        raise Refused(f"{what}: {error}") from error


def _asked(connection: Connection, server: Running, request: Request) -> Answer:
    answer = connection.exchange(server.target.head(request), request.body, keep=True)
    if answer.status != 200:
        raise Refused(f"{request.method}: {answer.status} {answer.body[:300]!r}")
    return answer


def _sent(connection: Connection, server: Running, request: Request, count: int) -> Answer:
    """A request whose body is `count` MiB."""
    connection.send([server.target.head(request)])
    connection.send(repeat(payload(MIB), count))
    answer = connection.answer(keep=True)
    if answer.status != 200:
        raise Refused(f"{request.method}: {answer.status} {answer.body[:300]!r}")
    return answer


def upload(server: Running, mebibytes: int) -> None:
    """PUT one object. Raises `Refused`."""
    with _connected(server, "PUT") as connection:
        _sent(connection, server, requests.announced(PATH, mebibytes * MIB), mebibytes)


def upload_in_parts(server: Running, mebibytes: int) -> None:
    """The same in parts of 64 MiB, one after the other. Raises `Refused`."""
    with _connected(server, "multipart") as connection:
        begun = requests.post(PATH, {"uploads": ""})
        upload, parts = steps.upload_id(_asked(connection, server, begun)), []
        sizes = [min(PART, mebibytes - at) for at in range(0, mebibytes, PART)]
        for number, size in enumerate(sizes, 1):
            query = {"partNumber": str(number), "uploadId": upload}
            request = requests.announced(PATH, size * MIB, query)
            parts.append(requests.Part(steps.etag(_sent(connection, server, request, size))))
        _asked(connection, server, requests.complete(PATH, upload, parts))


def download(server: Running, mebibytes: int) -> None:
    """GET the object and compare its CRC-32. Raises `Refused`."""
    crc = expected = 0

    def take(piece: memoryview) -> None:
        nonlocal crc
        crc = zlib.crc32(piece, crc)

    for block in repeat(payload(MIB), mebibytes):
        expected = zlib.crc32(block, expected)
    request = Request(method="GET", path=PATH, payload_hash=UNSIGNED)
    with _connected(server, "GET") as connection:
        answer = connection.exchange(server.target.head(request), sink=take)
    if (answer.status, answer.length, crc) != (200, mebibytes * MIB, expected):
        raise Refused(f"GET: answered {answer.status} with {answer.length} bytes, not what was put")


def idle_connections(server: Running, count: int) -> None:
    """Connections that have asked once, and wait. Raises `Refused`."""
    _allow_files(count + 256)
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(_connected(server, f"{count} connections"))
            _asked(connection, server, Request(method="GET", path="/"))
        time.sleep(1)


def _allow_files(count: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def small_requests(server: Running, place: Path, options: Namespace, count: int) -> None:
    """70 % GET, 30 % PUT of 1 KiB. Raises `Refused`, `LoadFailed`."""
    workload, left = WORKLOADS["mixed-1k"], count
    prepare(workload, server)
    while left > 0:
        sample = measure(generator(options.load)[1], place, workload, server.target,
                         min(SLICE, options.seconds))  # fmt: skip
        if sample.errors or not sample.requests:
            raise Refused(f"{count} requests: {dict(sample.errors)}")
        left -= sample.requests


def measured(name: str, folder: Path, options: Namespace) -> tuple[list[str], dict[str, Any]]:
    """One row of the table, and the same for programs."""
    found: dict[str, Peak] = {}
    trouble = ""
    try:
        with starting.running(SERVERS[name], folder) as one:
            create_bucket(one, BUCKET)
            jobs: tuple[tuple[str, Callable[[], object]], ...] = (
                ("idle", lambda: time.sleep(0.5)),
                ("put", lambda: upload(one, options.mib)),
                ("get", lambda: download(one, options.mib)),
                ("multipart", lambda: upload_in_parts(one, options.multipart_mib)),
                ("connections", lambda: idle_connections(one, options.idle)),
                ("before", lambda: small_requests(one, folder, options, options.requests // 10)),
                ("after", lambda: small_requests(one, folder, options, options.requests)),
            )
            for step, do in jobs:
                with watching(one) as peak:
                    do()
                if step in ("before", "after"):  # what stays, not the most
                    peak = Peak(seconds=peak.seconds)
                    peak.add(one.usage() or [])
                found[step] = peak
    except (LoadFailed, Missing, Refused) as error:
        trouble = " ".join(str(error).split())[:160]
    return _row(name, found, trouble, options), {
        "name": name,
        "trouble": trouble,
        **{step: asdict(peak) for step, peak in found.items()},
    }


def _row(name: str, found: dict[str, Peak], trouble: str, options: Namespace) -> list[str]:
    row = [name]
    for step in ("idle", "put", "get", "multipart", "connections"):
        shown = found[step].above(found["idle"]) if step in found else "–"
        row.append(str(found[step]) if step == "idle" and step in found else shown)
    grown = "–"
    if "after" in found:
        more = (found["after"].total - found["before"].total) / MIB
        grown = f"{found['before']} → {found['after']}, {more:+.1f} MiB"
    speeds = [
        f"{options.mib * MIB / found[step].seconds / 1e9:.2f}" if step in found else "–"
        for step in ("put", "get")
    ]
    return [*row, grown, f"{' / '.join(speeds)} GB/s", trouble]


def _size(mebibytes: int) -> str:
    return f"{mebibytes / 1024:g} GiB" if mebibytes >= 1024 else f"{mebibytes} MiB"


def bodies_and_growth(options: Namespace, place: Path) -> int:
    """The command. Servers that keep data in memory are left out: theirs is the body's
    size by nature; so is one that takes no PUT."""
    usual = [name for name, one in SERVERS.items() if one.usual and not one.in_memory]
    rows, records = [], []
    for name in options.servers or [name for name in usual if not SERVERS[name].static]:
        print(f"memory  {name}", file=sys.stderr, flush=True)
        row, record = measured(name, place / name, options)
        rows.append(row)
        records.append(record)
        shutil.rmtree(place / name, ignore_errors=True)
    head = ["RSS: sum (max) +over idle", "idle", f"PUT {_size(options.mib)}",
            f"GET {_size(options.mib)}", f"multipart {_size(options.multipart_mib)}",
            f"{options.idle:,} connections", f"before and after {options.requests:,} requests",
            "PUT / GET", "trouble"]  # fmt: skip
    print(markdown(head, rows))
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return 0 if any("idle" in record for record in records) else 1
