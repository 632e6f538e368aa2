"""`gateway bindings`: doors of the catalog are listed, added and removed, for any gateway.

One that runs follows within a second.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from gateway.commands.added_services import pair
from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, opened_catalog
from gateway.config import Binding, ConfigProblem, Configuration, ConfigurationError, given
from gateway.config import typed as as_typed
from gateway.config.bindings import COMMON, told
from gateway.config.paths import here
from gateway.services.binding_editor import BindingEditor
from gateway.services.unsafe import deaf

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
    parser.add_argument(
        "--option",
        metavar="NAME=VALUE",
        type=pair,
        action="append",
        default=[],
        help="one of its mode's",
    )


def _list(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration) as catalog:
        added = BindingEditor(configuration, catalog).all()
    rows = [("BINDING", "MODE", "SERVICE", "STATE", "OPTIONS")]
    declared = [(one, "declared") for one in configuration.bindings]
    states = [(one, f"of the {whole}" if whole else "added") for one, whole in added]
    for one, state in declared + states:
        rows.append((str(one), one.mode, one.service, state, _changed(one)))
    show(table(rows))
    return 0


def _changed(binding: Binding) -> str:
    """The options of its mode that are not as they are by default."""
    return ", ".join(f"{one.name} = {one.text}" for one in given.changed(binding))


def _add(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration, make=True) as catalog:
        own = _options(configuration, typed)
        editor = BindingEditor(configuration, catalog, folder=here(), environ=os.environ)
        binding = editor.add({**own, **_typed(typed)})
    say(f"The binding {binding} is added.")
    for note in told(configuration.plugins.modes, binding):
        say(f"NOTE: {note}")
    # A gateway that was started with --listen listens elsewhere, too.
    ports = {one.address.port for one in configuration.server.listeners}
    for hint in deaf(binding, ports):
        say(f"WARNING: by the configuration, {hint}", sys.stderr)
    return 0


def _remove(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration) as catalog:
        binding = BindingEditor(configuration, catalog).remove(_typed(typed))
    say(f"The binding {binding} is removed.")
    return 0


def _options(configuration: Configuration, typed: argparse.Namespace) -> dict[str, Any]:
    """Those of the mode. Raises `ConfigurationError` for what is an option of its own here."""
    for name, _ in typed.option:
        if name in COMMON:
            wrong = f"type it as --{name}; --option is for those of a mode."
            raise ConfigurationError([ConfigProblem("--option", wrong)])
    return as_typed.table(typed.option, configuration.plugins.options_of_bindings(typed.mode))


def _typed(typed: argparse.Namespace) -> dict[str, Any]:
    values = {name: getattr(typed, name, None) for name in _NAMES}
    return {name: value for name, value in values.items() if value is not None}


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
