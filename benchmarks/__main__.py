"""`python -m benchmarks [speed|memory]`: the gateway and its peers, measured in turns.

Exit codes: 0 measured, 1 nothing could be measured, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import memory, report, servers
from benchmarks.load import Generator, LoadFailed, generator, measure
from benchmarks.report import Outcome
from benchmarks.servers import SERVERS, Missing, Running
from benchmarks.testserver import testserver
from benchmarks.workloads import WORKLOADS, Refused, Workload, create_buckets, prepare

WARM_UP = 1.0


COMMANDS = ("speed", "memory", "testserver")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", default="speed", choices=COMMANDS)
    parser.add_argument("--seconds", type=float, default=3, help="of each slice (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="slices of each figure (default 3)")
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, metavar="WORKLOAD",
                        help=f"of {', '.join(WORKLOADS)}")  # fmt: skip
    parser.add_argument("--servers", nargs="+", choices=SERVERS, metavar="SERVER",
                        help=f"of {', '.join(SERVERS)}")  # fmt: skip
    parser.add_argument("--load", default="auto", choices=("auto", "wrk", "own"),
                        help="what sends the requests (default: wrk where it is)")  # fmt: skip
    parser.add_argument("--data", type=Path, default=Path(".benchmark"),
                        help="a folder on the disk to measure; left as it was")  # fmt: skip
    parser.add_argument("--mib", type=int, default=2048, help="memory: the body's size")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there")
    found = parser.parse_args(given)
    if found.seconds <= 0 or found.rounds < 1 or found.mib < 1:
        parser.error("--seconds, --rounds and --mib are positive")
    return found


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A new folder below `folder`, removed afterwards (with `folder`, if it was made for this)."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=folder.absolute()))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if made and not any(folder.iterdir()):
            folder.rmdir()


def say(text: str) -> None:
    """Progress goes to stderr, so that stdout is the tables alone."""
    print(text, file=sys.stderr, flush=True)


def start(stack: ExitStack, name: str, place: Path) -> tuple[Outcome, Running | None]:
    server = SERVERS[name]
    outcome = Outcome(name=name, peer=server.peer)
    try:
        running = stack.enter_context(servers.running(server, place / name))
        create_buckets(running.target)
    except (Missing, Refused) as error:
        say(f"{name}: {error}")
        outcome.missing = str(error)
        return outcome, None
    outcome.version = servers.version(server)
    outcome.started = running.started
    return outcome, running


def settle() -> None:
    """Let the system write what the slice before left unwritten, so that it disturbs nobody."""
    if hasattr(os, "sync"):
        os.sync()


def run_workload(
    workload: Workload,
    runners: Sequence[tuple[Outcome, Running]],
    generate: Generator,
    place: Path,
    options: argparse.Namespace,
) -> None:
    """All servers in turns, `rounds` times; the first round begins with a warm-up."""
    ready = []
    for outcome, running in runners:
        try:
            prepare(workload, running.target)
            ready.append((outcome, running))
        except Refused as error:
            outcome.refused[workload.name] = str(error)
            say(f"{workload.name}  {outcome.name}: {error}")
    for number in range(options.rounds):
        for outcome, running in ready:
            settle()
            if number == 0:
                measure(generate, place, workload, running.target, min(WARM_UP, options.seconds))
            sample = measure(generate, place, workload, running.target, options.seconds)
            outcome.samples.setdefault(workload.name, []).append(sample)
            shown = report.amount(workload, sample.rate)
            errors = f"  errors {dict(sample.errors)}" if sample.errors else ""
            say(f"{workload.name}  round {number + 1}  {outcome.name}: {shown}{errors}")


def speed(options: argparse.Namespace, place: Path) -> int:
    load, generate = generator(options.load)
    about = report.machine()
    workloads = [WORKLOADS[name] for name in options.only or WORKLOADS]
    with ExitStack() as stack:
        started = [start(stack, name, place) for name in options.servers or SERVERS]
        runners = [(outcome, one) for outcome, one in started if one is not None]
        for workload in workloads:
            run_workload(workload, runners, generate, place, options)
        for outcome, one in runners:
            outcome.usage = one.usage()
    outcomes = [outcome for outcome, _ in started]
    show(outcomes, workloads, {**about, "load": load}, options)
    return 0 if any(one.samples for one in outcomes) else 1


def show(
    outcomes: Sequence[Outcome],
    workloads: Sequence[Workload],
    about: Mapping[str, Any],
    options: argparse.Namespace,
) -> None:
    print(
        f"{about['system']}, {about['cpus']} CPUs (load average before: {about['load_before']}), "
        f"Python {about['python']}; {options.rounds} rounds of {options.seconds:g} s "
        f"by {about['load']}\n"
    )
    print(report.summary_table(outcomes, workloads))
    print()
    print(report.latency_table(outcomes, workloads))
    print()
    for line in report.remarks(outcomes):
        print(f"- {line}")
    if options.json:
        settings = {"seconds": options.seconds, "rounds": options.rounds}
        found = report.as_json(outcomes, about, settings)
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def large_bodies(options: argparse.Namespace, place: Path) -> int:
    """Servers that keep data in memory are left out: theirs is the body's size by nature."""
    chosen = options.servers or [name for name, one in SERVERS.items() if not one.in_memory]
    rows = []
    for name in chosen:
        say(f"memory  {name}")
        rows.append(memory.measure(SERVERS[name], place / name, options.mib))
        shutil.rmtree(place / name, ignore_errors=True)
    print(memory.table(rows, options.mib))
    return 0


def _stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(given: Sequence[str] | None = None) -> int:
    options = arguments(given)
    signal.signal(signal.SIGTERM, _stop)  # so that servers are ended and data is removed
    with workplace(options.data) as place:
        try:
            does = {"speed": speed, "memory": large_bodies, "testserver": testserver}
            return does[options.what](options, place)
        except LoadFailed as error:
            say(str(error))
            return 1


if __name__ == "__main__":
    sys.exit(main())
