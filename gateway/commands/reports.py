"""`gateway reports`: what was served, by what reports have kept, also while serving.

A line for each slot in which something was asked for, of all that is named together; with
`--json` an object of JSON, of each slot. Times are of the slot's beginning, in UTC.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import get_args

from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.moments import milliseconds, shown
from gateway.commands.moments import time as moment
from gateway.commands.place import add_place, configured
from gateway.common import looking
from gateway.common.units import about_size
from gateway.config import ConfigProblem, ConfigurationError
from gateway.storage import Unavailable
from gateway.telemetry.report_file import FILE, ReportFile
from gateway.telemetry.reports import LENGTHS, Asked, Period, Report, Split, report

DAY = 86_400_000


def _arguments(parser: argparse.ArgumentParser) -> None:
    names = "services, or what bindings count under (counted_as); else all"
    parser.add_argument("names", metavar="SID", nargs="*", help=names)
    parser.add_argument(
        "--from", dest="since", metavar="TIME", type=moment, help="else 24 hours before --to"
    )
    parser.add_argument(
        "--to", dest="until", metavar="TIME", type=moment, help="excluded; else now"
    )
    parser.add_argument("--by", choices=list(LENGTHS), default="hour", help="else by hour")
    splits = [one for one in get_args(Split) if one]
    parser.add_argument("--split", choices=splits, default="", help="what is told apart")
    parser.add_argument("--mode", help="only what came by that mode: public, s3, …")
    parser.add_argument("--json", action="store_true", help="for programs: an object a line")
    add_place(parser)


def _run(typed: argparse.Namespace) -> int:
    folder = configured(typed).data
    if folder is None or not looking.is_there(folder / FILE):
        raise Unavailable("No reports are kept there: [reports] in the configuration has it.")
    try:
        with closing(ReportFile(folder)) as file:
            found = _read(file, typed)
    except OSError as error:
        raise Unavailable(f"Reports cannot be read: {error}.") from error
    if typed.json:
        for line in _objects(found):
            print(line)
    else:
        show(table([_HEADS, *_lines(found)]))
    for note in _notes(found):
        say(f"NOTE: {note}", sys.stderr)
    return 0


def _read(file: ReportFile, typed: argparse.Namespace) -> Report:
    now = round(1000 * time.time())
    until = now if typed.until is None else milliseconds(typed.until)
    since = until - DAY if typed.since is None else milliseconds(typed.since)
    try:
        period = Period(since=since // 1000, until=-(-until // 1000), by=typed.by)
        names = typed.names or file.names()
        asked = Asked(names=names, split=typed.split, door=typed.mode)
        complete = file.complete(now / 1000, period.since, period.until)
        return report(asked, period, file.read(asked, period), complete)
    except ValueError as error:
        raise ConfigurationError([ConfigProblem("", f"{error}.")]) from None


_HEADS = ("from", "", "hits", "bytes", "")


def _lines(found: Report) -> Iterator[tuple[str, ...]]:
    for place, slot in enumerate(found.slots):
        for name, series in found.series.items():
            hits, size = series.hits[place], series.bytes[place]
            if hits:
                about = "" if size < 1024 else f"({about_size(size)})"
                yield _time(slot), name, str(hits), str(size), about


def _objects(found: Report) -> Iterator[str]:
    for place, slot in enumerate(found.slots):
        for name, series in found.series.items():
            split = {"split": name} if name else {}
            numbers = {"hits": series.hits[place], "bytes": series.bytes[place]}
            yield json.dumps({"time": _time(slot), **split, **numbers})


def _time(seconds: int) -> str:
    return f"{shown(1000 * seconds).removesuffix('.000Z')}Z"


def _notes(found: Report) -> Iterator[str]:
    complete = found.complete
    if complete.until < found.slots.stop:
        yield f"complete until {_time(complete.until)}"
    for last in complete.lost:
        yield f"a worker was killed: what it was asked after {_time(last)} may be missing"


COMMAND = Command(
    name="reports",
    text="what was served, in slots of time, also while serving",
    arguments=_arguments,
    run=_run,
)
