"""A request, parsed: which function, with what values, by whom."""

from __future__ import annotations

from typing import Any

from gateway.access.access import Access
from gateway.access.identity import Identity
from gateway.modes import Gateway
from gateway.modes.operating import Operator
from gateway.storage import NoSuchStore
from gateway.web.api import tokens
from gateway.web.api.parameters import wrong
from gateway.web.request_facts import RequestFacts
from gateway.web.request_head import whole_number


class Call:
    """`values` has each parameter of the function, by name; what is in the path, too."""

    __slots__ = ("environ", "facts", "gateway", "identity", "values")

    def __init__(
        self,
        environ: dict[str, Any],
        gateway: Gateway,
        identity: Identity,
        facts: RequestFacts,
        values: dict[str, Any],
    ) -> None:
        self.environ, self.gateway = environ, gateway
        self.identity, self.facts, self.values = identity, facts, values

    def reaches(self, account: str) -> bool:
        return self.identity.manages_everything or account == self.identity.account

    def open(self, sid: str) -> Access:
        """A bucket. Raises `NoSuchStore`, also when it is beyond what the key reaches."""
        found = self.gateway.access(self.identity, sid, self.facts)
        if not (found.visible and self.reaches(found.service.owner)):
            raise NoSuchStore(name=sid)
        return found

    @property
    def bucket(self) -> Access:
        """That of the path."""
        return self.open(self.values["bucket"])

    def after(self, count: int = 1) -> tuple[str, ...] | None:
        return tokens.place(self.values["after"], count)

    def numbered_after(self) -> int:
        """The same of a list by number."""
        (given,) = self.after() or ("0",)
        if (number := whole_number(given)) is None:
            raise wrong("after", "the `next` of a page before")
        return number

    @property
    def operator(self) -> Operator:
        return self.gateway.operator(self.identity, self.facts)

    def user(self, account: str) -> str:
        """What people call an account."""
        found = self.gateway.account(account)
        return found.name if found is not None and found.name else account
