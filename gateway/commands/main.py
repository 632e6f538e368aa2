"""The command `gateway`: reads what a person typed, calls the command, and gives an exit code.

0: fine; 1: the configuration or the environment is wrong, said in one message
on stderr; 2: wrong usage. Specification: configuration.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from gateway.catalog import CatalogError
from gateway.commands import (
    audit,
    bindings,
    certificates,
    check,
    drivers,
    export,
    flush,
    keys,
    kms,
    log,
    recount,
    reload,
    rewind,
    scrub,
    serve,
    services,
    version,
    volumes,
)
from gateway.commands.columns import plain, say
from gateway.commands.command import Command
from gateway.common import actor
from gateway.config import ConfigurationError
from gateway.plugins.finding import PluginError, Plugins
from gateway.servers import CannotServe
from gateway.services.chain import ChainError
from gateway.storage import StorageError

COMMANDS: tuple[Command, ...] = (
    serve.COMMAND,
    check.COMMAND,
    reload.COMMAND,
    services.COMMAND,
    volumes.COMMAND,
    bindings.COMMAND,
    certificates.COMMAND,
    flush.COMMAND,
    scrub.COMMAND,
    recount.COMMAND,
    log.COMMAND,
    rewind.COMMAND,
    export.COMMAND,
    drivers.COMMAND,
    version.COMMAND,
    keys.COMMAND,
    kms.COMMAND,
    audit.COMMAND,
)
"""In the order in which `gateway --help` shows them."""

EXPECTED = (CannotServe, CatalogError, ChainError, ConfigurationError, PluginError, StorageError)
"""What a person can do something about: a message, no traceback."""


def main(arguments: Sequence[str] | None = None, *, plugins: Plugins | None = None) -> int:
    """Returns the exit code; wrong usage and `--help` raise `SystemExit`, as argparse does."""
    typed = _parser().parse_args(arguments)
    typed.plugins = plugins
    code: int
    nobody = actor.current.set(actor.command_line())
    try:
        code = typed.run(typed)
        sys.stdout.flush()
    except EXPECTED as error:
        say(f"gateway: {error}", sys.stderr)
        return 1
    except BrokenPipeError:  # what is printed went to `head`, which has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what still waits
        return 1
    finally:
        actor.current.reset(nobody)
    return code


class _Parser(argparse.ArgumentParser):
    """Options are not abbreviated: what is typed means the same when there are more of them.
    What is unknown is said beside the options of its command, not those of all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(plain(message), file)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        typed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return typed, unknown


@cache
def _parser() -> argparse.ArgumentParser:
    """Made once: for a process that gives many commands that is most of what a short one costs."""
    parser = _Parser(prog="gateway", description="A self-hosted storage gateway.")
    _add(parser, COMMANDS, required=True)
    return parser


def _add(parser: argparse.ArgumentParser, commands: Sequence[Command], *, required: bool) -> None:
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=required)
    for one in commands:
        inner = below.add_parser(one.name, help=one.text, description=one.text)
        one.arguments(inner)
        if one.run is not None:
            inner.set_defaults(run=one.run)
        if one.commands:
            _add(inner, one.commands, required=one.run is None)
