"""`gateway volumes`: those of the configuration and the catalog, listed, made, changed and removed.

A gateway that runs follows within a second.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from gateway.access.identity import ROOT_ACCOUNT
from gateway.catalog import Catalog
from gateway.catalog.rows import VolumeRow
from gateway.catalog.volumes import VolumeChanges
from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.moments import shown
from gateway.commands.place import add_place, configured, opened_catalog
from gateway.common.nearest_name import nearest
from gateway.common.units import about_size, parse_size
from gateway.config import ConfigProblem, Configuration, ConfigurationError
from gateway.config.problems import names
from gateway.services.chain import Chain, ChainError
from gateway.services.runtime import open_runtime
from gateway.services.volume_editor import VolumeEditor
from gateway.storage import StorageError, VolumeStats

_PAGE = 1000
_NO_QUOTA = "none"


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    add_place(parser)


def _to_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs: an object a line")
    add_place(parser)


def _to_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", default=ROOT_ACCOUNT, help="who owns it")
    text = "bytes that its buckets may have together, such as 10TiB"
    parser.add_argument("--quota", metavar="SIZE", type=_size, help=text)
    _name(parser)


def _to_set(parser: argparse.ArgumentParser) -> None:
    text = "who owns it from now on, and all that is in it"
    parser.add_argument("--account", help=text)
    text = f'bytes that its buckets may have together, or "{_NO_QUOTA}"'
    parser.add_argument("--quota", metavar="SIZE", type=_size_or_none, help=text)
    _name(parser)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _size_or_none(text: str) -> int | str:
    return text if text == _NO_QUOTA else _size(text)


# looking


def _list(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration) as catalog:
        rows = [*_rows(catalog)]
    used = _used(configuration, [row.name for row in rows])
    if typed.json:
        show(json.dumps(_object(row, used.get(row.name))) for row in rows)
        return 0
    head = ("VOLUME", "ACCOUNT", "STATE", "BUCKETS", "USED", "QUOTA")
    show(table([head, *(_line(row, used.get(row.name)) for row in rows)]))
    return 0


def _rows(catalog: Catalog) -> Iterator[VolumeRow]:
    after = ""
    while page := catalog.volumes(after=after, limit=_PAGE):
        yield from page
        after = page[-1].name


def _used(configuration: Configuration, names: Sequence[str]) -> Mapping[str, VolumeStats]:
    """As the gateway that may run says it; nothing where only that knows what is in buckets."""
    if Chain(replace(configuration, services={})).single_process:
        return {}
    try:
        with closing(open_runtime(configuration)) as runtime:
            runtime.added.sync()
            runtime.added.open_all()
            return runtime.volumes.used(names)
    except (ChainError, StorageError) as error:
        say(f"WARNING: how much is used is not known: {error}", sys.stderr)
        return {}


def _line(row: VolumeRow, stats: VolumeStats | None) -> tuple[str, ...]:
    quota = "" if row.quota is None else about_size(row.quota)
    counted = ("", "") if stats is None else (str(stats.buckets), about_size(stats.used))
    return (row.name, row.owner, _state(row), *counted, quota)


def _state(row: VolumeRow) -> str:
    return "declared" if row.declared else "made"


def _object(row: VolumeRow, stats: VolumeStats | None) -> dict[str, object]:
    return {
        "name": row.name,
        "account": row.owner,
        "state": _state(row),
        "buckets": stats and stats.buckets,
        "used": stats and stats.used,
        "quota": row.quota,
        "created": shown(row.created),
    }


# changing


@contextmanager
def _editing(typed: argparse.Namespace, *, make: bool = False) -> Iterator[VolumeEditor]:
    configuration = configured(typed)
    account = getattr(typed, "account", None)
    with opened_catalog(configuration, make=make) as catalog:
        if account is not None:
            _check_account(catalog, account)
        yield VolumeEditor(catalog, Chain(replace(configuration, services={})))


def _check_account(catalog: Catalog, account: str) -> None:
    if catalog.account(account) is None:
        known = [one.id for one in catalog.made_accounts()]
        like = nearest(account, known)
        some = f" Made here: {names(known)}." if known else ""
        some += " gateway keys add --account makes one, with a key."
        text = f'there is no account "{account}".{like}{some}'
        raise ConfigurationError([ConfigProblem("--account", text)])


def _add(typed: argparse.Namespace) -> int:
    with _editing(typed, make=True) as editor:
        editor.make(typed.name, owner=typed.account, quota=typed.quota, created_by="")
    say(f"The volume {typed.name} is made.")
    return 0


def _set(typed: argparse.Namespace) -> int:
    changes = VolumeChanges()
    if typed.account is not None:
        changes["owner"] = typed.account
    if typed.quota is not None:
        changes["quota"] = None if typed.quota == _NO_QUOTA else typed.quota
    if not changes:
        problem = ConfigProblem("gateway volumes set", "give --account or --quota.")
        raise ConfigurationError([problem])
    with _editing(typed) as editor:
        editor.change(typed.name, changes)
    say(f"The volume {typed.name} is changed.")
    return 0


def _remove(typed: argparse.Namespace) -> int:
    with _editing(typed) as editor:
        editor.remove(typed.name)
    say(f"The volume {typed.name} is removed.")
    return 0


COMMAND = Command(
    name="volumes",
    text="list, make, change and remove namespaces of buckets, also while serving",
    commands=(
        Command(
            name="list",
            text="all volumes, with what is used of their quotas",
            arguments=_to_list,
            run=_list,
        ),
        Command(
            name="add",
            text="one, for an account, while the gateway runs",
            arguments=_to_add,
            run=_add,
        ),
        Command(name="set", text="give it another owner, or quota", arguments=_to_set, run=_set),
        Command(name="remove", text="one that has no buckets", arguments=_name, run=_remove),
    ),
)
