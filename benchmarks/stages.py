"""`python -m benchmarks stages`: where the microseconds of one GET and one PUT (1 KiB) go.

Requests are signed as boto3 signs them and recorded as granian hands them over; then they
are given to the gateway's application in this process, one after the other, with the
functions in `STAGES` wrapped. This alone of the benchmarks imports the gateway. Beside
it stands what a real worker takes of CPU under load, and what granian does without a gateway.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks import requests, seeding, speed, starting
from benchmarks.connection import Connection
from benchmarks.figures import Figure
from benchmarks.load import generator
from benchmarks.meter import Clock, Meter
from benchmarks.report import load_average, markdown
from benchmarks.requests import KIB, payload
from benchmarks.servers import CREDENTIALS, Server, gateway
from benchmarks.signing import Request
from benchmarks.workloads import WORKLOADS

STAGES: Mapping[str, tuple[str, ...]] = {
    "dispatch": ("gateway.app:App.__call__", "gateway.doors:Doors.choose"),
    "Falcon": ("falcon.app:App.__call__",),
    "parse": (
        "gateway.modes.s3.request:Request.__init__",
        "gateway.modes.s3.operations:find",
        "gateway.modes.s3.headers:reading",
        "gateway.modes.s3.headers:new_object",
        "gateway.modes.s3.headers:write_conditions",
        "gateway.modes.s3.bodies:receive",
        "gateway.modes.s3.grants:attributes",
    ),
    "signature": ("gateway.modes.s3.application:who",),
    "permission": (
        "gateway.modes.s3.request:Request.open",
        "gateway.access:Access.require",
        "gateway.access:Access.get",
        "gateway.access:Access.put",
    ),
    "body": ("gateway.storage.streams:Intake.read_all",),
    "store": ("gateway.service:Service.get", "gateway.service:Service.put"),
    "index": (
        "drivers.indexed.space:FileSpace.one",
        "drivers.indexed.space:MemorySpace.one",
        "drivers.indexed.space:Space.write",
    ),
    "render": (
        "gateway.modes.s3.application:Sink.__call__",
        "gateway.modes.s3.application:Sink.answer",
        "gateway.modes.s3.replies:described",
        "gateway.modes.s3.replies:checksums",
        "gateway.modes.s3.replies:written",
    ),
    "log, metrics": ("gateway.app:App._over",),
}
"""The functions of each stage. Time counts for the stage that was entered last."""

MEANING = {
    "dispatch": "the application around the modes: request id, doors, admission",
    "Falcon": "its request, response and routing",
    "parse": "path, query, headers, which operation",
    "signature": "canonical request, HMAC, the key's account",
    "permission": "which service, and may this key do that",
    "body": "read, MD5, SHA-256 and CRC-32 of what is put",
    "store": "from the service to the index, and back to an object",
    "index": "SQL, and its commit: of one writer alone, so the disk is waited for",
    "render": "the handler, the answer's headers and body",
    "log, metrics": "in the request's thread",
}
DISTINCT = 64
BATCHES = 15
KINDS = ("GET", "PUT")
Environ = dict[str, Any]

BARE = Server(
    name="bare",
    program=(sys.executable, "-m", "benchmarks.bare"),
    arguments=lambda site: [
        site.target.host,
        str(site.target.port),
        *([str(site.folder / "record")] if "record" in site.folder.name else []),
    ],
    health="/",
    static=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Microseconds for one request. `wall` and `cpu` by stage; `whole` is that of the same
    requests with nothing wrapped, `behind` what other threads took of CPU meanwhile."""

    wall: Mapping[str, float]
    cpu: Mapping[str, float]
    whole: float
    whole_cpu: float
    behind: float


