"""`gateway scrub`: everything that is kept, read at a bounded rate and compared.

Opens only the stores that can do it, and changes nothing; so it may run beside
the gateway, as another process of the same folder. What was added is looked up
in the catalog, and where it cannot be opened the others are still checked. One
line on stdout for each damage, and one for each service; how far it is on
stderr, when that is a terminal.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TextIO

from gateway.commands.command import Command
from gateway.commands.place import add_place, configured
from gateway.commands.progress import ProgressLine
from gateway.commands.stores_here import stores_here
from gateway.common.units import about_size, format_size, parse_size
from gateway.config import Configuration
from gateway.storage import Damage, Measures, Scrubbed, Scrubs, StorageError, Store

RATE = 64 << 20
"""Bytes a second, unless it is said: a terabyte takes four and a half hours."""

SMALLEST = 8 << 10
"""Each object counts as so many bytes at least: small ones cost look-ups, not bytes."""

BURST = 0.25
"""Seconds' worth of reading between two rests."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sid", metavar="SID", nargs="?", help="one service or bucket; else all")
    parser.add_argument(
        "--rate",
        metavar="SIZE",
        type=_size,
        default=RATE,
        help=f"bytes a second, {format_size(RATE)} unless given; 0: as fast as it goes",
    )
    add_place(parser)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _run(typed: argparse.Namespace) -> int:
    try:
        return 0 if scrub(configured(typed), typed.sid, typed.rate, sys.stdout) else 1
    except KeyboardInterrupt:
        print("\ngateway: stopped before all was checked", file=sys.stderr)
        return 1


COMMAND = Command(
    name="scrub",
    text="compare all that is kept with its digests, also while serving; 1: something is damaged",
    arguments=_arguments,
    run=_run,
)


def scrub(configuration: Configuration, sid: str | None, rate: int, out: TextIO) -> bool:
    """Whether all is well with that service, or with all. Raises `ChainError`, and
    `NoSuchStore` when there is no such service that could be checked."""
    with stores_here(configuration, sid, Scrubs, "keeps its bytes") as here:
        pace = Pace(rate)
        damaged = [name for name, store in here.stores if not _report(name, store, pace, out)]
        if sid is not None:
            return not damaged
        for name, driver in here.unable:
            print(f"{name}: not checked: the driver {driver} keeps no bytes here", file=out)
        for one in here.missing:
            print(f"not checked: {one}", file=out)
        return not (damaged or here.missing)


class Pace:
    """Rests as long as it takes for no more than `rate` bytes a second; 0: never."""

    def __init__(
        self,
        rate: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._due = clock()
        """When what was read so far would have been read at that rate."""

    def spend(self, size: int) -> None:
        if not self._rate:
            return
        now = self._clock()
        self._due = max(self._due, now - BURST) + size / self._rate
        if self._due - now > BURST:
            self._sleep(self._due - now)


def _report(name: str, store: Store, pace: Pace, out: TextIO) -> bool:
    """Check one service and say what was found."""
    objects = size = damaged = 0
    scrubs, progress = store.find(Scrubs), _Progress(name, store)
    assert scrubs is not None
    try:
        for step in scrubs.scrub():
            objects, size = objects + step.objects, size + step.bytes
            if step.damage is not None:
                damaged += 1
                progress.clear()
                print(f"{name}: {_told(step.damage)}", file=out, flush=True)
            pace.spend(_cost(step))
            progress.show(objects, size)
    except StorageError as error:  # of the index: the other services may have another
        damaged += 1
        progress.clear()
        print(f"{name}: {error}", file=out, flush=True)
    progress.clear()
    result = f"{damaged} damaged" if damaged else "all is well"
    print(f"{name}: {objects} objects, {about_size(size)}: {result}", file=out, flush=True)
    return not damaged


def _cost(step: Scrubbed) -> int:
    return step.bytes + SMALLEST * step.objects


def _told(damage: Damage) -> str:
    """A key may hold anything, also what would look like another line."""
    key = damage.key if damage.key.isprintable() else ascii(damage.key)
    version = f" (version {damage.version})" if damage.version else ""
    return f"{key}{version}: {damage.message}"


class _Progress:
    def __init__(self, name: str, store: Store) -> None:
        self._name, self._line = name, ProgressLine()
        measures = store.find(Measures)
        self._stats = measures.stats() if measures is not None and self._line.seen else None
        self.clear = self._line.clear

    def show(self, objects: int, size: int) -> None:
        if self._stats is not None and self._line.due:
            line = f"{self._name}: {objects} of {self._stats.objects} objects, {about_size(size)}"
            self._line.show(f"{line} of {about_size(self._stats.bytes)}")
