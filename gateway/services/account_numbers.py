"""Numbers of accounts, as modes see them."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.access.identity import Identity, NumberedAccount, account_of
from gateway.catalog import Catalog


class GatewayAccountNumbers:
    """Implements `gateway.modes.account_numbers.AccountNumbers`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.number, self.account = catalog.account_number, catalog.numbered_account

    def seen_by(self, identity: Identity) -> Sequence[NumberedAccount]:
        account = account_of(identity)
        found = self._catalog.numbered_accounts()
        if identity.manages_everything:
            return found
        return [one for one in found if one.account.id == account]
