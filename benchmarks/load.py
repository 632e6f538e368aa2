"""Sends a workload's requests for some seconds over some connections: with wrk, or without.

wrk (C) takes little from the server beside it. Where it is missing, and for what it
cannot send, the generator in `own` does the same for all servers alike; that costs so
much itself that small figures of the two do not compare.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, islice
from pathlib import Path

from benchmarks import own
from benchmarks.requests import Target
from benchmarks.steps import Exchange, Operation, single
from benchmarks.workloads import Workload

SCRIPT = Path(__file__).with_name("replay.lua")
TIMEOUT = own.TIMEOUT
PATIENCE = 120.0
"""Seconds without an answer to an operation that moves much."""

_LINE = re.compile(r"^replay: (.+)$", re.MULTILINE)
ERRORS = ("connect", "read", "write", "timeout", "status", "short")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one slice of load gave. Latencies are in milliseconds."""

    requests: int
    seconds: float
    received: int
    p50: float
    p99: float
    longest: float
    errors: Mapping[str, int] = field(default_factory=dict)
    cpu: float | None = None
    """Seconds of CPU that the server's processes took meanwhile."""
    waits: float | None = None
    """How often its threads waited meanwhile."""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds if self.seconds else 0.0


class LoadFailed(Exception):
    """The generator itself did not work."""


Generator = Callable[[Path, Workload, Target, float], Sample]


def generator(name: str = "auto") -> tuple[str, Generator]:
    """`auto` is wrk where it is, else the own one. Raises `LoadFailed`."""
    if name == "auto":
        name = "wrk" if shutil.which("wrk") else "own"
    if name == "wrk" and not shutil.which("wrk"):
        raise LoadFailed("wrk is not on PATH")
    return name, {"wrk": with_wrk, "own": with_own}[name]


def takes(workload: Workload) -> str:
    """The generator that a workload needs whatever was chosen: "own", or ""."""
    return "own" if workload.operation or workload.own or workload.fresh or workload.limit else ""


def measure(
    generate: Generator, folder: Path, workload: Workload, target: Target, seconds: float
) -> Sample:
    """One slice: signs, sends, and counts answers that were too short as errors."""
    chosen = with_own if takes(workload) else generate
    sample = chosen(folder, workload, target, seconds)
    # Of a mixture each slice has another share; a tenth too little is still no short answer.
    missing = workload.least * 0.9 - sample.received / max(sample.requests, 1)
    if sample.requests and missing > 0 and not sample.errors:
        return replace(sample, errors={"short": sample.requests})
    return sample


def heads(workload: Workload, target: Target) -> list[tuple[bytes, bool]]:
    """The distinct requests up to their bodies, and whether a body follows; each has a
    signature of its own, also where keys repeat."""
    assert workload.request is not None
    made = [workload.request(workload, number) for number in range(workload.distinct)]
    now = datetime.now(UTC)
    times = [now - timedelta(seconds=at % 240) for at in range(len(made))]
    return [(target.head(one, when), bool(one.body)) for one, when in zip(made, times, strict=True)]


# wrk


def write_replay(folder: Path, workload: Workload, target: Target) -> tuple[Path, Path]:
    """The requests (each "length with-body NL bytes") and the body that all share, as files."""
    requests, body = folder / "requests", folder / "body"
    made = heads(workload, target)
    requests.write_bytes(b"".join(b"%d %d\n%b" % (len(one), has, one) for one, has in made))
    body.write_bytes(workload.body)
    return requests, body


def with_wrk(folder: Path, workload: Workload, target: Target, seconds: float) -> Sample:
    requests, body = write_replay(folder, workload, target)
    threads = min(workload.threads, workload.connections)
    command = [
        *("wrk", "--threads", str(threads), "--connections", str(workload.connections)),
        *("--duration", f"{max(1, round(seconds))}s", "--timeout", f"{TIMEOUT:.0f}s"),
        *("--script", str(SCRIPT), f"http://{target.host}:{target.port}/"),
        *("--", str(requests), str(body), str(threads)),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LoadFailed(f"wrk: {error}") from error
    return parse_wrk(done.stdout + done.stderr)


def parse_wrk(output: str) -> Sample:
    """The sample in what wrk printed with `replay.lua`. Raises `LoadFailed`."""
    line = _LINE.search(output)
    if line is None:
        raise LoadFailed(f"wrk gave no result: {output.strip()[-300:]}")
    found = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line[1])}
    return Sample(
        requests=found["requests"],
        seconds=found["microseconds"] / 1e6,
        received=found["bytes"],
        p50=found["p50"] / 1e3,
        p99=found["p99"] / 1e3,
        longest=found["longest"] / 1e3,
        errors={kind: found[kind] for kind in ERRORS if found.get(kind)},
    )


# the own generator


def with_own(_: Path, workload: Workload, target: Target, seconds: float) -> Sample:
    patience = PATIENCE if workload.huge or workload.operation else TIMEOUT
    if workload.operation is not None:
        sources = _shared(_made(workload, target), workload)
    else:
        sources = _replayed(workload, target)
    return summary(own.run(target.address, sources, seconds, patience))


def _made(workload: Workload, target: Target) -> Iterator[Operation]:
    assert workload.operation is not None
    for number in count():
        yield workload.operation(workload, target, number)


def _shared(operations: Iterator[Operation], workload: Workload) -> list[Iterator[Operation]]:
    """Each connection takes the next one that nobody has taken."""
    limited = islice(operations, workload.limit) if workload.limit else operations
    return [limited] * workload.connections


def _replayed(workload: Workload, target: Target) -> list[Iterator[Operation]]:
    """Each client has requests of its own, so that no two put the same key at the same time."""
    bodiless = workload.request is not None and workload.request(workload, 0).method == "HEAD"
    body = workload.body
    made = [
        Exchange((one, body) if has else (one,), bodiless) for one, has in heads(workload, target)
    ]
    if workload.fresh:
        return _shared(map(single, made), workload)
    clients = min(workload.connections, len(made))
    return [map(single, cycle(made[number::clients])) for number in range(clients)]


def summary(tally: own.Tally) -> Sample:
    latencies = sorted(tally.latencies)
    return Sample(
        requests=len(latencies),
        seconds=tally.seconds,
        received=tally.received,
        p50=_percentile(latencies, 50),
        p99=_percentile(latencies, 99),
        longest=latencies[-1] * 1e3 if latencies else 0.0,
        errors=dict(tally.errors),
    )


def _percentile(ordered: list[float], percent: int) -> float:
    """In milliseconds, of `ordered` seconds; nearest rank."""
    return ordered[(len(ordered) - 1) * percent // 100] * 1e3 if ordered else 0.0
