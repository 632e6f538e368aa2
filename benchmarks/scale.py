"""`python -m benchmarks scale`: does a request cost more where there is more of anything?

On each server two gateways, one with ten buckets and credentials, one with ten thousand (each
credential of an account of its own), are asked in turns; and one lists buckets of more and more
keys. A line's ratio is to the first line of its group, round by round.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import own, requests, seeding, speed, starting
from benchmarks.figures import Figure, amount
from benchmarks.load import Generator, Sample, generator
from benchmarks.report import load_average, markdown
from benchmarks.requests import KIB, payload
from benchmarks.seeding import FOREVER, PATIENCE, WRITERS, Refused
from benchmarks.servers import UNDER, Server, gateway
from benchmarks.signing import Credentials, Request
from benchmarks.starting import Running
from benchmarks.steps import exchange, single
from benchmarks.workloads import WORKLOADS, Filling, Workload, deep

FEW = 10
USED = 500
VERSIONS = 100
KEYS = (1000, 100_000)


@dataclass(slots=True, kw_only=True)
class Line:
    """A workload on a server; its samples, one a round."""

    title: str
    workload: Workload
    server: Running
    samples: list[Sample] = field(default_factory=list)
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    lines: tuple[Line, ...]


def bucket(number: int) -> str:
    return f"scale-{number:06d}"


def credentials(number: int) -> Credentials:
    return Credentials(access=f"SCALE{number:015d}", secret=f"a-secret-of-no-use-{number:06d}")


def populate(server: Running, many: int) -> None:
    """That many buckets, with an object each, and that many accounts with a credential.
    Raises `Refused`."""
    target = server.target
    made = (single(exchange(target, requests.put(f"/{bucket(n)}", b""))) for n in range(many))
    tally = own.run(target.address, [made] * WRITERS, FOREVER, PATIENCE)
    if tally.errors:
        raise Refused(f"creating buckets: {tally.complaint}")
    seeding.put_all(target, ((_path(n), payload(KIB)) for n in range(many)))
    _add_credentials(server.site.folder / "gateway.toml", many)


def _add_credentials(configuration: Path, many: int) -> None:
    """Through the catalog's own functions, for the commands take a process each."""
    from gateway.catalog import open_catalog
    from gateway.config import load
    from gateway.storage import Secret

    with closing(open_catalog(load(configuration))) as catalog:
        for number in range(many):
            one = credentials(number)
            catalog.add_key(account=f"account-{number}", access="write-all", id=one.access,
                            secret=Secret(one.secret))  # fmt: skip


def _path(number: int) -> str:
    return f"/{bucket(number)}/object.bin"


def spread(method: str, *, buckets: int, keys: int) -> Workload:
    """Requests over so many buckets, signed by so many credentials; 0: by the root key."""

    def request(_: Workload, number: int) -> Request:
        path = _path(number % buckets)
        made = requests.put(path, payload(KIB)) if method == "PUT" else requests.get(path)
        return replace(made, credentials=credentials(number % keys)) if keys else made

    return Workload(
        name=f"{method}-{buckets}-{keys}",
        title=method,
        request=request,
        bucket=bucket(0),
        size=KIB,
        least=KIB if method == "GET" else 0,
        distinct=max(512, buckets, keys),
    )


def _spread_group(method: str, few: Running, many: Running, count: int) -> Group:
    used = min(USED, count)

    def line(title: str, server: Running, buckets: int, keys: int) -> Line:
        return Line(title=title, server=server, workload=spread(method, buckets=buckets, keys=keys))

    return Group(
        f"{method} 1 KiB",
        (
            line(f"{FEW} buckets, {FEW} credentials", few, FEW, FEW),
            line(f"{count:,} of each; one credential, {FEW} buckets in use", many, FEW, 0),
            line(f"{count:,} of each; {used} of each in use", many, used, used),
            line(f"{count:,} of each; all buckets in use", many, count, 0),
            line(f"{count:,} of each; all credentials in use", many, FEW, count),
        ),
    )


