"""`gateway drivers`: each driver and layer with its options; of one that is named, with what each
is for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from textwrap import wrap

from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.common.nearest_name import nearest
from gateway.plugins.finding import Driver, Plugins
from gateway.plugins.options import describe, describe_default
from gateway.storage import Layer


def _lines(known: Mapping[str, Driver], *, told: bool) -> Iterator[str]:
    for name in sorted(known):
        driver = known[name]
        what = "layer" if issubclass(driver.kind, Layer) else "store"
        yield f"{name} ({what}, of the plugin {driver.plugin}: {driver.kind.__module__})"
        if driver.origin:
            yield f"  from {driver.origin}"
        yield f"  can: get, {', '.join(driver.capabilities) or 'nothing else'}"
        if not driver.kind.shared:
            yield "  lives in one process: the server runs one worker"
        options = [
            (f"  {one.name}", _default(one.required, describe_default(one)), describe(one.kind))
            for one in driver.options.values()
        ]
        lines = table(options) if options else ["  no options"]
        abouts = [one.about if told else "" for one in driver.options.values()]
        for line, about in zip_longest(lines, abouts, fillvalue=""):
            yield line
            yield from wrap(about, 96, initial_indent="    ", subsequent_indent="    ")
        yield ""


def _default(required: bool, default: str) -> str:
    return "(required)" if required else f"= {default}" if default else "(optional)"


def _run(typed: argparse.Namespace) -> int:
    plugins = typed.plugins or Plugins.load(lenient=True)
    known, named = plugins.drivers, typed.name
    if named and named not in known:
        like = nearest(named, known)
        say(f"gateway: there is no driver {named!r}.{like}", file=sys.stderr)
        return 1
    show(_lines({named: known[named]} if named else known, told=bool(named)))
    if plugins.problems:
        print(f"gateway: {plugins.message}", file=sys.stderr)
    return 1 if plugins.problems else 0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", help="only this, and what its options mean")


COMMAND = Command(
    name="drivers",
    text="each driver and layer with its options",
    arguments=_arguments,
    run=_run,
)
