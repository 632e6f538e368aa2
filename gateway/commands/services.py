"""`gateway services`: the chain as a tree, with sizes; below it what is in `added_services`."""

from __future__ import annotations

import argparse

from gateway.access.identity import ROOT_ACCOUNT, Identity
from gateway.commands import added_services, inventory
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, has_run, not_run
from gateway.config import Configuration
from gateway.services.chain import Chain
from gateway.services.runtime import open_runtime


def _run(typed: argparse.Namespace) -> int:
    """Opens the stores for their sizes when the gateway has run here; else shows the plan."""
    configuration = configured(typed)
    if not has_run(configuration):
        chain = Chain(configuration)
        tree = inventory.Tree(_links(configuration), chain.services, configuration.plugins.drivers)
        inventory.show(tree.lines([]))
        print(f"No sizes: {not_run(configuration)}")
        return 0
    runtime = open_runtime(configuration)
    try:
        runtime.added.sync()
        runtime.added.open_all()
        made = runtime.services(Identity(key="cli", account=ROOT_ACCOUNT, access="admin"))
        added = runtime.added.all_open
        links = {sid: one.behind for sid, one in added.items()} | _links(configuration)
        opened = {sid: one.service for sid, one in added.items()} | dict(runtime.chain.services)
        inventory.show(inventory.Tree(links, opened).lines(made))
    finally:
        runtime.close()
    return 0


def _links(configuration: Configuration) -> dict[str, tuple[str, ...]]:
    return {sid: tuple(one.links.values()) for sid, one in configuration.services.items()}


COMMAND = Command(
    name="services",
    text="the chain as a tree, with sizes; or add, set, remove and show one, also while serving",
    arguments=add_place,
    run=_run,
    commands=added_services.COMMANDS,
)
