"""`gateway keys`: list, add and revoke keys, also beside a running gateway."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from gateway.access.identity import LEVELS, ROOT_ACCOUNT, SERVICE_LEVELS, KeyAccess
from gateway.catalog import Catalog, CatalogError, open_catalog
from gateway.commands import inventory
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, has_run, not_run
from gateway.config import ID, ID_RULE, SID, SID_RULE, Configuration


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f'"{text}": {ID_RULE}')
    return text


def _access(text: str) -> KeyAccess:
    if text in LEVELS:
        return text
    table = dict(one.partition("=")[::2] for one in text.split(","))
    for sid, level in table.items():
        if level not in SERVICE_LEVELS:
            raise argparse.ArgumentTypeError(
                f'"{text}" is neither {", ".join(LEVELS)} nor a list such as'
                f" archive=read,thumbs=write (levels: {', '.join(SERVICE_LEVELS)})"
            )
        if not SID.fullmatch(sid):
            raise argparse.ArgumentTypeError(f'"{sid}": {SID_RULE}')
    return cast(KeyAccess, table)


def _to_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--id", type=_id, help="made up when not given")
    parser.add_argument("--account", type=_id, default=ROOT_ACCOUNT, help="made when not there")
    parser.add_argument(
        "--access",
        type=_access,
        default="own",
        help=f"{' | '.join(LEVELS)}, or SID={'|'.join(SERVICE_LEVELS)},…",
    )
    parser.add_argument("--description", default="", help="for whom, what for")
    add_place(parser)


def _to_revoke(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID")
    add_place(parser)


@contextmanager
def _opened(configuration: Configuration, *, make: bool = False) -> Iterator[Catalog]:
    """The catalog of a gateway that has run; or one to begin with, which is said."""
    if configuration.data is None:
        raise CatalogError("Nothing is kept with [server] memory = true: there are no keys here.")
    new = not has_run(configuration)
    if new and not make:
        raise CatalogError(not_run(configuration))
    catalog = open_catalog(configuration)
    if new:
        print(
            f"The data folder {configuration.data} was made now: start the gateway with the same"
            " --data or --config.",
            file=sys.stderr,
        )
    try:
        yield catalog
    finally:
        catalog.close()


def _list(typed: argparse.Namespace) -> int:
    with _opened(configured(typed)) as catalog:
        inventory.show(inventory.keys(catalog.all_keys()))
    return 0


def _add(typed: argparse.Namespace) -> int:
    with _opened(configured(typed), make=True) as catalog:
        made = catalog.add_key(
            id=typed.id or "",
            account=typed.account,
            access=typed.access,
            description=typed.description,
        )
    print(f"access key  {made.id}\nsecret key  {made.secret.reveal()}")
    print("The secret is not shown again.", file=sys.stderr)
    return 0


def _revoke(typed: argparse.Namespace) -> int:
    with _opened(configured(typed)) as catalog:
        catalog.revoke_key(typed.id)
    print(f"The key {typed.id} is revoked.")
    return 0


COMMAND = Command(
    name="keys",
    text="list, add and revoke keys, also while serving",
    commands=(
        Command(
            name="list", text="all keys, without their secrets", arguments=add_place, run=_list
        ),
        Command(
            name="add",
            text="make a key; its secret is printed once",
            arguments=_to_add,
            run=_add,
        ),
        Command(
            name="revoke",
            text="refuse a key from its next request on",
            arguments=_to_revoke,
            run=_revoke,
        ),
    ),
)
