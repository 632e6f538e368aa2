"""The gateway's application in this process, given recorded requests, and timed by stage.

Three passes: with nothing wrapped, by the wall clock, and by the thread's CPU, whose clock
is a system call, so its sum may be some percent off.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.meter import Clock, Meter
from benchmarks.recording import Environ
from benchmarks.requests import KIB, payload
from benchmarks.servers import CREDENTIALS

BATCHES = 15
KINDS = ("GET", "PUT")
Stages = Mapping[str, Sequence[str]]
"""The functions of each stage (see `Meter`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Microseconds for one request. `wall` and `cpu` by stage; `whole` is that of the same
    requests with nothing wrapped, `behind` what other threads took of CPU meanwhile."""

    wall: Mapping[str, float]
    cpu: Mapping[str, float]
    whole: float
    whole_cpu: float
    behind: float


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
    from gateway.servers.worker import open_worker

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
    store: str,
    folder: Path,
    given: Mapping[str, list[Environ]],
    stages: Stages,
    batches: int = BATCHES,
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
        with _installed(meter, stages), application(store, place) as replies:
            replies.run(given["bucket"], b"")
            for kind in ("PUT", "GET"):
                passes[kind][way] = _measured(replies, given[kind], kind, meter, batches)
    return {kind: _profile(found) for kind, found in passes.items()}


@contextmanager
def _installed(meter: Meter | None, stages: Stages) -> Iterator[None]:
    if meter is None:
        yield
        return
    with meter.installed(stages):
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
        stage: max(0.0, median(one.get(stage, 0.0) for one in found) / scale) for stage in found[0]
    }


def _profile(found: Mapping[str, Any]) -> Profile:
    whole, whole_cpu, behind = found["whole"]
    return Profile(
        wall=found["wall"], cpu=found["cpu"], whole=whole, whole_cpu=whole_cpu, behind=behind
    )
