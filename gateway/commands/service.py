"""`gateway service`: the gateway as a service of the system, which starts with the machine.

On Windows it does it all. Elsewhere it prints what systemd or launchd wants to have, and leaves it
to their own commands: who runs servers there has them in their fingers.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict

from gateway.commands import service_files
from gateway.commands.columns import say, show
from gateway.commands.command import Command
from gateway.commands.place import add_place, add_place_below, configured
from gateway.servers import CannotServe

NAME = "storage-gateway"
WINDOWS = sys.platform == "win32"


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", text):
        raise argparse.ArgumentTypeError("1 to 80 of the characters A-Z a-z 0-9 . _ -")
    return text


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    _add_name(parser, NAME)


def _add_name(parser: argparse.ArgumentParser, default: str = argparse.SUPPRESS) -> None:
    text = f"of several on one machine; else {NAME}"
    parser.add_argument("--name", metavar="NAME", type=_name, help=text, default=default)


def _for_install(parser: argparse.ArgumentParser) -> None:
    add_place_below(parser)
    _add_name(parser)
    parser.add_argument("--account", metavar="NAME", help="else one of its own, NT SERVICE\\NAME")
    parser.add_argument("--password-file", metavar="FILE", help="that of the account; else asked")


def _for_status(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def _show(typed: argparse.Namespace) -> int:
    if WINDOWS:
        typed.json = False
        return _status(typed)
    configuration = configured(typed, lenient=False)
    print(service_files.written(sys.platform, configuration, typed.name), end="")
    return 0


def _on_windows(name: str) -> Callable[[argparse.Namespace], int]:
    def run(typed: argparse.Namespace) -> int:
        if not WINDOWS:
            raise CannotServe(
                f"`gateway service {name}` is for Windows. `gateway service` prints what"
                f" {service_files.manager(sys.platform)} wants to have, and where it belongs."
            )
        from gateway.commands import windows_services

        getattr(windows_services, name)(typed)
        return 0

    return run


def _status(typed: argparse.Namespace) -> int:
    if not WINDOWS:
        return _on_windows("status")(typed)
    from gateway.commands import windows_services

    state = windows_services.status(typed)
    said = asdict(state)
    if typed.json:
        print(json.dumps(said))
    else:
        show(f"{name:10} {_text(value)}" for name, value in said.items() if value)
    if state.problem:
        say("gateway: it would not start: its configuration is wrong", sys.stderr)
    return state.exit_code


def _text(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


COMMAND = Command(
    name="service",
    text="the gateway as a service of the system",
    arguments=_arguments,
    run=_show,
    commands=(
        Command(
            name="install",
            text="make it, to start with Windows",
            arguments=_for_install,
            run=_on_windows("install"),
        ),
        Command(
            name="start",
            text="start it, and wait until it serves",
            arguments=_add_name,
            run=_on_windows("start"),
        ),
        Command(
            name="stop",
            text="stop it gently, and wait until it has ended",
            arguments=_add_name,
            run=_on_windows("stop"),
        ),
        Command(
            name="remove",
            text="stop and remove it; its data stays",
            arguments=_add_name,
            run=_on_windows("remove"),
        ),
        Command(
            name="status",
            text="whether it runs, since when, where",
            arguments=_for_status,
            run=_status,
        ),
    ),
)
