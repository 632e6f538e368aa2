"""A cache in front of a store: hits beside the store itself, and what a cold cache costs.

Hits go through a running gateway, whose services are a local store and caches in front
of it. The rest is measured on the layer itself, in this process, with an upstream that
makes its bytes at a given speed.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks import starting
from benchmarks.load import generator
from benchmarks.processes import table
from benchmarks.report import markdown
from benchmarks.requests import GIB, MIB
from benchmarks.seeding import Refused, prepare
from benchmarks.servers import UNDER, gateway
from benchmarks.speed import say, slice_of
from benchmarks.starting import Missing
from benchmarks.workloads import WORKLOADS, Workload
from drivers.cache import Cache, carrying
from gateway.storage import Context, Get, ObjectInfo, Opened, Purge, Range, Store, resolve_range
from gateway.testing.faults import Generated

STORE = "bench-store"
SPACES = ("disk", "memory")
CLIENTS = 200
SPEED = 50_000_000
"""Bytes per second of the slow upstream."""
ENTRIES = 1_000_000
READERS = 4

Rates = dict[str, list[list[float]]]
"""By workload: of the store and of each space, each round's."""

_SERVICES = "\n".join(
    [f'[services.{STORE}]\ndriver = "local"\nkeep_versions = "off"']
    + [
        f'[services.bench-{space}]\ndriver = "cache"\nsource = "{STORE}"\nspace = "{space}"'
        for space in SPACES
    ]
)


def caching(options: Namespace, place: Path) -> int:
    rates = {server: hits(options, place / server, server) for server in UNDER}
    found = {name: part(name, place) for name in PARTS}
    for server, some in rates.items():
        print(f"{markdown((f'GET of a hit, {server}', 'store', *SPACES), shown(some))}\n")
    print(markdown(("", "measured"), [(name, found[name].text) for name in PARTS]))
    if options.json:
        said = {"hits": rates, **{name: one.text for name, one in found.items()}}
        options.json.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    return 0


class Measured(NamedTuple):
    """`figure` is the number that a mark is about."""

    text: str
    figure: float


