"""`gateway drivers`: each driver and layer with its options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping

from gateway.commands.columns import show, table
from gateway.commands.command import Command
from gateway.plugins.finding import Driver, Plugins
from gateway.plugins.options import describe, describe_default
from gateway.storage import Layer


def _lines(known: Mapping[str, Driver]) -> Iterator[str]:
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
        yield from table(options) if options else ["  no options"]
        yield ""


def _default(required: bool, default: str) -> str:
    return "(required)" if required else f"= {default}" if default else "(optional)"


def _run(typed: argparse.Namespace) -> int:
    plugins = typed.plugins or Plugins.load(lenient=True)
    show(_lines(plugins.drivers))
    if plugins.problems:
        print(f"gateway: {plugins.message}", file=sys.stderr)
    return 1 if plugins.problems else 0


COMMAND = Command(name="drivers", text="each driver and layer with its options", run=_run)
