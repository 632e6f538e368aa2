"""The command `gateway`: reads what a person typed, calls the command, and gives an exit code.

0: fine; 1: the configuration or the environment is wrong, said in one message
on stderr; 2: wrong usage. Specification: configuration.

Only the file of the command that was typed is imported: what all of them stand on takes longer
than most of them do. So what is imported here, each of them waits for.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gateway.commands.columns import plain, say
from gateway.commands.command import Command
from gateway.common import actor

if TYPE_CHECKING:
    from gateway.plugins.finding import Plugins

COMMANDS = (
    *("serve", "check", "reload", "services", "volumes", "bindings", "certificates"),
    *("flush", "scrub", "recount", "log", "reports", "rewind", "export", "drivers", "version"),
    *("keys", "kms", "audit", "service"),
)
"""In the order in which `gateway --help` shows them; the file of each is called like it."""


def expected() -> tuple[type[Exception], ...]:
    """What a person can do something about: a message, no traceback."""
    from gateway.catalog import CatalogError
    from gateway.config import ConfigurationError
    from gateway.plugins.finding import PluginError
    from gateway.servers import CannotServe
    from gateway.services.chain import ChainError
    from gateway.storage import StorageError

    return CannotServe, CatalogError, ChainError, ConfigurationError, PluginError, StorageError


def main(arguments: Sequence[str] | None = None, *, plugins: Plugins | None = None) -> int:
    """Returns the exit code; wrong usage and `--help` raise `SystemExit`, as argparse does."""
    words = sys.argv[1:] if arguments is None else arguments
    typed = parser_for(words).parse_args(words)
    typed.plugins = plugins
    code: int
    nobody = actor.current.set(actor.command_line())
    try:
        code = typed.run(typed)
        sys.stdout.flush()
    except BrokenPipeError:  # what is printed went to `head`, which has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what still waits
        return 1
    except Exception as error:
        if not isinstance(error, expected()):
            raise
        say(f"gateway: {error}", sys.stderr)
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


def parser_for(words: Sequence[str]) -> argparse.ArgumentParser:
    """Of the command that was typed."""
    first = words[0] if words else ""
    return parser(first if first in COMMANDS else "")


@cache
def parser(name: str) -> argparse.ArgumentParser:
    """That of the command of that name; "": of all, for help and for what is none. Made once: for
    a process that gives many commands that is most of what a short one costs."""
    made = _Parser(prog="gateway", description="A self-hosted storage gateway.")
    _add(made, [command(one) for one in ([name] if name else COMMANDS)], required=True)
    return made


def command(name: str) -> Command:
    found: Command = import_module(f"gateway.commands.{name}").COMMAND
    return found


def _add(parser: argparse.ArgumentParser, commands: Sequence[Command], *, required: bool) -> None:
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=required)
    for one in commands:
        inner = below.add_parser(one.name, help=one.text, description=one.text)
        one.arguments(inner)
        if one.run is not None:
            inner.set_defaults(run=one.run)
        if one.commands:
            _add(inner, one.commands, required=one.run is None)