def recorded(place: Path) -> dict[str, list[Environ]]:
    """A bucket's making, PUTs and GETs, as granian hands them to an application."""
    paths = [f"/stages/{number:04d}.bin" for number in range(DISTINCT)]
    body = payload(KIB)
    wanted: list[Request] = [requests.put("/stages", b"")]
    wanted += [requests.put(path, body) for path in paths]
    wanted += [requests.get(path) for path in paths]
    with starting.running(BARE, place / "record") as bare:
        connection = Connection(bare.target.address)
        for one in wanted:
            connection.exchange(bare.target.head(one), one.body)
        connection.close()
    lines = (place / "record" / "record").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines[-len(wanted) :]]
    return {"bucket": found[:1], "PUT": found[1 : 1 + DISTINCT], "GET": found[1 + DISTINCT :]}


class Replies:
    """Gives recorded requests to an application, as a server would."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app, self.status = app, ""

    def _start(self, status: str, _: Sequence[tuple[str, str]], *__: object) -> None:
        self.status = status

    def run(self, given: Iterable[Environ], body: bytes) -> None:
        """Raises `RuntimeError` when a request is refused."""
        for one in given:
            environ = one | {"wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr}
            answer = self._app(environ, self._start)
            for _ in answer:
                pass
            close = getattr(answer, "close", None)
            if close is not None:
                close()
            if self.status[:3] != "200":
                raise RuntimeError(f"{one['REQUEST_METHOD']}: {self.status}")


@contextmanager
def application(store: str, folder: Path) -> Iterator[Replies]:
    """The gateway's application in this process, its log into nothing."""
    from gateway.config import load
    from gateway.worker import open_worker

    environ = {
        "GATEWAY_ROOT_ACCESS_KEY": CREDENTIALS.access,
        "GATEWAY_ROOT_SECRET_KEY": CREDENTIALS.secret,
    }
    file = folder / f"{store}.toml"
    file.write_text(f"[server]\ndata = '{folder / store}'\n", encoding="utf-8")
    overrides = {"memory": True} if store == "memory" else {}
    configuration = load(file, overrides=overrides, environ=environ)
    before, sys.stderr = sys.stderr, Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - closed below
    try:
        worker = open_worker(configuration, "granian", 32, None)
        try:
            yield Replies(worker.app)
        finally:
            worker.close()
    finally:
        sys.stderr.close()
        sys.stderr = before


def profile(
    store: str, folder: Path, given: Mapping[str, list[Environ]], batches: int = BATCHES
) -> dict[str, Profile]:
    """By kind of request. The application is made anew for each way of measuring."""
    passes: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    ways: tuple[tuple[str, Clock | None], ...] = (
        ("whole", None),
        ("wall", time.perf_counter_ns),
        ("cpu", time.thread_time_ns),
    )
    for way, clock in ways:
        meter = Meter(clock) if clock is not None else None
        place = folder / f"{store}-{way}"
        place.mkdir()
        with _installed(meter), application(store, place) as replies:
            replies.run(given["bucket"], b"")
            for kind in ("PUT", "GET"):
                passes[kind][way] = _measured(replies, given[kind], kind, meter, batches)
    return {kind: _profile(found) for kind, found in passes.items()}


@contextmanager
def _installed(meter: Meter | None) -> Iterator[None]:
    if meter is None:
        yield
        return
    with meter.installed(STAGES):
        yield


def _measured(
    replies: Replies, given: list[Environ], kind: str, meter: Meter | None, batches: int
) -> Any:
    """Microseconds for one request, the median of the batches: by stage with a meter, else
    wall and CPU, and the mean of other threads' CPU, which write seldom and much."""
    body = payload(KIB) if kind == "PUT" else b""
    replies.run(given, body)
    found: list[Any] = []
    for _ in range(batches):
        if meter is not None:
            meter.reset()
        begin = time.perf_counter_ns(), time.thread_time_ns(), time.process_time_ns()
        replies.run(given, body)
        wall, mine, all_ = (
            now - then
            for now, then in zip(
                (time.perf_counter_ns(), time.thread_time_ns(), time.process_time_ns()),
                begin,
                strict=True,
            )
        )
        found.append((wall, mine, all_ - mine) if meter is None else meter.stages())
    scale = 1000 * len(given)
    if meter is None:
        walls, mines, others = zip(*found, strict=True)
        return median(walls) / scale, median(mines) / scale, mean(others) / scale
    return {
        stage: max(0.0, median(one.get(stage, 0.0) for one in found) / scale) for stage in STAGES
    }


