"""Half an hour of ordinary work, and what of the process grows meanwhile.

On each server a gateway with a local store and, in front of it, a cache that is small enough
to evict all the time: puts, overwrites, reads, HEADs, lists, parts, copies, deletions, side by
side. They work in turns, half of each slice. After it the memory, the open files and threads of
its processes, and the bytes and files of its data folder are looked at. What leaks is a line that
rises to the end.
"""

from __future__ import annotations

import json
import os
import random
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import linear_regression, quantiles

from benchmarks import own, processes, requests, starting, steps
from benchmarks.report import markdown
from benchmarks.requests import KIB, MIB, Target, payload
from benchmarks.seeding import Refused, create_bucket
from benchmarks.servers import UNDER, gateway
from benchmarks.speed import say
from benchmarks.starting import Missing, Running
from benchmarks.steps import Operation, exchange, single

STORE, CACHED = "soak-store", "soak-cache"
CONNECTIONS = 16
KEYS = 600
PATIENCE = 60.0
_SIZES = (0, KIB, KIB, KIB, 30 * KIB, 200 * KIB, 3 * MIB)
_SERVICES = f"""
[services.{STORE}]
driver = "local"
keep_versions = "off"

[services.{CACHED}]
driver = "cache"
source = "{STORE}"
max_size = "64MiB"
refresh_after = "1s"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """After a slice. `minutes` that it has worked; bytes; `p99` in milliseconds; `files` and
    `threads` of all processes, None where nothing tells; `failed`: operations of this slice with
    a wrong answer."""

    server: str
    minutes: float
    rate: float
    p99: float
    failed: int
    rss: int
    files: int | None
    threads: int | None
    data: int
    count: int


def soak(options: Namespace, place: Path) -> int:
    """The command. 1 when an operation was answered wrongly."""
    seconds = max(1.0, options.minutes * 60 / options.slices / len(UNDER))
    looks: list[Look] = []
    complaints: list[str] = []
    try:
        with ExitStack() as stack:
            able = []
            for name in UNDER:
                made = gateway("local", name, settings=_SERVICES)
                server = stack.enter_context(starting.running(made, place / name))
                _prepare(server)
                able.append((name, server, [_work(server.target, n) for n in range(CONNECTIONS)]))
            for number, (name, server, work) in product(range(options.slices), able):
                tally = own.run(server.target.address, work, seconds, PATIENCE)
                complaints += [f"{name}: {tally.complaint}"] if tally.complaint else []
                looks.append(_look(name, server, tally, (number + 1) * seconds))
                say(" | ".join(_row(looks[-1])))
    except (Missing, Refused) as error:
        say(str(error))
        return 1
    head = [
        "server",
        "minutes",
        "/s",
        "p99",
        "failed",
        "RSS",
        "open files",
        "threads",
        "data",
        "files",
    ]
    print(markdown(head, map(_row, looks)))
    for name in UNDER:
        grown = slope([one for one in looks if one.server == name])
        print(f"\nRSS of the last two thirds, {name}: {grown:+.2f} MiB in ten minutes.")
    for text in dict.fromkeys(complaints):
        print(f"failed: {text[:300]}")
    if options.json:
        options.json.write_text(
            json.dumps([asdict(one) for one in looks], indent=1) + "\n", "utf-8"
        )
    return 1 if complaints else 0


def slope(looks: list[Look]) -> float:
    """MiB in ten minutes, of the last two thirds: the first fills caches and pools."""
    late = looks[len(looks) // 3 :]
    if len(late) < 2:
        return 0.0
    line = linear_regression([one.minutes for one in late], [one.rss / MIB for one in late])
    return line.slope * 10


def _prepare(server: Running) -> None:
    create_bucket(server, STORE)
    target = server.target
    every = (
        single(exchange(target, requests.put(_path(STORE, number), _body(number))))
        for number in range(KEYS)
    )
    tally = own.run(target.address, [every] * CONNECTIONS, 1e9, PATIENCE)
    if tally.complaint:
        raise Refused(tally.complaint)


def _path(service: str, number: int) -> str:
    return f"/{service}/{number % 10}/key-{number}"


def _body(number: int) -> bytes:
    return payload(_SIZES[number % len(_SIZES)])


def _work(target: Target, seed: int) -> Iterator[Operation]:
    """Without an end. Each connection deletes only what it has put itself."""
    choose = random.Random(seed)
    for turn in range(1 << 62):
        number = choose.randrange(KEYS)
        kind = choose.choices(("read", "cached", "write", "list", "passing", "parts"),
                              (30, 40, 15, 2, 8, 0.2))[0]  # fmt: skip
        if kind in ("read", "cached"):
            yield _read(target, _path(STORE if kind == "read" else CACHED, number), choose)
        elif kind == "write":
            place = choose.choice((STORE, CACHED))
            yield single(exchange(target, requests.put(_path(place, number), _body(number))))
        elif kind == "list":
            yield single(exchange(target, requests.page(STORE, delimiter=choose.random() < 0.5)))
        elif kind == "passing":
            yield _passing(target, f"/{STORE}/passing/{seed}-{turn}", _path(STORE, number))
        else:
            yield steps.multipart(target, f"/{STORE}/parts/{seed}", 12 * MIB, 5 * MIB)


def _read(target: Target, path: str, choose: random.Random) -> Operation:
    if choose.random() < 0.2:
        return single(exchange(target, requests.stat(path)))
    return single(exchange(target, requests.get(path)))


def _passing(target: Target, path: str, source: str) -> Operation:
    """Put, copied over, read through the cache, deleted."""
    yield exchange(target, requests.put(path, payload(KIB)))
    yield exchange(target, requests.copy(source, path))
    yield exchange(target, requests.get(path.replace(STORE, CACHED)))
    yield exchange(target, requests.delete(path))


def _look(name: str, server: Running, tally: own.Tally, seconds: float) -> Look:
    usage = server.usage() or []
    data, count = _folder(server.data)
    latencies = tally.latencies
    return Look(
        server=name,
        minutes=round(seconds / 60, 2),
        rate=len(latencies) / tally.seconds if tally.seconds else 0.0,
        p99=quantiles(latencies, n=100)[-1] * 1e3 if len(latencies) > 1 else 0.0,
        failed=sum(tally.errors.values()),
        rss=sum(one.rss for one in usage),
        files=processes.count(usage, "fd"),
        threads=processes.count(usage, "task"),
        data=data,
        count=count,
    )


def _folder(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files below; those that go meanwhile do not count."""
    size = number = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(path) / name).stat().st_size
            except FileNotFoundError:
                continue
            number += 1
    return size, number


def _row(look: Look) -> list[str]:
    return [
        look.server,
        f"{look.minutes:g}",
        f"{look.rate:,.0f}",
        f"{look.p99:.0f} ms",
        str(look.failed),
        f"{look.rss / MIB:.1f} MiB",
        "–" if look.files is None else str(look.files),
        "–" if look.threads is None else str(look.threads),
        f"{look.data / MIB:.0f} MiB",
        f"{look.count:,}",
    ]
