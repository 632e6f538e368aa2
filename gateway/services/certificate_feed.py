"""The catalog's certificates, for who shows them: all of them, whenever any has changed.

What an account has brought is not shown for a name that a binding leads to another's service: who
was quicker with a certificate for a name does not answer in place of who has the name.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from functools import partial

from gateway.catalog import Catalog, CatalogError, CertificateRow
from gateway.catalog.rows import ORDERED
from gateway.catalog.secrets import Keyring
from gateway.common.x509 import CannotUse, NamedCertificate, context_of


class CertificateFeed:
    """`take` gets them at the first look, and after each change; when it raises, again."""

    def __init__(
        self, catalog: Catalog, take: Callable[[Sequence[NamedCertificate]], object]
    ) -> None:
        self._catalog, self._take = catalog, take
        self._seen, self._bound = -1, -1
        self._rows = list[CertificateRow]()

    def look(self) -> None:
        number, bound = self._catalog.certificates_number(), self._catalog.stores_number()
        if (number, bound) == (self._seen, self._bound):
            return
        if number != self._seen or not self._rows:
            number, self._rows = self._catalog.certificates()
        foreign = self._catalog.foreign_hosts()
        self._take([self._named(row, foreign.get(row.name, frozenset())) for row in self._rows])
        self._seen, self._bound = number, bound

    def _named(self, row: CertificateRow, foreign: frozenset[str]) -> NamedCertificate:
        return NamedCertificate(
            row.name,
            row.revision,
            tuple(host for host in row.hosts if host not in foreign) if foreign else row.hosts,
            row.expires,
            partial(_opened, self._catalog.keyring, row),
            ordered=row.name.startswith(ORDERED),
        )


def _opened(keyring: Keyring, row: CertificateRow) -> ssl.SSLContext:
    try:
        key = keyring.unseal_private_key(row.name, row.sealed)
    except CatalogError as error:
        raise CannotUse(str(error)) from error
    return context_of(row.chain, key)
