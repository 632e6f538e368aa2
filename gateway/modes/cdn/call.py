"""A request, parsed: which function, with what values, by whom."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from gateway.access.identity import Identity, acting_for
from gateway.modes import Gateway
from gateway.modes.cdn.options import CdnOptions
from gateway.web.request_facts import RequestFacts


class Call:
    """`values` has each parameter of the function, by name, be it of the path, the query or the
    body; `given` the names of those that came, null too: what is not there stays as it is where
    something is changed."""

    __slots__ = ("environ", "facts", "gateway", "given", "identity", "options", "values")

    def __init__(
        self,
        environ: dict[str, Any],
        gateway: Gateway,
        options: CdnOptions,
        identity: Identity,
        facts: RequestFacts,
        values: dict[str, Any],
        given: Set[str],
    ) -> None:
        self.environ, self.gateway, self.options = environ, gateway, options
        self.identity, self.facts, self.values, self.given = identity, facts, values, given

    @property
    def account(self) -> str:
        """The one that the key acts for; "" where nobody has signed in."""
        return acting_for(self.identity)

    @property
    def account_number(self) -> int:
        return self.gateway.account_numbers.number(self.account)
