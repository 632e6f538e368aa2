"""`gateway services add`, `set`, `remove`, `show`: services of the catalog, for any driver.

A gateway that runs follows within a second. What is typed as an option is decoded as in a
file; a secret is best given as `…_env` or `…_file`, which are read here, for a command
line can be seen by others.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gateway.access.identity import ROOT_ACCOUNT
from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.place import add_place_below, configured, opened_catalog
from gateway.config import ConfigurationError, Declared, given
from gateway.config import typed as as_typed
from gateway.config.paths import here
from gateway.config.problems import ConfigProblem, Problems, join, names
from gateway.config.services import EVENTS
from gateway.modes.operating import Given
from gateway.plugins.finding import Plugins
from gateway.plugins.options import Option
from gateway.services.service_editor import ServiceEditor
from gateway.services.stored import decoded

Pair = tuple[str, str]
_NAMES = {EVENTS: "events →"}
"""What some options are called where they are listed."""


def _sid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sid", metavar="SID")
    add_place_below(parser)


def _to_add(parser: argparse.ArgumentParser) -> None:
    _sid(parser)
    parser.add_argument("--driver", required=True, help="see `gateway drivers`")
    parser.add_argument("--account", default=ROOT_ACCOUNT, help="who owns it")
    _options_of(parser)


def _to_set(parser: argparse.ArgumentParser) -> None:
    _sid(parser)
    text = "have its default again"
    parser.add_argument("--unset", metavar="NAME", action="append", default=[], help=text)
    _options_of(parser)


def _options_of(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="for people")
    for name, text in (
        ("option", "one of its driver's; also NAME_env=VARIABLE and NAME_file=FILE for a secret"),
        ("link", "a service that it stands in front of, as source=SID"),
    ):
        parser.add_argument(
            f"--{name}", metavar="NAME=VALUE", type=pair, action="append", default=[], help=text
        )


def pair(text: str) -> Pair:
    """A type of arguments."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f'"{text}" is not NAME=VALUE')
    return name, value


@contextmanager
def _editing(typed: argparse.Namespace, *, make: bool = False) -> Iterator[ServiceEditor]:
    configuration = configured(typed)
    with opened_catalog(configuration, make=make) as catalog:
        yield ServiceEditor(configuration, catalog, folder=here(), environ=os.environ)


def _add(typed: argparse.Namespace) -> int:
    with _editing(typed, make=True) as editor:
        options = _options(editor.configuration.plugins, typed.driver, typed)
        name, account = typed.name or "", typed.account
        before = editor.add(typed.sid, typed.driver, options, name=name, account=account)
    print(f"The service {typed.sid} is added.")
    if before:
        say(
            f"WARNING: a service of that id was {before}'s, and was removed: what it stored is"
            f" {account}'s now, where it is there still.",
            sys.stderr,
        )
    return 0


def _set(typed: argparse.Namespace) -> int:
    with _editing(typed) as editor:
        row, _ = editor.find(typed.sid)
        assert row.store is not None
        options = _options(editor.configuration.plugins, row.store.driver, typed)
        editor.change(typed.sid, options, unset=typed.unset, name=typed.name)
    print(f"The service {typed.sid} is changed.")
    return 0


def _remove(typed: argparse.Namespace) -> int:
    with _editing(typed) as editor:
        editor.remove(typed.sid)
    print(f"The service {typed.sid} is removed.")
    return 0


def _show(typed: argparse.Namespace) -> int:
    with _editing(typed) as editor:
        show(_shown(editor, typed.sid))
    return 0


def _options(plugins: Plugins, driver: str, typed: argparse.Namespace) -> dict[str, Any]:
    """What was typed, as a file would have it. Raises `ConfigurationError`."""
    known = plugins.drivers.get(driver)
    options: Mapping[str, Option] = {} if known is None else known.options
    for name, _ in typed.link:
        if known is not None and name not in known.links:
            text = f'the driver "{driver}" has no such link. Known here: {names(known.links)}.'
            raise ConfigurationError([ConfigProblem(_place(typed.sid, name), text)])
    return {**as_typed.table(typed.option, options), **dict(typed.link)}


def _place(sid: str, name: str) -> str:
    return join(join("services", sid), name)


def _shown(editor: ServiceEditor, sid: str) -> Iterator[str]:
    declared = editor.configuration.services.get(sid)
    if declared is not None:
        file = editor.configuration.origin.path or "the configuration"
        yield f"{sid} is declared in {file} ({declared.place})"
        yield from _lines(declared)
        return
    row, options = editor.find(sid)
    problems = Problems()
    found = decoded(editor.configuration, editor.catalog, row, problems)
    whole = "" if row.store is None else row.store.part_of
    how = f"with the {whole}, of which it is part" if whole else "by `gateway services set`"
    yield f"{sid} was added, and is changed {how}"
    if found is not None:
        yield from _lines(found, options)
    yield from (f"ERROR: {problem}" for problem in problems)


def _lines(declared: Declared, written: Mapping[str, Any] | None = None) -> Iterator[str]:
    """Options as they were written, where that is known; never a secret."""
    rows = [("driver", declared.driver.driver), ("account", declared.account)]
    rows += [("name", declared.name)] if declared.name else []
    rows += [(f"{name} →", sid) for name, sid in declared.links.items()]
    for one in given.of_service(declared, written):
        rows.append((_NAMES.get(one.name, one.name), _text(one)))
    yield from (f"  {line}" for line in table(rows))


def _text(one: Given) -> str:
    return "(secret)" if one.secret else one.text


COMMANDS = (
    Command(
        name="add",
        text="a service of any driver, while the gateway runs",
        arguments=_to_add,
        run=_add,
    ),
    Command(
        name="set",
        text="change options of a service that was added",
        arguments=_to_set,
        run=_set,
    ),
    Command(
        name="remove",
        text="what it stores stays; what it has of others goes",
        arguments=_sid,
        run=_remove,
    ),
    Command(name="show", text="its options, without secrets", arguments=_sid, run=_show),
)