def _profile(found: Mapping[str, Any]) -> Profile:
    whole, whole_cpu, behind = found["whole"]
    return Profile(
        wall=found["wall"], cpu=found["cpu"], whole=whole, whole_cpu=whole_cpu, behind=behind
    )


def served(server: Server, place: Path, options: Namespace) -> dict[str, Figure]:
    """What one worker does under load: rate, and CPU of all its threads for each request."""
    _, generate = generator(options.load)
    found = {}
    with starting.running(server, place) as one:
        for kind in KINDS:
            workload = WORKLOADS["get-1k" if kind == "GET" else "put-1k"]
            if server is BARE:
                workload = replace(workload, least=0)
            else:
                seeding.prepare(workload, one)
            samples = [
                speed.slice_of(workload, one, generate, place, options.seconds)
                for _ in range(options.rounds + 1)
            ]
            found[kind] = Figure.of(samples[1:])
    return found


def stages(options: Namespace, place: Path) -> int:
    """The command."""
    print(f"load average before: {load_average()}\n")
    given = recorded(place)
    speed.say("stages  granian without a gateway")
    bare = served(BARE, place / "bare", options)
    results: dict[str, Any] = {"bare": {kind: bare[kind].cpu for kind in KINDS}}
    for store in ("local", "memory"):
        speed.say(f"stages  {store}")
        folder = place / store
        folder.mkdir()
        profiles = profile(store, folder, given)
        server = gateway(store, "granian", settings="workers = 1\n")
        worker = served(server, place / f"{store}-served", options)
        print(f"{table(store, profiles, bare, worker)}\n")
        results[store] = {kind: _as_json(profiles[kind], worker[kind]) for kind in KINDS}
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def _as_json(one: Profile, worker: Figure) -> dict[str, Any]:
    return {
        "wall": dict(one.wall),
        "cpu": dict(one.cpu),
        "whole": one.whole,
        "whole_cpu": one.whole_cpu,
        "behind": one.behind,
        "served_cpu": worker.cpu,
        "served_rate": worker.rate,
    }


def table(
    store: str,
    profiles: Mapping[str, Profile],
    bare: Mapping[str, Figure],
    worker: Mapping[str, Figure],
) -> str:
    """A line for each stage, then sums beside the wholes."""
    both = [profiles[kind] for kind in KINDS]

    def line(name: str, values: Iterable[float | None], meaning: str) -> list[str]:
        return [name, *("–" if one is None else f"{one:.1f}" for one in values), meaning]

    rows = [
        line(stage, [v for one in both for v in (one.wall[stage], one.cpu[stage])], MEANING[stage])
        for stage in STAGES
    ]
    sums = [v for one in both for v in (sum(one.wall.values()), sum(one.cpu.values()))]
    rows += [
        line("sum of the stages", sums, ""),
        line("the same, nothing wrapped", [v for one in both for v in (one.whole, one.whole_cpu)],
             "the whole application, with the loop that calls it"),
        line("behind the request", [v for one in both for v in (None, one.behind)],
             "threads: the log's lines"),
        line("server", [v for kind in KINDS for v in (None, bare[kind].cpu)],
             "granian with a function that does nothing"),
        line("a served worker", [v for kind in KINDS for v in (None, worker[kind].cpu)],
             "under load; threads that wait for each other cost too: "
             + ", ".join(f"{worker[kind].rate:,.0f} {kind}/s" for kind in KINDS)),
    ]  # fmt: skip
    head = [store, "GET µs", "CPU", "PUT µs", "CPU", "what"]
    return markdown(head, rows)
