"""`gateway certificates`: those of the catalog are listed, shown, added and removed.

A gateway that runs follows within a second: it shows each for the names that stand in it. What
is kept of a key is sealed, and is never printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.catalog import CertificateRow
from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.place import add_place, add_place_below, configured, opened_catalog
from gateway.common import x509
from gateway.common.moments import utc
from gateway.common.x509 import SOON
from gateway.config import ConfigProblem, Configuration, ConfigurationError
from gateway.config.paths import here
from gateway.services.certificate_editor import CertificateEditor
from gateway.services.unsafe import declared_certificates


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    add_place_below(parser)


def _to_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="else all are listed")
    add_place_below(parser)


def _to_add(parser: argparse.ArgumentParser) -> None:
    text = "PEM: the certificate, and behind it those that lead to a known one"
    parser.add_argument("--cert", metavar="FILE", required=True, help=text)
    parser.add_argument("--key", metavar="FILE", required=True, help="PEM, without a password")
    _name(parser)


def _list(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration) as catalog:
        added = CertificateEditor(catalog).all()
    rows = [("CERTIFICATE", "NAMES", "UNTIL", "STATE")]
    for path, said in declared_certificates(configuration).items():
        what = (", ".join(said.names), _until(said.expires)) if said else ("cannot be read", "")
        rows.append((str(path), *what, "declared"))
    rows += [(one.name, ", ".join(one.hosts), _until(utc(one.expires)), "added") for one in added]
    show(table(rows))
    return 0


def _add(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    chain, key = _content("--cert", typed.cert), _content("--key", typed.key)
    with opened_catalog(configuration, make=True) as catalog:
        replaced, said, doubts = CertificateEditor(catalog).set(typed.name, chain, key)
    done, until = "replaced" if replaced else "added", f"{said.expires:%Y-%m-%d}"
    say(f"The certificate {typed.name} is {done}: for {', '.join(said.hosts)}, until {until}.")
    show(f"WARNING: clients may refuse it: {one}." for one in doubts)
    show(_notes(configuration, said.hosts))
    return 0


def _notes(configuration: Configuration, hosts: tuple[str, ...]) -> Iterator[str]:
    """Why it may not be shown."""
    declared = declared_certificates(configuration)
    if not declared:
        yield (
            "NOTE: no listener of this configuration speaks TLS. Those do that have a certificate"
            " in it, which is shown for all names that no other is for."
        )
    for path, said in declared.items():
        if said and (both := ", ".join(one for one in hosts if one in said.hosts)):
            yield f"NOTE: for {both} the one of the configuration counts ({path})."


def _remove(typed: argparse.Namespace) -> int:
    with opened_catalog(configured(typed)) as catalog:
        CertificateEditor(catalog).remove(typed.name)
    say(f"The certificate {typed.name} is removed.")
    return 0


def _show(typed: argparse.Namespace) -> int:
    if typed.name is None:
        return _list(typed)
    with opened_catalog(configured(typed)) as catalog:
        row = CertificateEditor(catalog).find(typed.name)
    show(_lines(row))
    return 0


def _lines(row: CertificateRow) -> Iterator[str]:
    said = x509.described(row.chain.encode())
    yield f"{row.name} was added, and is replaced by `gateway certificates add`"
    rows = [("name", one) for one in said.names]
    rows += [
        ("from", f"{said.begins:%Y-%m-%d %H:%M} UTC"),
        ("until", f"{said.expires:%Y-%m-%d %H:%M} UTC{_over(said.expires)}"),
        ("issuer", said.issuer),
        ("SHA-256", said.fingerprint),
        ("chain", str(row.chain.count("BEGIN CERTIFICATE"))),
        ("added", f"{utc(row.created):%Y-%m-%d %H:%M} UTC"),
        ("changed", f"{utc(row.changed):%Y-%m-%d %H:%M} UTC"),
    ]
    yield from (f"  {line}" for line in table(rows))


def _content(option: str, name: str) -> bytes:
    path = here() / Path(name)
    try:
        return path.read_bytes()
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror}."
        raise ConfigurationError([ConfigProblem(option, text)]) from error


def _until(expires: datetime) -> str:
    return f"{expires:%Y-%m-%d}{_over(expires)}"


def _over(expires: datetime) -> str:
    left = expires - datetime.now(UTC)
    return " (over)" if left.total_seconds() <= 0 else " (soon)" if left <= SOON else ""


COMMAND = Command(
    name="certificates",
    text="list certificates; or add, show and remove one, also while serving",
    arguments=add_place,
    run=_list,
    commands=(
        Command(
            name="add",
            text="for the names that stand in it, or in place of the one of that name",
            arguments=_to_add,
            run=_add,
        ),
        Command(name="show", text="what it says, never its key", arguments=_to_show, run=_show),
        Command(name="remove", text="one that was added", arguments=_name, run=_remove),
    ),
)
