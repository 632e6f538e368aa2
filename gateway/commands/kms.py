"""`gateway kms`: the named keys that objects may be encrypted under (SSE-KMS).

A gateway that runs follows at once. What is kept of a key is sealed, and is never printed; and
there is no command that removes one: what was encrypted under it would be lost.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from gateway.catalog import EncryptionKeyInfo
from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, opened_catalog
from gateway.config import EncryptionKeyName


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=_checked)
    add_place(parser)


def _checked(text: str) -> str:
    try:
        return EncryptionKeyName.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _to_add(parser: argparse.ArgumentParser) -> None:
    text = "use it where none is named"
    parser.add_argument("--default", action="store_true", help=text)
    _name(parser)


def _lines(found: Sequence[EncryptionKeyInfo]) -> Iterator[str]:
    rows = [("KEY", "VERSIONS", "MADE", "ROTATED", "STATE")]
    for one in found:
        rotated = _day(one.rotated) if one.versions > 1 else ""
        state = ", ".join(
            ["enabled" if one.active else "disabled", *(["default"] if one.default else [])]
        )
        rows.append((one.name, str(one.versions), _day(one.created), rotated, state))
    yield from table(rows)


def _day(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}"


def _list(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        show(_lines(catalog.encryption_keys()))
    return 0


def _add(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed), make=True) as catalog:
        catalog.add_encryption_key(typed.name)
        if typed.default:
            catalog.set_default_encryption_key(typed.name)
    say(f"The key {typed.name} is added.")
    return 0


def _rotate(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        version = catalog.rotate_encryption_key(typed.name)
    say(
        f"The key {typed.name} has version {version} now, for what is written from now on;"
        " what was written before stays readable."
    )
    return 0


def _enable(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        catalog.set_encryption_key_active(typed.name, True)
    say(f"The key {typed.name} is enabled.")
    return 0


def _disable(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        catalog.set_encryption_key_active(typed.name, False)
    say(f"The key {typed.name} is disabled: nothing is written or read under it.")
    return 0


def _default(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        catalog.set_default_encryption_key(typed.name)
    say(f"The key {typed.name} is used where none is named.")
    return 0


COMMAND = Command(
    name="kms",
    text="named keys that objects are encrypted under, also while serving",
    commands=(
        Command(name="list", text="all of them, and their state", arguments=add_place, run=_list),
        Command(name="add", text="make a key", arguments=_to_add, run=_add),
        Command(
            name="rotate",
            text="a new version, for what is written from now on",
            arguments=_name,
            run=_rotate,
        ),
        Command(
            name="disable",
            text="let nobody write or read under it, until it is enabled",
            arguments=_name,
            run=_disable,
        ),
        Command(name="enable", text="one that is disabled", arguments=_name, run=_enable),
        Command(name="default", text="use it where none is named", arguments=_name, run=_default),
    ),
)
