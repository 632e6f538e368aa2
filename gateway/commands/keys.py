"""`gateway keys`: list, add and revoke keys, also beside a running gateway."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import cast

from gateway.access.identity import LEVELS, ROOT_ACCOUNT, SERVICE_LEVELS, KeyAccess
from gateway.catalog import KeyInfo
from gateway.commands import hints
from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, opened_catalog
from gateway.config import ID, ID_RULE, SID, SID_RULE


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f'"{text}": {ID_RULE}')
    return text


def _access(text: str) -> KeyAccess:
    if text in LEVELS:
        return text
    levels = dict(one.partition("=")[::2] for one in text.split(","))
    for sid, level in levels.items():
        if level not in SERVICE_LEVELS:
            raise argparse.ArgumentTypeError(
                f'"{text}" is neither {", ".join(LEVELS)} nor a list such as'
                f" archive=read,thumbs=write (levels: {', '.join(SERVICE_LEVELS)})"
            )
        if not SID.fullmatch(sid):
            raise argparse.ArgumentTypeError(f'"{sid}": {SID_RULE}')
    return cast(KeyAccess, levels)


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


def _access_text(access: KeyAccess) -> str:
    if isinstance(access, str):
        return access
    return ",".join(f"{sid}={level}" for sid, level in access.items()) or "none"


def _lines(found: Sequence[KeyInfo]) -> Iterator[str]:
    rows = [("ID", "ACCOUNT", "ACCESS", "STATE", "DESCRIPTION")]
    for key in found:
        state = f"declared ({key.declared})" if key.declared else _state(key)
        rows.append((key.id, key.account, _access_text(key.access), state, key.description))
    yield from table(rows)


def _state(key: KeyInfo) -> str:
    if not key.active:
        return "revoked"
    return "set aside" if key.set_aside else "active"


def _list(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        show(_lines(catalog.all_keys()))
    return 0


def _add(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration, make=True) as catalog:
        known, is_bucket = hints.services(configuration, catalog)
        made = catalog.add_key(
            id=typed.id or "",
            account=typed.account,
            access=typed.access,
            description=typed.description,
        )
        notes = [*hints.unknown_services(made.id, typed.access, known, is_bucket)]
    print(f"access key  {made.id}\nsecret key  {made.secret.reveal()}")
    print("The secret is not shown again.", file=sys.stderr)
    for note in notes:
        say(f"NOTE: {note}", sys.stderr)
    return 0


def _revoke(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
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
