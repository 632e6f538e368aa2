"""`python -m benchmarks cdn`: the gateway as a node of a CDN, beside nginx and Varnish, and its
pictures beside thumbor's; then the marks that it is to reach, and whether it does.

Hits go to caches in front of one HTTP origin (`edges`), unsigned, in turns; those through the S3
API are beside the store itself (`caching`). What a cold cache costs is asked of each gateway by
very many clients at once (`herd`), and of the layer in this process.
"""

from __future__ import annotations

import json
import math
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import caching, herd, origin, report, requests, speed, zones
from benchmarks.connection import Connection
from benchmarks.edges import SPACES, edges
from benchmarks.figures import Outcome, ratio
from benchmarks.load import generator, with_own
from benchmarks.pictures import pictures
from benchmarks.requests import GIB, MIB
from benchmarks.servers import UNDER
from benchmarks.signing import Request
from benchmarks.speed import say
from benchmarks.starting import Missing, Running
from benchmarks.workloads import WORKLOADS, Workload

SIZES = ((100, 50.0), (10, 5.0))
"""MiB of the object that very many ask for, and MB/s of its origin: two seconds each. All of them
together are 200 times as fast: what loopback has is the limit of the first."""


class Mark(NamedTuple):
    """`wanted` is what `figure` has to be at least, or at most."""

    what: str
    figure: float
    wanted: float
    at_least: bool = True
    shown: str = ""

    @property
    def holds(self) -> bool:
        return self.figure >= self.wanted if self.at_least else self.figure <= self.wanted

    def row(self) -> tuple[str, ...]:
        sign = "≥" if self.at_least else "≤"
        figure = self.shown or f"{self.figure:.2f}"
        return self.what, figure, f"{sign} {self.wanted:g}", "yes" if self.holds else "NO"


Marks = Iterator[Mark]


def cdn(options: Namespace, place: Path) -> int:
    place.mkdir(exist_ok=True)
    about = report.machine()
    print(f"{about['system']}, {about['cpus']} CPUs, load {about['load_before']}\n")
    found: list[Mark] = []
    for name in options.parts or PARTS:
        say(f"{name} …")
        folder = place / f"part-{name}"
        folder.mkdir()
        try:
            found += PARTS[name](options, folder)
        except Missing as error:
            say(f"{name}: {error}")
    print(report.markdown(("mark", "measured", "wanted", "holds"), [one.row() for one in found]))
    if options.json:
        made = [{**one._asdict(), "holds": one.holds} for one in found]
        options.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return 0 if found else 1


# hits


def _workload(name: str) -> Workload:
    """What is asked of a server of S3, of an edge: the size is the first segment of its paths."""
    one = WORKLOADS[name]
    return replace(
        one,
        bucket=str(one.size),
        public=True,
        seed=lambda _: (),
        request=lambda one, number: Request(method="GET", path=one.path(number), signed=False),
    )


def hits(options: Namespace, place: Path) -> Marks:
    """Answers per second of what a cache has, beside nginx."""
    _, generate = generator(options.load)
    rows = [_workload(name) for name in ("get-1k", "get-8m")]
    with ExitStack() as stack:
        port, lines = stack.enter_context(origin.running())
        started = [speed.start(stack, one, place / one.name) for one in edges(port)]
        runners = [(outcome, one) for outcome, one in started if one is not None]
        for row in rows:
            for _, one in runners:
                _fill(row, one, place)
            speed.run_workload(row, runners, generate, place, options)
        for outcome, one in runners:
            outcome.usage = one.usage()
        say(f"the origin was asked {len(lines)} times")
    outcomes = [outcome for outcome, _ in started]
    for table in report.TABLES:
        print(f"{table(outcomes, rows)}\n")
    yield from _beside_nginx(outcomes, rows, (0.4, 1.0))


def _fill(row: Workload, running: Running, place: Path) -> None:
    """So that all of it is there, in each worker's memory too."""
    for _ in range(_TURNS):
        with_own(place, replace(row, fresh=True), running.target, math.inf)


_TURNS = 5


def _beside_nginx(
    outcomes: Sequence[Outcome], rows: Iterable[Workload], wanted: Sequence[float]
) -> Marks:
    nginx = next(one for one in outcomes if one.name == "nginx")
    for row, least in zip(rows, wanted, strict=True):
        for one in outcomes:
            times = ratio(row.name, one, nginx) if one.kind == "gateway" else None
            if times is not None:
                yield Mark(f"{row.title} of {one.name} × nginx", times, least)


def through_s3(options: Namespace, place: Path) -> Marks:
    """The same signed, through the S3 API, beside the local store's own GET."""
    for server in UNDER:
        found = caching.hits(options, place / server, server)
        print(report.markdown((f"signed, {server}", "store", *SPACES), caching.shown(found)), "\n")
        for name, rates in found.items():
            for space, times in zip(SPACES, caching.ratios(rates), strict=True):
                yield Mark(f"{name} signed, {space}, {server} × store", times, 0.9)


