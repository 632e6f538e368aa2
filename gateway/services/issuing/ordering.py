"""Certificates of an authority, as modes and commands order them: what is written down, and what
is known of it. Nothing here asks the authority anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from gateway.catalog import Catalog, OrderRow
from gateway.config import AcmeOptions, CertifiedName
from gateway.modes.certifying import CertificateState
from gateway.services.issuing import tries
from gateway.storage import InvalidRequest, StorageError, Unsupported
from gateway.storage.objects import now

MOST = 1000
"""Names of one call."""
ORDERS = "gateway_certificate_orders"


class OrderedCertificates:
    """Implements `gateway.modes.certifying.Certificates`. `options` is None where nobody gives
    any. `clock` is in milliseconds since the epoch."""

    def __init__(
        self, catalog: Catalog, options: AcmeOptions | None, clock: Callable[[], int] = now
    ) -> None:
        self._catalog, self._options, self._clock = catalog, options, clock
        self.offered = options is not None
        self._counted = Counter[str]()

    def order(self, names: Sequence[str], *, again: bool = False) -> Sequence[CertificateState]:
        hosts = self._certified(names)
        known = self._catalog.orders(hosts)
        new = [host for host in hosts if host not in known or not known[host].wanted]
        if new:
            self._catalog.want_certificates(new)
        for row in self._catalog.orders(hosts).values():
            if again and row.state == "failed":
                self._catalog.hasten_order(row.host, tries.earliest(row.tries, self._clock()))
        return self.states(hosts)

    def release(self, names: Sequence[str]) -> None:
        self._catalog.release_certificates(self._certified(names))

    def states(self, names: Sequence[str] | None = None) -> Sequence[CertificateState]:
        hosts = None if names is None else [one.lower().rstrip(".") for one in names]
        return [_state(row) for row in self._catalog.orders(hosts).values()]

    def answer(self, host: str, token: str) -> str | None:
        if not self.offered:
            return None
        try:
            found = self._catalog.challenges().get((host, token))
        except StorageError:  # whoever asked for something else there is to get that
            return None
        return None if found is None else found.answer

    def _certified(self, names: Sequence[str]) -> list[str]:
        if not self.offered:
            raise Unsupported("This gateway orders no certificates: it has no table [acme].")
        if len(names) > MOST:
            raise InvalidRequest(f"At most {MOST} names at once.")
        try:
            return [CertifiedName.parse(name) for name in names]
        except ValueError as error:
            raise InvalidRequest(f"No certificate can be had: {error}.") from error

    # what is measured

    def count(self) -> None:
        """For `gauges`."""
        self._counted = Counter(self._catalog.count_orders())

    def gauges(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """How many there are in each state, of those that are asked for."""
        if self.offered:
            for state in ("waiting", "ordering", "issued", "failed"):
                yield (ORDERS, state), self._counted[state]


def _state(row: OrderRow) -> CertificateState:
    asked = row.asked_for
    return CertificateState(
        row.host, row.state, row.problem, row.code, row.expires, row.due if asked else None
    )
