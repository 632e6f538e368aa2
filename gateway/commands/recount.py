"""`gateway recount`: what each service counts, compared with what is there.

Counts are kept with each change, so that nobody walks for them; this walks, and proves them. It
may run beside the gateway, and holds nobody up. A line for each service on stdout, and one for
each volume, of which only the sum is proved.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import TextIO

from gateway.commands.command import Command
from gateway.commands.place import add_place, configured
from gateway.commands.stores_here import stores_here
from gateway.common.units import about_size
from gateway.config import Configuration
from gateway.storage import Measures, Recount, Stats, StorageError, Store, Volumes


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sid", metavar="SID", nargs="?", help="one service or bucket; else all")
    parser.add_argument("--repair", action="store_true", help="set right what is wrong")
    add_place(parser)


def _run(typed: argparse.Namespace) -> int:
    return 0 if recount(configured(typed), typed.sid, typed.repair, sys.stdout) else 1


COMMAND = Command(
    name="recount",
    text="count what is there and compare, also while serving; 1: something is counted wrong",
    arguments=_arguments,
    run=_run,
)


def recount(configuration: Configuration, sid: str | None, repair: bool, out: TextIO) -> bool:
    """Whether all was counted right, of that service or of all. Raises `ChainError`, and
    `NoSuchStore` when there is no such service that counts."""
    with stores_here(configuration, sid, Measures, "counts what it has") as here:
        wrong = [name for name, store in here.stores if not _report(name, store, repair, out)]
        if sid is not None:
            return not wrong
        if here.volumes is not None:
            wrong += _recount_volumes(here.volumes, repair, out)
        for name, driver in here.unable:
            print(f"{name}: not counted: the driver {driver} keeps no counts here", file=out)
        for one in here.missing:
            print(f"not counted: {one}", file=out)
        return not (wrong or here.missing)


def _report(name: str, store: Store, repair: bool, out: TextIO) -> bool:
    measures = store.find(Measures)
    assert measures is not None
    try:
        done = measures.recount(repair=repair)
    except StorageError as error:  # of its index: the other services may have another
        print(f"{name}: {error}", file=out, flush=True)
        return False
    if done.right:
        said = f"{_told(done.found)}: right"
    else:
        said = f"{_COUNTED_WRONG[repair]}: {', '.join(_wrong(done))}"
    print(f"{name}: {said}", file=out, flush=True)
    return done.right


def _recount_volumes(volumes: Volumes, repair: bool, out: TextIO) -> list[str]:
    """Those that count otherwise than their buckets do, which were proved before."""
    try:
        recounts = volumes.recount_volumes(repair=repair)
    except StorageError as error:
        print(f"volumes: {error}", file=out, flush=True)
        return ["volumes"]
    for name, done in recounts.items():
        told = f"{about_size(done.found)} in its buckets: right"
        if not done.right:
            told = f"{_COUNTED_WRONG[repair]}: {done.counted} bytes, there are {done.found}"
        print(f"volume {name}: {told}", file=out, flush=True)
    return [name for name, done in recounts.items() if not done.right]


_COUNTED_WRONG = {False: "counted wrong", True: "counted wrong, and set right"}


def _told(stats: Stats) -> str:
    size = f"{stats.objects} versions of {stats.current} keys, {about_size(stats.bytes)}"
    return f"{size}; {stats.uploads} uploads, {about_size(stats.waiting)}"


_NAMES = {
    "objects": "versions",
    "current": "keys",
    "waiting": "bytes of uploads",
}


def _wrong(done: Recount) -> Iterator[str]:
    for name in (field.name for field in fields(Stats)):
        counted, found = (getattr(one, name) for one in done)
        if counted != found:
            yield f"{counted} {_NAMES.get(name, name)}, there are {found}"