def of_zones(options: Namespace, place: Path) -> Marks:
    """A zone's hits beside a bare public binding's."""
    for server in UNDER:
        for what, times in zones.hits(options, place / server, server):
            yield Mark(what, times, 0.9)


# a cold cache


def cold(options: Namespace, place: Path) -> Marks:
    """Very many clients at once on one object; then a little of a very large one."""
    rows, marks = [], list[Mark]()
    for mib, mbs in SIZES:
        with ExitStack() as stack:
            port, lines = stack.enter_context(origin.running(mbs * 1e6))
            for one in edges(port, clients=options.clients):
                folder = place / f"{one.name}-{mib}"
                outcome, running = speed.start(stack, one, folder)
                if running is None:
                    continue
                time.sleep(herd.SETTLED)
                lines.clear()
                # Each has an object of its own: the origin tells whose fetch it was.
                path = f"/{mib * MIB}/{one.name}"
                found = herd.asked(running, lines, path, options.clients, mib * MIB)
                rows.append(_row(outcome.name, mib, found))
                say(str(rows[-1]))
                if one.kind == "gateway":
                    marks += _herd_marks(f"{one.name}, {mib} MiB", options, running, found)
                    if mib == SIZES[-1][0]:
                        marks.append(Mark(f"100 bytes of a cold 10 GiB, {one.name}: blocks",
                                          _blocks(running, lines), 2, False))  # fmt: skip
    title = ("cold", "object", "served", "fetches", "origin's time", "last byte", "moved", "peak")
    print(report.markdown(title, rows), "\n")
    yield from marks


def _took(found: dict[str, Any]) -> float:
    return max((one["took"] for one in found["fetches"]), default=0.0)


def _row(name: str, mib: int, found: dict[str, Any]) -> tuple[str, ...]:
    return (
        *(name, f"{mib} MiB", str(found["served"]), str(len(found["fetches"]))),
        *(f"{_took(found):.2f} s", f"{found['last']:.2f} s", f"{found['rate']:.2f} GB/s"),
        f"{found['peak']:.0f} MiB",
    )


def _herd_marks(name: str, options: Namespace, running: Running, found: dict[str, Any]) -> Marks:
    """Workers share what is on disk; in memory each has a cache of its own."""
    most = 1 if "disk" in name else max(1, len(running.usage() or ()) - 1)
    took = _took(found)
    yield Mark(f"herd, {name}: not served", options.clients - found["served"], 0, False)
    yield Mark(f"herd, {name}: fetches", len(found["fetches"]), most, False)
    late = found["last"] / took if took else math.inf
    yield Mark(f"herd, {name}: last byte × the origin's", late, 1.1, False)


def _blocks(running: Running, lines: list[str]) -> float:
    """MiB that the origin has sent for a hundred bytes. Raises `Missing`."""
    lines.clear()
    first = 5 * GIB + 17
    wanted = replace(requests.get(f"/{10 * GIB}/large", first, 100), signed=False)
    connection = Connection(running.target.address, herd.PATIENCE)
    try:
        body = connection.exchange(running.target.head(wanted), keep=True).body
    finally:
        connection.close()
    if body != origin.content(10 * GIB, first, 100):
        raise Missing(f"{running.server.name}: other bytes than the origin's")
    time.sleep(herd.SETTLED)
    sent: int = sum(json.loads(one)["sent"] for one in lines)
    return sent / MIB


# the layer


def layer(_: Namespace, place: Path) -> Marks:
    found = {name: caching.part(name, place) for name in ("block", "flush", "bound")}
    for one in found.values():
        print(f"- {one.text}")
    print()
    yield Mark("100 bytes of a cold 10 GiB, layer: blocks", found["block"].figure, 2, False)
    yield Mark("purge-all of 1 M entries, ms (median)", found["flush"].figure * 1e3, 10, False)
    most = found["bound"].figure
    yield Mark("fill of 10 × max_size: the most of it", most, 1.01, False, f"{most:.4f}")


def beside_thumbor(options: Namespace, place: Path) -> Marks:
    """36 megapixels → 512 pixels."""
    found = pictures(options, place)
    title = ("36 MP → 512 px", "", "pictures", "CPU of one", "peak of memory")
    rows = [
        (
            *(what, one.name, f"{one.rate:.1f}/s"),
            *(f"{one.cpu / max(one.made, 1) * 1e3:.0f} ms", f"{one.peak / MIB:.0f} MiB"),
        )
        for what, makers in found.items()
        for one in makers
    ]
    print(report.markdown(title, rows), "\n")
    for what, (thumbor, *ours) in found.items():
        for one in ours:
            yield Mark(f"{what}: pictures/s of {one.name} × thumbor", one.beside(thumbor), 1.3)
            memory = one.peak / thumbor.peak
            yield Mark(f"{what}: peak memory of {one.name} × thumbor", memory, 0.5, False)


PARTS: dict[str, Callable[[Namespace, Path], Marks]] = {
    "hits": hits,
    "s3": through_s3,
    "zones": of_zones,
    "cold": cold,
    "layer": layer,
    "pictures": beside_thumbor,
}
