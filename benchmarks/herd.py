"""Many clients at once on one cold object, over sockets: a cache in front of a slow S3 server.

One process is the upstream, which sends at a given speed (`origin`); one is all the clients;
the gateway has its workers. Each round asks for an object that nobody has asked for before.
All clients together take `clients` times the upstream's speed: where the machine has less
than that, loopback is what is measured, and the line says how much it moved.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import threading
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks import origin, requests, starting
from benchmarks.processes import Usage
from benchmarks.report import markdown
from benchmarks.requests import MIB, Target
from benchmarks.servers import CREDENTIALS, UNDER, Server, gateway
from benchmarks.signing import Request
from benchmarks.speed import say
from benchmarks.starting import Missing, Running

BUCKET = "herd"
PIECE = 1 << 18
PATIENCE = 60.0
SETTLED = 1.0
"""Seconds after the first answer until every worker listens."""

SIZES = ((100, 50.0), (10, 5.0))
"""MiB of the object, and MB/s of the upstream: two seconds each."""

TITLE = (
    "server",
    "threads",
    "object",
    "served",
    "refused",
    "fetches",
    "upstream's time",
    "last byte",
    "slowest of nine in ten",
    "moved",
    "peak of RSS",
)


@dataclass(slots=True)
class Seen:
    """What the clients saw: each whole answer's seconds to its last byte, statuses, bytes."""

    ends: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    received: int = 0


def herd(options: Namespace, place: Path) -> int:
    rows, record = [], []
    for server, threads in product(UNDER, options.threads or [0]):
        try:
            for found in _served(server, threads, options, place / f"{server}-{threads}"):
                record.append(found)
                rows.append(_row(found))
        except Missing as error:
            say(str(error))
    print(markdown(TITLE, rows))
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0 if rows else 1


def _served(
    server: str, threads: int, options: Namespace, folder: Path
) -> Iterator[dict[str, Any]]:
    for mib, speed in SIZES:
        with (
            origin.running(speed * 1e6) as (port, lines),
            starting.running(_front(server, port, threads), folder / f"{mib}") as running,
        ):
            time.sleep(SETTLED)
            for number in range(options.rounds):
                path = f"/{BUCKET}/{mib * MIB}/k{number}"
                found = asked(running, lines, path, options.clients, mib * MIB)
                found |= {"server": server, "threads": threads, "mib": mib, "speed": speed}
                say(json.dumps(found))
                yield found


def _front(server: str, port: int, threads: int) -> Server:
    settings = f"threads = {threads}\n" if threads else ""
    return gateway(
        "local",
        server,
        settings=f"""{settings}
[services.herd-up]
driver = "s3"
bucket = "{BUCKET}"
endpoint_url = "http://127.0.0.1:{port}"
access_key = "{CREDENTIALS.access}"
secret_key = "{CREDENTIALS.secret}"
[services.{BUCKET}]
driver = "cache"
source = "herd-up"
""",
    )


# the clients


def asked(running: Running, lines: list[str], path: str, clients: int, size: int) -> dict[str, Any]:
    """What became of so many that ask at once for `size` bytes. `lines`: of the upstream."""
    with watched(running) as peak:
        signed = not running.server.static
        seen = _ask(running.target, replace(requests.get(path), signed=signed), clients, size)
    time.sleep(SETTLED)  # the upstream says what it did
    fetches = [json.loads(line) for line in lines]
    lines.clear()
    ends = sorted(seen.ends)
    return {
        "fetches": fetches,
        "served": len(ends),
        "refused": seen.statuses[503],
        "others": seen.statuses.total() - seen.statuses[503] - seen.statuses[200],
        "last": ends[-1] if ends else 0.0,
        "ninth": ends[len(ends) * 9 // 10 - 1] if ends else 0.0,
        "rate": seen.received / ends[-1] / 1e9 if ends else 0.0,
        "peak": peak[0] / MIB,
    }


def sum_of_rss(found: Iterable[Usage]) -> int:
    return sum(one.rss for one in found)


@contextmanager
def watched(
    running: Running, of: Callable[[Iterable[Usage]], int] = sum_of_rss
) -> Iterator[list[int]]:
    """The one number in it is the most that its processes' memory was meanwhile."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak[0] = max(peak[0], of(running.usage() or []))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _ask(target: Target, request: Request, clients: int, size: int) -> Seen:
    seen, loop = Seen(), selectors.DefaultSelector()
    heads = [target.head(request) for _ in range(clients)]
    connections = [socket.create_connection(target.address, PATIENCE) for _ in range(clients)]
    begun = time.perf_counter()
    for connection, one in zip(connections, heads, strict=True):
        connection.sendall(one)
        connection.setblocking(False)
        loop.register(connection, selectors.EVENT_READ, [0, size])
    space = bytearray(PIECE)
    while loop.get_map():
        ready = loop.select(PATIENCE)
        if not ready:
            raise Missing(f"nothing came for {PATIENCE:g} s")
        for selected, _ in ready:
            if _take(selected.fileobj, selected.data, space, seen):
                loop.unregister(selected.fileobj)
                if selected.data[0] == 200 and not selected.data[1]:
                    seen.ends.append(time.perf_counter() - begun)
    for connection in connections:
        connection.close()
    return seen


def _take(connection: Any, state: list[int], space: bytearray, seen: Seen) -> bool:
    """Read some; whether that was the last. `state`: the status, and the bytes that are left."""
    if state[0]:  # Linux drops what nobody looks at, and copies nothing
        count = connection.recv_into(space, 0, socket.MSG_TRUNC if _DROPS else 0)
        state[1] -= count
        seen.received += count
        return not count or not state[1]
    got = connection.recv(4096, socket.MSG_PEEK)
    top, end, _ = got.partition(b"\r\n\r\n")
    if end:
        connection.recv(len(top) + len(end))
        state[0] = int(top.split(b" ", 2)[1])
        seen.statuses[state[0]] += 1
    return not got or state[0] not in (0, 200)


_DROPS = sys.platform == "linux"


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    last, fetches = found["last"], found["fetches"]
    upstream = max((one["took"] for one in fetches), default=0.0)
    over = f" ({last / upstream - 1:+.0%})" if upstream else ""
    return (
        found["server"],
        str(found["threads"] or "default"),
        f"{found['mib']} MiB at {found['speed']:g} MB/s",
        str(found["served"]),
        str(found["refused"]),
        str(len(fetches)),
        f"{upstream:.2f} s",
        f"{last:.2f} s{over}",
        f"{found['ninth']:.2f} s",
        f"{found['rate']:.2f} GB/s",
        f"{found['peak']:.0f} MiB",
    )
