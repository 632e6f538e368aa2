"""Sends a workload's requests for some seconds over some connections: with wrk, or without.

wrk (C) takes little from the server beside it. Where it is missing, a
generator in Python does the same, and costs so much itself that its figures
compare only with each other.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import subprocess
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.connection import Answer, Connection
from benchmarks.workloads import Target, Workload, read_replay, write_replay

SCRIPT = Path(__file__).with_name("replay.lua")
TIMEOUT = 10.0
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

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds if self.seconds else 0.0


class LoadFailed(Exception):
    """The generator itself did not work."""


Generator = Callable[[Path, Path, Workload, Target, float], Sample]


def generator(name: str = "auto") -> tuple[str, Generator]:
    """`auto` is wrk where it is, else the own one. Raises `LoadFailed`."""
    if name == "auto":
        name = "wrk" if shutil.which("wrk") else "own"
    if name == "wrk" and not shutil.which("wrk"):
        raise LoadFailed("wrk is not on PATH")
    return name, {"wrk": with_wrk, "own": with_own}[name]


def measure(
    generate: Generator, folder: Path, workload: Workload, target: Target, seconds: float
) -> Sample:
    """One slice: signs, sends, and counts answers that were too short as errors."""
    heads, body = write_replay(folder, workload, target)
    sample = generate(heads, body, workload, target, seconds)
    missing = workload.least - sample.received / max(sample.requests, 1)
    if sample.requests and missing > 0 and not sample.errors:
        return replace(sample, errors={"short": sample.requests})
    return sample


def with_wrk(heads: Path, body: Path, workload: Workload, target: Target, seconds: float) -> Sample:
    threads = 2 if workload.large else 1
    command = [
        *("wrk", "--threads", str(threads), "--connections", str(workload.connections)),
        *("--duration", f"{max(1, round(seconds))}s", "--timeout", f"{TIMEOUT:.0f}s"),
        *("--script", str(SCRIPT), f"http://{target.host}:{target.port}/"),
        *("--", str(heads), str(body), str(threads)),
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


@dataclass(slots=True)
class _Tally:
    """What one connection of the own generator saw; it travels between processes."""

    latencies: array[float] = field(default_factory=lambda: array("d"))
    received: int = 0
    seconds: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, seconds: float, answer: Answer) -> None:
        self.latencies.append(seconds)
        self.received += answer.length
        if answer.status >= 400:
            self.errors["status"] += 1


def with_own(heads: Path, body: Path, workload: Workload, target: Target, seconds: float) -> Sample:
    """Processes of threads, each with one connection that waits for its answer."""
    count = min(os.cpu_count() or 1, 4, workload.connections)
    clients = range(workload.connections)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        jobs = [
            pool.submit(_replay, heads, body, target.address, clients[n::count], clients, seconds)
            for n in range(count)
        ]
        return summary([tally for job in jobs for tally in job.result(timeout=seconds + 60)])


def _replay(
    heads: Path, body: Path, address: tuple[str, int], mine: range, clients: range, seconds: float
) -> list[_Tally]:
    """Each client has requests of its own, so that no two put the same key at the same time."""
    requests, content = read_replay(heads), body.read_bytes()

    def client(number: int) -> _Tally:
        return _client(requests[number :: len(clients)], content, address, seconds)

    with ThreadPoolExecutor(len(mine)) as pool:
        return list(pool.map(client, mine))


def _client(requests: list[bytes], body: bytes, address: tuple[str, int], seconds: float) -> _Tally:
    tally, connection, at = _Tally(), None, 0
    begin = time.perf_counter()
    while (now := time.perf_counter()) < begin + seconds:
        at += 1
        try:
            if connection is None or not connection.open:
                connection = Connection(address, TIMEOUT)
            answer = connection.exchange(requests[at % len(requests)], body)
        except OSError as error:
            tally.errors["timeout" if isinstance(error, TimeoutError) else "read"] += 1
            if connection is not None:
                connection.close()
            time.sleep(0.01)  # a server that refuses is not to be asked in a tight loop
            continue
        tally.add(time.perf_counter() - now, answer)
    if connection is not None:
        connection.close()
    tally.seconds = time.perf_counter() - begin
    return tally


def summary(tallies: list[_Tally]) -> Sample:
    latencies = sorted(second for tally in tallies for second in tally.latencies)
    errors: Counter[str] = sum((tally.errors for tally in tallies), Counter())
    return Sample(
        requests=len(latencies),
        seconds=max(tally.seconds for tally in tallies),
        received=sum(tally.received for tally in tallies),
        p50=_percentile(latencies, 50),
        p99=_percentile(latencies, 99),
        longest=latencies[-1] * 1e3 if latencies else 0.0,
        errors=dict(errors),
    )


def _percentile(ordered: list[float], percent: int) -> float:
    """In milliseconds, of `ordered` seconds; nearest rank."""
    return ordered[(len(ordered) - 1) * percent // 100] * 1e3 if ordered else 0.0
