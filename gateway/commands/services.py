"""`gateway services`: the chain as a tree, with sizes."""

from __future__ import annotations

import argparse

from gateway.access.identity import ROOT_ACCOUNT, Identity
from gateway.commands import inventory
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, has_run, not_run
from gateway.services.chain import Chain
from gateway.services.runtime import open_runtime


def _run(typed: argparse.Namespace) -> int:
    """Opens the stores for their sizes when the gateway has run here; else shows the plan."""
    configuration = configured(typed)
    if not has_run(configuration):
        chain = Chain(configuration)
        tree = inventory.Tree(configuration.services, chain.services, configuration.plugins.drivers)
        inventory.show(tree.lines([]))
        print(f"No sizes: {not_run(configuration)}")
        return 0
    runtime = open_runtime(configuration)
    try:
        made = runtime.services(Identity(key="cli", account=ROOT_ACCOUNT, access="admin"))
        tree = inventory.Tree(configuration.services, runtime.chain.services)
        inventory.show(tree.lines(made))
    finally:
        runtime.close()
    return 0


COMMAND = Command(
    name="services", text="the chain as a tree, with sizes", arguments=add_place, run=_run
)
