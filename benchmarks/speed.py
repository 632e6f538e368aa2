"""The gateway and its peers in turns: each workload, each round, each server."""

from __future__ import annotations

import json
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import picture, report, seeding, starting
from benchmarks.figures import Outcome, amount
from benchmarks.load import Generator, Sample, generator, measure
from benchmarks.processes import cpu_seconds, waits
from benchmarks.seeding import Refused, prepare
from benchmarks.servers import SERVERS, Server, pinned
from benchmarks.starting import Missing, Running
from benchmarks.workloads import WORKLOADS, Workload, deep

WARM_UP = 1.0
Runners = Sequence[tuple[Outcome, Running]]


def say(text: str) -> None:
    """Progress goes to stderr, so that stdout is the tables alone."""
    print(text, file=sys.stderr, flush=True)


def chosen(options: Namespace) -> list[Workload]:
    found = [WORKLOADS[name] for name in options.only or WORKLOADS]
    return [*found, *(one for keys in options.keys for one in deep(keys))]


def start(stack: ExitStack, server: Server, folder: Path) -> tuple[Outcome, Running | None]:
    outcome = Outcome(name=server.name, kind=server.kind)
    try:
        running = stack.enter_context(starting.running(server, folder))
    except Missing as error:
        say(f"{server.name}: {error}")
        outcome.missing = str(error)
        return outcome, None
    outcome.version = starting.version(server)
    outcome.started = running.started
    return outcome, running


def settle() -> None:
    """Let the system write what the slice before left unwritten, so that it disturbs nobody."""
    if hasattr(os, "sync"):
        os.sync()


def started(server: Server, folder: Path) -> Sample:
    """A slice of the workload `start`: another one of the server, with an empty folder."""
    try:
        with starting.running(server, folder) as one:
            took = one.started
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    milliseconds = took * 1e3
    return Sample(requests=1, seconds=took, received=0, p50=milliseconds, p99=milliseconds,
                  longest=milliseconds)  # fmt: skip


def slice_of(
    workload: Workload, server: Running, generate: Generator, place: Path, seconds: float
) -> Sample:
    """Raises `Refused` when its objects cannot be put."""
    if workload.starts:
        return started(server.server, place / "start")
    if workload.fresh:
        seeding.seed(workload, server)
    settle()
    before = server.usage()
    spent, waited = cpu_seconds(before), waits(before)
    sample = measure(generate, place, workload, server.target, seconds)
    after = server.usage()
    return replace(sample, cpu=_more(spent, cpu_seconds(after)), waits=_more(waited, waits(after)))


def _more(before: float | None, after: float | None) -> float | None:
    """Never less: what ended meanwhile is not in the later figure."""
    return None if before is None or after is None else max(0.0, after - before)


def ready(workload: Workload, runners: Runners) -> Runners:
    """Those for which the workload is, and could be prepared."""
    found = []
    for outcome, running in runners:
        unable = seeding.why_not(workload, running)
        if unable:
            outcome.left_out[workload.name] = unable
            continue
        try:
            prepare(workload, running)
        except Refused as error:
            outcome.refused[workload.name] = str(error)
            say(f"{workload.name}  {outcome.name}: {error}")
        else:
            found.append((outcome, running))
    return found


def run_workload(
    workload: Workload, runners: Runners, generate: Generator, place: Path, options: Namespace
) -> None:
    """All servers in turns, `rounds` times; the first round begins with a warm-up."""
    able = ready(workload, runners)
    for number in range(options.rounds):
        for outcome, running in able:
            if number == 0 and not (workload.starts or workload.limit):
                slice_of(workload, running, generate, place, min(WARM_UP, options.seconds))
            sample = slice_of(workload, running, generate, place, options.seconds)
            outcome.samples.setdefault(workload.name, []).append(sample)
            errors = f"  errors {dict(sample.errors)}" if sample.errors else ""
            shown = amount(workload, sample.rate)
            say(f"{workload.name}  round {number + 1}  {outcome.name}: {shown}{errors}")


def speed(options: Namespace, place: Path) -> int:
    load, generate = generator(options.load)
    about = report.machine()
    workloads = chosen(options)
    names = options.servers or [name for name, one in SERVERS.items() if one.usual]
    servers = [pinned(SERVERS[name]) if options.pinned else SERVERS[name] for name in names]
    with ExitStack() as stack:
        found = [start(stack, one, place / one.name) for one in servers]
        runners = [(outcome, one) for outcome, one in found if one is not None]
        for workload in workloads:
            run_workload(workload, runners, generate, place, options)
        for outcome, one in runners:
            outcome.usage = one.usage()
    outcomes = [outcome for outcome, _ in found]
    show(outcomes, workloads, {**about, "load": load}, options)
    return 0 if any(one.samples for one in outcomes) else 1


def show(
    outcomes: Sequence[Outcome],
    workloads: Sequence[Workload],
    about: Mapping[str, Any],
    options: Namespace,
) -> None:
    print(
        f"{about['system']}, {about['cpus']} CPUs (load average before: {about['load_before']}), "
        f"Python {about['python']}; {options.rounds} rounds of {options.seconds:g} s "
        f"by {about['load']}{', each server on one processor' if options.pinned else ''}\n"
    )
    for table in report.TABLES:
        print(f"{table(outcomes, workloads)}\n")
    for line in report.remarks(outcomes, workloads):
        print(f"- {line}")
    if options.json:
        settings = {"seconds": options.seconds, "rounds": options.rounds, "pinned": options.pinned}
        found = report.as_json(outcomes, workloads, about, settings)
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.picture:
        drawn = picture.draw(outcomes, workloads, about)
        options.picture.write_text(drawn, encoding="utf-8")
