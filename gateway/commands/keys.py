"""`gateway keys`: what becomes of keys, also beside a running gateway."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import cast

from gateway.access.identity import LEVELS, ROOT_ACCOUNT, SERVICE_LEVELS, KeyAccess, managing
from gateway.catalog import KeyInfo
from gateway.commands import hints
from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, opened_catalog
from gateway.config import ID, ID_RULE, SID, SID_RULE
from gateway.storage import Secret


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
        help=f"{' | '.join(LEVELS)}, or SID={'|'.join(SERVICE_LEVELS)},… (own, unless given)",
    )
    parser.add_argument(
        "--management",
        action="store_true",
        help="it manages what its account has; root's everything, and has the access admin",
    )
    parser.add_argument("--description", default="", help="for whom, what for")
    add_place(parser)


def _named(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID")
    add_place(parser)


def _access_text(access: KeyAccess) -> str:
    if isinstance(access, str):
        return access
    return ",".join(f"{sid}={level}" for sid, level in access.items()) or "none"


def _lines(found: Sequence[KeyInfo]) -> Iterator[str]:
    rows = [("ID", "NUMBER", "ACCOUNT", "ACCESS", "MANAGES", "STATE", "DESCRIPTION")]
    for key in found:
        rows.append(
            (
                key.id,
                str(key.number or "-"),
                key.account,
                _access_text(key.access),
                _manages(key),
                f"declared ({key.declared})" if key.declared else _state(key),
                key.description,
            )
        )
    yield from table(rows)


def _manages(key: KeyInfo) -> str:
    if key.access == "admin":
        return "everything"
    return "its account" if key.manages else "-"


def _state(key: KeyInfo) -> str:
    if not key.active:
        return "revoked" if key.revoked else "off"
    return "set aside" if key.set_aside else "active"


def _list(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        show(_lines(catalog.all_keys()))
    return 0


def _add(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    access = typed.access or (managing(typed.account) if typed.management else "own")
    with opened_catalog(configuration, make=True) as catalog:
        known, is_bucket = hints.services(configuration, catalog)
        made = catalog.add_key(
            id=typed.id or "",
            account=typed.account,
            access=access,
            manages=typed.management,
            description=typed.description,
        )
        notes = [*hints.unknown_services(made.id, access, known, is_bucket)]
    _show_once(made.id, made.secret)
    for note in notes:
        say(f"NOTE: {note}", sys.stderr)
    return 0


def _show_once(id: str, secret: Secret) -> None:
    print(f"access key  {id}\nsecret key  {secret.reveal()}")
    print("The secret is not shown again.", file=sys.stderr)


def _deactivate(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        catalog.change_credential(catalog.number_of(typed.id), active=False)
    print(f"The key {typed.id} is off, until it is activated.")
    return 0


def _activate(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        catalog.change_credential(catalog.number_of(typed.id), active=True)
    print(f"The key {typed.id} is active.")
    return 0


def _rotate(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        info, secret = catalog.rotate_credential(catalog.number_of(typed.id))
    _show_once(info.id, secret)
    return 0


def _revoke(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        catalog.revoke_key(typed.id)
    print(f"The key {typed.id} is revoked.")
    return 0


COMMAND = Command(
    name="keys",
    text="list, add, switch off, rotate and revoke keys, also while serving",
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
            name="deactivate",
            text="refuse a key, until it is activated; its sessions end",
            arguments=_named,
            run=_deactivate,
        ),
        Command(name="activate", text="one that is off", arguments=_named, run=_activate),
        Command(
            name="rotate",
            text="give a key another secret, which is printed once; its sessions end",
            arguments=_named,
            run=_rotate,
        ),
        Command(
            name="revoke",
            text="refuse a key from its next request on, for good",
            arguments=_named,
            run=_revoke,
        ),
    ),
)
