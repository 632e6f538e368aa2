"""`gateway drivers`: each driver and layer with its options."""

from __future__ import annotations

import argparse
import sys

from gateway.commands import inventory
from gateway.commands.command import Command
from gateway.plugins.finding import Plugins


def _run(typed: argparse.Namespace) -> int:
    plugins = typed.plugins or Plugins.load(lenient=True)
    inventory.show(inventory.drivers(plugins.drivers))
    if plugins.problems:
        print(f"gateway: {plugins.message}", file=sys.stderr)
    return 1 if plugins.problems else 0


COMMAND = Command(name="drivers", text="each driver and layer with its options", run=_run)
