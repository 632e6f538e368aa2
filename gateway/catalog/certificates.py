"""The catalog's certificates: each has a name, and is replaced, or removed, by that.

They have one number in common, which grows with each change of any: by it a process finds out
with one small query that nothing changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from gateway.catalog.audit import AuditTable, Note
from gateway.catalog.rows import CertificateRow, certificate_row
from gateway.catalog.schema import CERTIFICATES, get_meta, set_meta
from gateway.catalog.secrets import Keyring
from gateway.storage import Conflict, NotFound, Secret

_NUMBER = "changes of certificates"
"""In `meta`."""


class CertificateTable(AuditTable):
    keyring: Keyring

    def certificates_number(self) -> int:
        """Grows when any of them changed."""
        with self._database.reading() as connection:
            return _number(connection)

    def certificates(self) -> tuple[int, list[CertificateRow]]:
        """All of them by name, as they were at that number at the earliest."""
        with self._database.reading() as connection:
            number = _number(connection)  # first: what follows may be newer, never older
            rows = connection.execute(select(CERTIFICATES).order_by(CERTIFICATES.c.name))
            return number, [certificate_row(row) for row in rows]

    def set_certificate(
        self, name: str, hosts: Sequence[str], chain: str, key: Secret, *, expires: int
    ) -> bool:
        """Whether there was one of that name, whose place it takes."""
        with self._database.writing() as connection:
            return self._set(connection, name, hosts, chain, key, expires=expires)

    def _set(
        self,
        connection: Connection,
        name: str,
        hosts: Sequence[str],
        chain: str,
        key: Secret,
        *,
        expires: int,
    ) -> bool:
        now, which = self._clock(), CERTIFICATES.c.name == name
        values = {
            "hosts": list(hosts),
            "chain": chain,
            "sealed": self.keyring.seal_private_key(name, key),
            "expires": expires,
            "changed": now,
            "revision": _count(connection),
        }
        changed = connection.execute(update(CERTIFICATES).where(which).values(values)).rowcount
        if not changed:
            connection.execute(insert(CERTIFICATES).values(name=name, created=now, **values))
        said = {"hosts": values["hosts"], "expires": expires}
        self._note(connection, "certificate.put", name, **said)
        return bool(changed)

    def remove_certificate(self, name: str) -> None:
        """Raises `NotFound`."""

        def remove(connection: Connection, note: Note) -> None:
            if not self._take_away(connection, name, note):
                raise NotFound(f"There is no certificate {name!r}.")

        self._removing(remove)

    def _take_away(self, connection: Connection, name: str, note: Note) -> bool:
        """Whether it was there."""
        gone = delete(CERTIFICATES).where(CERTIFICATES.c.name == name)
        if not connection.execute(gone).rowcount:
            return False
        _count(connection)
        note("certificate.remove", name)
        return True

    def _number(self, connection: Connection) -> int:
        return _number(connection)

    def _refuse_since(self, connection: Connection, since: int) -> None:
        """Raise `Conflict` when any has changed since: what was looked at may not be so now."""
        if _number(connection) != since:
            raise Conflict("Another certificate was changed meanwhile: look again.")


def _number(connection: Connection) -> int:
    return int(get_meta(connection, _NUMBER) or 0)


def _count(connection: Connection) -> int:
    number = _number(connection) + 1
    set_meta(connection, _NUMBER, str(number))
    return number
