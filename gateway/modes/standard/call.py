"""A request, parsed: which function, with what values, by whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.access.access import Access
from gateway.access.actions import Action, of
from gateway.access.identity import ANONYMOUS, Identity
from gateway.modes import Gateway
from gateway.storage import NOTHING, NoSuchStore
from gateway.web.api import tokens
from gateway.web.request_facts import RequestFacts


class Call:
    """`values` has each parameter of the function, by name; `action` is what that does."""

    __slots__ = ("_access", "action", "environ", "gateway", "identity", "query", "values")

    def __init__(self, environ: dict[str, Any], gateway: Gateway) -> None:
        self.environ, self.gateway = environ, gateway
        self.identity: Identity = ANONYMOUS
        self.action: Action | None = None
        self.query: Mapping[str, str] = NOTHING
        self.values: dict[str, Any] = {}
        self._access: Access | None = None

    @property
    def head(self) -> bool:
        return bool(self.environ["REQUEST_METHOD"] == "HEAD")

    @property
    def path(self) -> str:
        found: str = self.values["path"]
        return found

    @property
    def access(self) -> Access:
        """The service `sid`. Raises `NoSuchStore` also when the key may not know of it."""
        found = self._access
        if found is None:
            found = self._access = self.open(self.values["sid"])
        return found

    def open(self, sid: str) -> Access:
        found = self.gateway.access(self.identity, sid, self.facts)
        if not found.visible:
            raise NoSuchStore(name=sid)
        return found

    @property
    def facts(self) -> RequestFacts:
        return RequestFacts(self.environ, self.query, self.gateway.clock, self.gateway.country)

    def require(self, version: str | None = None) -> None:
        """Refuse who may not do what the function does, before anything else is looked at:
        above all, before a body is read. `version`: of the file."""
        assert self.action is not None, "the function's action is in the table"
        self.access.require(of(self.action, version), self.values.get("path"))

    def require_anew(self, identity: Identity) -> None:
        """The same, with what is known by now: after a wait."""
        self.identity, self._access = identity, None
        self.require()

    def after(self, count: int = 1) -> tuple[str, ...] | None:
        """The place after which the page begins, `count` texts; None: at the beginning."""
        return tokens.place(self.values["after"], count)