def _read(filling: Filling, name: str) -> Workload:
    """GET of keys of a filled bucket, whose objects are short."""

    def request(one: Workload, number: int) -> Request:
        step = max(1, filling.keys // one.distinct)
        return requests.get(f"/{one.bucket}/{filling.key(number * step % filling.keys)}")

    return Workload(name=f"get-{name}", title="GET", request=request, bucket=name, size=6,
                    least=6, filling=filling)  # fmt: skip


def _depth_groups(server: Running, keys: Sequence[int]) -> Iterable[Group]:
    """Reading and listing: the fewest keys first, then more, then those of many versions."""
    versioned = replace(
        WORKLOADS["list-versions"], filling=Filling(keys=keys[0], versions=VERSIONS)
    )
    flat = [Line(title=f"{n:,} keys", workload=deep(n)[0], server=server) for n in keys]
    flat.append(Line(title=f"{keys[0]:,} keys of {VERSIONS} versions", workload=versioned,
                     server=server))  # fmt: skip
    yield Group("a page of 1,000 keys", tuple(flat))
    for title, place in (("of a folder, with a delimiter", 2), ("prefixes", 1)):
        lines = (Line(title=f"{n:,} keys", workload=deep(n)[place], server=server) for n in keys)
        yield Group(f"a page of 1,000 {title}", tuple(lines))
    reads = []
    for line in flat:
        filling = line.workload.filling
        assert filling is not None
        reads.append(replace(line, workload=_read(filling, line.workload.bucket), samples=[]))
    yield Group("GET of 6 bytes", tuple(reads))


def measure(group: Group, generate: Generator, place: Path, options: Namespace) -> None:
    """All lines in turns; the first round is a warm-up."""
    able = []
    for line in group.lines:
        try:
            if line.workload.filling is not None:
                seeding.prepare(line.workload, line.server)
            able.append(line)
        except Refused as error:
            line.refused = str(error)
    for number in range(options.rounds + 1):
        for line in able:
            seconds = options.seconds if number else min(speed.WARM_UP, options.seconds)
            sample = speed.slice_of(line.workload, line.server, generate, place, seconds)
            if number:
                line.samples.append(sample)
                shown = amount(line.workload, sample.rate)
                speed.say(f"{group.title}  round {number}  {line.title}: {shown}")


def _groups(server: Server, place: Path, count: int, keys: Sequence[int]) -> Iterator[Group]:
    """The gateways run until all are had."""
    with ExitStack() as stack:
        few, many = (
            stack.enter_context(starting.running(server, place / name)) for name in ("few", "many")
        )
        speed.say(f"{server.name}: making {count:,} buckets and credentials")
        populate(few, FEW)
        populate(many, count)
        for method in ("GET", "PUT"):
            yield _spread_group(method, few, many, count)
        yield from _depth_groups(few, keys)


def scale(options: Namespace, place: Path) -> int:
    """The command."""
    keys = sorted({min(KEYS), *(options.keys or KEYS)})
    print(f"load average before: {load_average()}\n")
    load, generate = generator(options.load)
    results: list[dict[str, Any]] = []
    for server in UNDER:
        folder = place / server
        folder.mkdir()
        for group in _groups(gateway("local", server), folder, options.many, keys):
            named = replace(group, title=f"{group.title}, {server}")
            measure(named, generate, folder, options)
            print(f"{table(named)}\n", flush=True)
            results += as_json(named)
    print(f"{options.rounds} rounds of {options.seconds:g} s by {load}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def _ratio(samples: Sequence[Sample], base: Sequence[Sample]) -> float:
    pairs = zip(samples, base, strict=True)
    return median(one.rate / two.rate if two.rate else 0.0 for one, two in pairs)


def table(group: Group) -> str:
    """Rates, their ratio to the first line's, and CPU."""
    rows, base = [], group.lines[0]
    for line in group.lines:
        if not line.samples or not base.samples:
            rows.append([line.title, "–", "–", "–", "–", line.refused])
            continue
        figure, first = Figure.of(line.samples), Figure.of(base.samples)
        cpu = "–" if figure.cpu is None else f"{figure.cpu:,.0f}"
        more = "–" if not figure.cpu or not first.cpu else f"{figure.cpu / first.cpu:.2f}×"
        trouble = f"errors: {dict(figure.errors)}" if figure.errors else ""
        shown = f"{amount(line.workload, figure.rate)} ±{figure.spread:.0%}"
        rows.append([line.title, shown, f"{_ratio(line.samples, base.samples):.2f}×", cpu, more,
                     trouble])  # fmt: skip
    return markdown([group.title, "rate", "× first", "CPU µs", "× first", "trouble"], rows)


def as_json(group: Group) -> list[dict[str, Any]]:
    base = group.lines[0]
    found = []
    for line in group.lines:
        one: dict[str, Any] = {"group": group.title, "line": line.title, "refused": line.refused}
        if line.samples and base.samples:
            figure = Figure.of(line.samples)
            one |= {
                "rate": figure.rate,
                "spread": figure.spread,
                "cpu": figure.cpu,
                "ratio": _ratio(line.samples, base.samples),
                "errors": dict(figure.errors),
            }
        found.append(one)
    return found
