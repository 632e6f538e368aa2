"""The catalog's certificates that accounts have brought: each is one of the certificates, with a
number and an account besides, and comes and goes with these in one commit.

Who shows certificates by name knows nothing of that. One that is removed by its name is gone here,
too: of what is left of it nobody is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, select, update

from gateway.catalog.audit import Note
from gateway.catalog.certificates import CertificateTable
from gateway.catalog.rows import UploadedRow
from gateway.catalog.schema import (
    BINDINGS,
    CERTIFICATES,
    SERVICES,
    UPLOADED_CERTIFICATES,
    is_text,
)
from gateway.storage import NotFound, Secret

UPLOADED = "uploaded/"
"""How their names begin: an operator gives none that has a slash."""

_OWN = UPLOADED_CERTIFICATES


class NewCertificate(NamedTuple):
    hosts: Sequence[str]
    chain: str
    key: Secret
    expires: int
    fingerprint: str


class Claim(NamedTuple):
    """`account` and `fingerprint`: None where no account has brought it."""

    name: str
    hosts: Sequence[str]
    account: str | None
    fingerprint: str | None


class UploadedCertificateTable(CertificateTable):
    def uploaded_certificates(self, account: str | None = None) -> list[UploadedRow]:
        """By number; those of that account, if one is given."""
        query = _SELECT.order_by(_OWN.c.number)
        if account is not None:
            query = query.where(is_text(_OWN.c.account, account))
        with self._database.reading() as connection:
            return [_row(row) for row in connection.execute(query)]

    def uploaded_certificate(self, number: int) -> UploadedRow | None:
        with self._database.reading() as connection:
            row = connection.execute(_SELECT.where(_OWN.c.number == number)).first()
        return None if row is None else _row(row)

    def foreign_hosts(self) -> dict[str, frozenset[str]]:
        """Of those that have names which bindings lead to services of other accounts: these, by
        the certificate's name. Whose the name is decides who may answer for it."""
        bound = select(BINDINGS.c.host, SERVICES.c.owner).join(
            SERVICES, SERVICES.c.sid == BINDINGS.c.service
        )
        with self._database.reading() as connection:
            rows = connection.execute(_SELECT).all()
            owners = {row.host: row.owner for row in connection.execute(bound)} if rows else {}
        found = dict[str, frozenset[str]]()
        for row in rows:
            others = {host for host in row.hosts if owners.get(host, row.account) != row.account}
            if others:
                found[row.name] = frozenset(others)
        return found

    def certificate_claims(self) -> tuple[int, list[Claim]]:
        """Who has a certificate for what, as it was at that number of changes at the earliest."""
        query = select(CERTIFICATES.c.name, CERTIFICATES.c.hosts, _OWN.c.account).join_from(
            CERTIFICATES, _OWN, CERTIFICATES.c.name == _OWN.c.name, isouter=True
        )
        query = query.add_columns(_OWN.c.fingerprint)
        with self._database.reading() as connection:
            number = self._number(connection)  # first: what follows may be newer, never older
            rows = connection.execute(query).all()
        return number, [Claim(row.name, row.hosts, row.account, row.fingerprint) for row in rows]

    def add_uploaded_certificate(self, account: str, new: NewCertificate, *, since: int) -> int:
        """Its number. Raises `Conflict` when any certificate has changed since that number of
        changes: what was checked then may not be so any more."""
        with self._database.writing() as connection:
            self._refuse_since(connection, since)
            row = {"name": "", "account": account, "fingerprint": new.fingerprint}
            made = connection.execute(insert(_OWN).values(row))
            assert made.inserted_primary_key is not None
            number = int(made.inserted_primary_key[0])
            name = f"{UPLOADED}{number}"
            connection.execute(update(_OWN).where(_OWN.c.number == number).values(name=name))
            self._set(connection, name, new.hosts, new.chain, new.key, expires=new.expires)
            return number

    def remove_uploaded_certificate(self, number: int) -> None:
        """Raises `NotFound`."""

        def remove(connection: Connection, note: Note) -> None:
            name = connection.scalar(select(_OWN.c.name).where(_OWN.c.number == number))
            if name is None or not self._take_away(connection, name, note):
                raise NotFound(f"There is no certificate {number}.")
            connection.execute(delete(_OWN).where(_OWN.c.number == number))

        self._removing(remove)


_SELECT = select(_OWN, CERTIFICATES.c.hosts, CERTIFICATES.c.expires).join(
    CERTIFICATES, CERTIFICATES.c.name == _OWN.c.name
)


def _row(row: Row[Any]) -> UploadedRow:
    return UploadedRow(
        row.number, row.name, row.account, row.fingerprint, tuple(row.hosts), row.expires
    )
