"""`gateway bindings`: doors of the catalog are listed, added and removed, for any gateway.

One that runs follows within a second.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from gateway.commands import hints
from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, opened_catalog
from gateway.services.binding_editor import BindingEditor

_NAMES = ("host", "port", "prefix", "mode", "service")


def _door(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="NAME")
    parser.add_argument("--port", metavar="N", type=int, help="one that is listened at")
    parser.add_argument("--prefix", metavar="/PATH")
    add_place(parser)


def _to_add(parser: argparse.ArgumentParser) -> None:
    _door(parser)
    parser.add_argument("--mode", required=True, help="the API that answers there")
    parser.add_argument("--service", metavar="SID", help="for modes that are about one")


def _list(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration) as catalog:
        added = BindingEditor(configuration, catalog).all()
    rows = [("BINDING", "MODE", "SERVICE", "STATE")]
    for state, bindings in (("declared", configuration.bindings), ("added", added)):
        rows += [(str(one), one.mode, one.service, state) for one in bindings]
    show(table(rows))
    return 0


def _add(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration, make=True) as catalog:
        binding = BindingEditor(configuration, catalog).add(_typed(typed))
    say(f"The binding {binding} is added.")
    # A gateway that was started with --listen listens elsewhere, too.
    ports = {one.address.port for one in configuration.server.listeners}
    for hint in hints.deaf(binding, ports):
        say(f"WARNING: by the configuration, {hint}", sys.stderr)
    return 0


def _remove(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration) as catalog:
        binding = BindingEditor(configuration, catalog).remove(_typed(typed))
    say(f"The binding {binding} is removed.")
    return 0


def _typed(typed: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(typed, name, None) for name in _NAMES}
    return {name: value for name, value in given.items() if value is not None}


COMMAND = Command(
    name="bindings",
    text="list, add and remove doors, also while serving",
    commands=(
        Command(name="list", text="all bindings", arguments=add_place, run=_list),
        Command(
            name="add",
            text="a door by host, port or prefix, while the gateway runs",
            arguments=_to_add,
            run=_add,
        ),
        Command(
            name="remove",
            text="the one with this host, port and prefix",
            arguments=_door,
            run=_remove,
        ),
    ),
)
