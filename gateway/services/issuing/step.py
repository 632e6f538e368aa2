"""One step of an order: what is asked of the authority next, and what is known then.

Which it is says the authority's own state of the order, so it does not matter who took the step
before. A step takes some of its answers' time; between two of them everything is written down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gateway.catalog import Catalog, Challenge, OrderRow
from gateway.catalog.certificate_orders import started_anew
from gateway.catalog.rows import certificate_name
from gateway.common.x509 import CannotUse, checked
from gateway.services.issuing import tries
from gateway.services.issuing.answers import Gone, Refused
from gateway.services.issuing.authority import Authority, Order, new_key, request_for
from gateway.storage import Secret

POLL = 1000
"""Milliseconds between two looks at what the authority does; also until other processes answer
what one of them has written down."""
PATIENCE = 10 * tries.MINUTE
"""For an order from its beginning on."""


class Stepper:
    """`directory` is the authority's."""

    def __init__(
        self, catalog: Catalog, authority: Authority, directory: str, clock: Callable[[], int]
    ) -> None:
        self._catalog, self._authority, self._clock = catalog, authority, clock
        self._directory = directory

    def take(self, row: OrderRow) -> OrderRow:
        """What is known then, written down. Raises what the authority does, but for `Gone`."""
        if row.url and row.directory != self._directory:
            row = started_anew(row)
        if not row.url:
            return self._keep(self._begin(row))
        if row.state != "ordering":  # it was away meanwhile
            row = replace(row, state="ordering", begun=self._clock())
        try:
            order = self._authority.order(row.url)
        except Gone:
            return self._keep(started_anew(row))
        if order.status == "valid":
            return self._end(row, order)
        self._go_on(row, order)
        if self._clock() > row.begun + PATIENCE:
            raise Refused("It has not decided within ten minutes.", "timeout")
        return self._keep(replace(row, due=self._clock() + POLL))

    def _begin(self, row: OrderRow) -> OrderRow:
        now, key = self._clock(), new_key()
        url = self._authority.begin(row.host, self._replaced(row))
        return replace(
            row,
            state="ordering",
            directory=self._directory,
            url=url,
            sealed=self._catalog.keyring.seal_order_key(row.host, key),
            begun=now,
            due=now,
            tries=(*tries.lately(row.tries, now), now),
        )

    def _replaced(self, row: OrderRow) -> str:
        """The certificate that is to be renewed, if that was the same authority's; once."""
        if row.expires is None or row.failures or row.directory != self._directory:
            return ""
        found = {one.name: one.chain for one in self._catalog.certificates()[1]}
        return found.get(certificate_name(row.host), "")

    def _go_on(self, row: OrderRow, order: Order) -> None:
        if order.status in ("pending", "invalid"):
            for url in order.proofs:
                self._prove(row, url)
        if order.status == "invalid":
            raise order.problem or Refused("It does not say why.")
        if order.status == "ready":
            try:
                self._authority.finish(order, request_for(row.host, self._key(row)))
            except Refused as error:
                if error.code != "orderNotReady":  # somebody else was first
                    raise

    def _prove(self, row: OrderRow, url: str) -> None:
        proof = self._authority.proof(url)
        if proof.status not in ("pending", "valid"):
            raise proof.problem or Refused(f"What was to be proved is {proof.status}.")
        if proof.status == "valid" or not proof.open:
            return
        one = Challenge(row.host, proof.token, proof.answer, False)
        known = self._catalog.challenges().get((row.host, proof.token))
        if known is None:
            self._catalog.set_challenge(one)  # the others are to know it before it is looked for
        elif not known.told:
            self._authority.look(proof)
            self._catalog.set_challenge(one._replace(told=True))

    def _end(self, row: OrderRow, order: Order) -> OrderRow:
        key = self._key(row)
        try:
            found = checked(self._authority.chain(order).encode(), key.reveal_bytes())
        except CannotUse as error:
            raise Refused(f"Its certificate cannot be used: {error}.", "unusable") from error
        begins, expires = (round(one.timestamp() * 1000) for one in found.said[2:4])
        issued = replace(
            started_anew(row),
            state="issued",
            problem="",
            code="",
            failures=0,
            due=max(tries.renewal(begins, expires), self._clock() + tries.HOUR),
            look=self._clock(),
            expires=expires,
        )
        self._catalog.set_order(issued, found.chain, found.key)
        return issued

    def _key(self, row: OrderRow) -> Secret:
        assert row.sealed is not None
        return self._catalog.keyring.unseal_order_key(row.host, row.sealed)

    def _keep(self, row: OrderRow) -> OrderRow:
        self._catalog.set_order(row)
        return row
