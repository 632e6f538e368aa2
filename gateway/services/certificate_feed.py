"""The catalog's certificates, for who shows them: all of them, whenever any has changed."""

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
        self._catalog, self._take, self._number = catalog, take, -1

    def look(self) -> None:
        if self._catalog.certificates_number() == self._number:
            return
        number, rows = self._catalog.certificates()
        keyring = self._catalog.keyring
        self._take(
            [
                NamedCertificate(
                    row.name,
                    row.revision,
                    row.hosts,
                    row.expires,
                    partial(_opened, keyring, row),
                    ordered=row.name.startswith(ORDERED),
                )
                for row in rows
            ]
        )
        self._number = number


def _opened(keyring: Keyring, row: CertificateRow) -> ssl.SSLContext:
    try:
        key = keyring.unseal_private_key(row.name, row.sealed)
    except CatalogError as error:
        raise CannotUse(str(error)) from error
    return context_of(row.chain, key)
