"""`gateway certificates`: those of the catalog are listed, shown, added and removed, and ordered
of an authority.

A gateway that runs follows within a second: it shows each for the names that stand in it. What
is kept of a key is sealed, and is never printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gateway.catalog import CertificateRow
from gateway.catalog.rows import ORDERED
from gateway.commands.columns import say, show, table
from gateway.commands.command import Command
from gateway.commands.place import add_place, add_place_below, configured, opened_catalog
from gateway.common import x509
from gateway.common.moments import utc
from gateway.common.x509 import SOON
from gateway.config import ConfigProblem, Configuration, ConfigurationError
from gateway.config.paths import here
from gateway.modes.certifying import CertificateState
from gateway.services.certificate_editor import CertificateEditor
from gateway.services.issuing.ordering import OrderedCertificates
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


def _names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+", help="a host name, as cdn.example.com")
    add_place_below(parser)


def _some_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="a host name; else all")
    add_place_below(parser)


def _list(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration) as catalog:
        added = CertificateEditor(catalog).all()
    rows = [("CERTIFICATE", "NAMES", "UNTIL", "STATE")]
    for path, said in declared_certificates(configuration).items():
        what = (", ".join(said.names), _until(said.expires)) if said else ("cannot be read", "")
        rows.append((str(path), *what, "declared"))
    rows += [
        (one.name, ", ".join(one.hosts), _until(utc(one.expires)), _how(one.name)) for one in added
    ]
    show(table(rows))
    return 0


def _how(name: str) -> str:
    return "ordered" if name.startswith(ORDERED) else "added"


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
    if row.name.startswith(ORDERED):
        yield f"{row.name} was ordered, and is renewed: see `gateway certificates status`"
    else:
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


def _order(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration, make=True) as catalog:
        states = OrderedCertificates(catalog, configuration.acme).order(typed.names, again=True)
    show(_states(states))
    if any(one.state == "waiting" or one.next for one in states if one.state != "issued"):
        say("A gateway that runs orders them: see `gateway certificates status`.")
    return 0


def _release(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration) as catalog:
        certificates = OrderedCertificates(catalog, configuration.acme)
        certificates.release(typed.names)
        states = certificates.states(typed.names)
    show(_states(states))
    return 0


def _status(typed: argparse.Namespace) -> int:
    configuration = configured(typed)
    with opened_catalog(configuration) as catalog:
        states = OrderedCertificates(catalog, configuration.acme).states(typed.names or None)
    show(_states(states))
    missing = {one.lower() for one in typed.names} - {one.name for one in states}
    show(f"{one} was never ordered" for one in sorted(missing))
    return int(bool(missing) or any(one.state == "failed" for one in states))


def _states(states: Sequence[CertificateState]) -> Iterator[str]:
    rows = [("NAME", "STATE", "UNTIL", "NEXT", "PROBLEM")]
    for one in states:
        until = "" if one.expires is None else _until(utc(one.expires))
        if one.next is None:
            then = "released"
        else:
            then = f"{utc(one.next):%Y-%m-%d %H:%M} UTC" if one.next else "now"
        rows.append((one.name, one.state, until, then, _problem(one)))
    yield from table(rows)


def _problem(one: CertificateState) -> str:
    return f"{one.code}: {one.problem}" if one.code else one.problem


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
    text="list certificates; or add, show, remove and order some, also while serving",
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
        Command(name="remove", text="one that is not declared", arguments=_name, run=_remove),
        Command(
            name="order",
            text="for each of these names, of the authority that [acme] names, and renew it",
            arguments=_names,
            run=_order,
        ),
        Command(
            name="status",
            text="what came of orders, in the authority's words (1: one has failed)",
            arguments=_some_names,
            run=_status,
        ),
        Command(name="release", text="renew these no more", arguments=_names, run=_release),
    ),
)