def part(name: str, place: Path) -> Measured:
    """One of `PARTS`, in a folder of its own."""
    folder = place / name
    folder.mkdir()
    say(f"{name} …")
    try:
        return PARTS[name](folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# hits, through a gateway


def hits(options: Namespace, folder: Path, server_name: str) -> Rates:
    """Answers per second, of the store and of the cache in each space, round by round."""
    _, generate = generator(options.load)
    found: Rates = {}
    server = gateway("local", server_name, settings=_SERVICES)
    try:
        with starting.running(server, folder) as running:
            for name in ("get-1k", "get-8m"):
                sides = [_at(WORKLOADS[name], place) for place in ("store", *SPACES)]
                for side in sides:
                    prepare(side, running)
                    slice_of(side, running, generate, folder, 1)
                rates: list[list[float]] = [[] for _ in sides]
                for number in range(options.rounds):
                    for side, some in zip(sides, rates, strict=True):
                        sample = slice_of(side, running, generate, folder, options.seconds)
                        some.append(sample.rate)
                    say(f"{name}  round {number + 1}  {[round(one[-1]) for one in rates]}")
                found[name] = rates
    except (Missing, Refused) as error:
        say(str(error))
    return found


def _at(workload: Workload, place: str) -> Workload:
    return replace(workload, bucket=f"bench-{place}")


def ratios(rates: list[list[float]]) -> list[float]:
    """Of the caches to the store, round by round."""
    store, *caches = rates
    return [
        median(one / beside for one, beside in zip(some, store, strict=True)) for some in caches
    ]


def shown(found: Rates) -> Iterator[tuple[str, ...]]:
    for name, rates in found.items():
        store, *caches = (f"{median(one):,.0f}/s" for one in rates)
        beside = zip(caches, ratios(rates), strict=True)
        yield name, store, *(f"{rate} ({ratio:.2f}×)" for rate, ratio in beside)


# what a cold cache costs


class Slow(Store):
    """Objects of `size` bytes, made at `speed` bytes per second (0: as fast as they can be)."""

    def __init__(self, size: int, speed: int = 0) -> None:
        self.size, self.speed = size, speed
        self.asked = self.sent = 0
        self.took = 0.0

    def get(self, key: str, want: Get = Get()) -> Opened:
        self.asked += 1
        info = ObjectInfo(key=key, size=self.size, etag="e" + key, modified=0)
        if want.conditions is not None:
            want.conditions.check_read(info)
        start, length = resolve_range(want.range or Range(0, None), self.size) or (0, 0)
        return Opened(info=info, body=_Paced(self, length), start=start, length=length)


class _Paced(Generated):
    def __init__(self, store: Slow, length: int) -> None:
        super().__init__(length)
        self._store, self._given, self._begun = store, 0, time.perf_counter()

    def read(self, size: int = MIB, /) -> bytes:
        piece = super().read(size)
        store = self._store
        self._given += len(piece)
        store.sent += len(piece)
        if store.speed:
            due = self._begun + self._given / store.speed
            time.sleep(max(0.0, due - time.perf_counter()))
        store.took = time.perf_counter() - self._begun
        return piece


@contextmanager
def _cache(folder: Path, source: Store, **options: Any) -> Iterator[Cache]:
    cache = Cache(source=source, **options)
    cache.open(Context(sid="bench", folder=folder))
    try:
        yield cache
    finally:
        cache.close()


def _read(cache: Cache, key: str, want: Get = Get()) -> int:
    with cache.get(key, want) as opened:
        return sum(map(len, iter(opened.body.read, b"")))


def herd(folder: Path) -> Measured:
    """Many clients on one cold object."""
    upstream, ends = Slow(100 * MIB, SPEED), list[float]()

    def client() -> None:
        _read(cache, "k")
        ends.append(time.perf_counter())

    with _cache(folder, upstream) as cache:
        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        begun = time.perf_counter()
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    last = max(ends) - begun
    text = (
        f"{CLIENTS} clients, cold 100 MiB at 50 MB/s: {upstream.asked} fetch of"
        f" {upstream.took:.2f} s, last byte of the last client after {last:.2f} s"
        f" (+{(last / upstream.took - 1) * 100:.0f} %), {_memory()}"
    )
    return Measured(text, last / upstream.took)


def block(folder: Path) -> Measured:
    """A little of a large object."""
    upstream = Slow(10 * GIB)
    with _cache(folder, upstream) as cache:
        _read(cache, "k", Get(range=Range(5 * GIB + 17, 5 * GIB + 116)))
    blocks = upstream.sent / MIB
    return Measured(f"100 bytes of a cold 10 GiB object: {blocks:g} blocks fetched", blocks)


def flush(folder: Path) -> Measured:
    """A flush of very many entries, each time until every worker sees it."""
    upstream, took = Slow(100), []
    with _cache(folder, upstream) as cache, _cache(folder, upstream) as other:
        _fill(cache, ENTRIES)
        for _ in range(10):
            _read(cache, "k"), _read(other, "k")
            before, begun = upstream.asked, time.perf_counter()
            cache.purge(Purge())
            took.append(time.perf_counter() - begun)
            _read(other, "k")
            assert upstream.asked == before + 1, "an old byte was served"
        entries = carrying.count(cache._stock.space, Purge())
    text = (
        f"flush of {entries:,} entries: {median(took) * 1e3:.1f} ms to its answer"
        f" (longest {max(took) * 1e3:.1f}), seen at the next read of another worker"
    )
    return Measured(text, median(took))


def _fill(cache: Cache, count: int) -> None:
    """Heads of objects, put into the index itself."""
    sql = """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
        INSERT INTO cache_entries
            (key, variant, point, fetched, until, used, cost, validator, tags, text)
        SELECT 'filled/' || i, '', 0, ?, ?, ?, 700, '', '', '{"p":1}' FROM n"""
    now = cache._clock()

    def operation(txn: Any) -> None:
        txn.execute(sql, (count, now, now + 1_000_000, now))
        txn.execute("UPDATE cache_state SET entries = entries + ?, total = ?", (count, 700 * count))

    cache._stock.space.write(operation)


def bound(folder: Path) -> Measured:
    """Ten times as much as the cache may take, while its folder is looked at."""
    limit, most, done = 512 * MIB, [0, 0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            files, index = _taken(folder)
            most[0], most[1] = max(most[0], files), max(most[1], index)

    watcher = threading.Thread(target=watch)
    upstream, before = Slow(64 * MIB), _memory()
    with _cache(folder, upstream, max_size=limit) as cache:
        watcher.start()
        begun = time.perf_counter()

        def reader(turn: int) -> None:
            for number in range(turn, 10 * limit // upstream.size, READERS):
                _read(cache, f"k{number}")

        readers = [threading.Thread(target=reader, args=(turn,)) for turn in range(READERS)]
        for one in readers:
            one.start()
        for one in readers:
            one.join()
        done.set()
        watcher.join()
    speed = upstream.sent / (time.perf_counter() - begun) / 1e6
    text = (
        f"filled with 10 × max_size ({limit // MIB} MiB) at {speed:.0f} MB/s: objects took"
        f" {(most[0] / limit - 1) * 100:+.1f} % at most, the index {most[1] / MIB:.0f} MiB,"
        f" {before} before, {_memory()} after"
    )
    return Measured(text, most[0] / limit)


def _taken(folder: Path) -> tuple[int, int]:
    files = index = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                size = (Path(path) / name).stat().st_size
            except FileNotFoundError:
                continue
            if name.startswith(("index.db", "marks.db")):
                index += size
            else:
                files += size
    return files, index


def _memory() -> str:
    usage = (table() or {}).get(os.getpid())
    return f"RSS {usage.rss / MIB:.0f} MiB" if usage else "RSS unknown"


PARTS: dict[str, Callable[[Path], Measured]] = {
    "herd": herd,
    "block": block,
    "flush": flush,
    "bound": bound,
}
