"""`gateway check`: reads the configuration and reports every problem."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from gateway.catalog import CatalogError, find_master
from gateway.commands import connectivity, hints, start_screen, tls
from gateway.commands.columns import say, show
from gateway.commands.command import Command
from gateway.commands.place import (
    add_place,
    configured,
    has_run,
    opened_catalog,
    with_added,
)
from gateway.commands.serve import choose, count_workers
from gateway.config import Configuration, data_folder
from gateway.config.bindings import told
from gateway.services.added import hidden
from gateway.services.binding_editor import BindingEditor
from gateway.services.chain import Chain
from gateway.services.unsafe import unsafe
from gateway.storage import Unavailable


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connect", action="store_true", help="try each upstream too, with a read")
    add_place(parser)


def _run(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    server = choose(configuration)
    certificates = list(tls.lines(configuration))
    if configuration.data is not None and (problem := data_folder.foreseen(configuration.data)):
        raise CatalogError(f"{problem} {data_folder.CHOOSE}")
    find_master(configuration.data, os.environ)
    if configuration.plugins.problems:
        say(f"gateway: {configuration.plugins.message}", sys.stderr)
        show(f'The service "{one}": {why}.' for one, why in configuration.left_out.items())
        return 1
    Chain(configuration).check_places(configuration.data)
    say(f"The configuration is fine: {configuration.origin.path or 'defaults, without a file'}.")
    options = configuration.server
    say(f"  server     {server}, {count_workers(configuration, server)[1]}")
    say(f"  data       {configuration.data or 'in memory: nothing is kept'}")
    for listener in options.listeners:
        say(f"  listens at {listener.address}{' with TLS' if listener.tls else ''}")
    for other in configuration.listeners:
        say(f"  listens at {other.listener.address}, for {other.kind.protocol}")
    for one in certificates:
        say(f"  TLS        {one}")
    for one in start_screen.services(configuration.services):
        say(f"  service    {one}")
    for one in start_screen.volumes(configuration):
        say(f"  volume     {one}")
    for one in start_screen.modes(configuration):
        say(f"  mode       {one}")
    for one in start_screen.bindings(configuration):
        say(one)
    for note in _beside(configuration):
        say(note)
    listeners = [one.address for one in options.listeners]
    for warning in unsafe(configuration, listeners, server):
        say(f"WARNING: {warning}")
    return _connected(configuration) if typed.connect else 0


def _beside(configuration: Configuration) -> Iterator[str]:
    """What is to be said beside the services that were added while the gateway ran."""
    if not has_run(configuration):
        yield from (f"NOTE: {one}" for one in hints.declared(configuration, None))
        return
    try:
        with opened_catalog(configuration) as catalog:
            added = catalog.stores().services.keys()
            notes = [
                *hints.declared(configuration, catalog),
                *hints.volumes(configuration, catalog),
            ]
            for binding, whole in BindingEditor(configuration, catalog).all():
                # A zone's are read by everybody: that is what a zone is for, and there are many.
                notes += [] if whole else told(configuration.plugins.modes, binding)
    except (CatalogError, Unavailable) as error:
        yield f"WARNING: what was added to the catalog is not known: {error}"
        return
    yield from (f"NOTE: {one}" for one in notes)
    yield from (f"NOTE: {hidden(sid)}" for sid in configuration.services if sid in added)


def _connected(configuration: Configuration) -> int:
    """Try what is behind the services, added ones too; 1 when something cannot be read."""
    services, left_out = with_added(configuration)
    code = 1 if left_out else 0
    show(f"ERROR: not tried: {one}" for one in left_out)
    for tried in connectivity.connect(services):
        show(connectivity.lines(tried))
        code = code or (0 if tried.error == "" else 1)
    return code


COMMAND = Command(
    name="check",
    text="read the configuration and report every problem",
    arguments=_arguments,
    run=_run,
)
