"""One request of the console: who asks for which page, with what; and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from gateway.access.access import Access
from gateway.access.identity import ANONYMOUS, Identity
from gateway.access.sessions import SessionInfo
from gateway.modes import Gateway
from gateway.modes.console import security
from gateway.modes.console.forms import NO_FIELDS, Fields, Parts
from gateway.modes.console.page import Page, reaches
from gateway.modes.console.rendering import Rendering
from gateway.modes.operating import Operator
from gateway.storage import NOTHING, NoSuchStore, Readable
from gateway.web.replies import Reply
from gateway.web.request_facts import RequestFacts


class Call:
    """`path` has no slash in front. `values` are the page's parts in it, `query` has each
    parameter's first value. `session` is None for who has not signed in. `form`, `parts` and
    `body` are what a POST brings, as the page says (`Page.body`)."""

    def __init__(
        self, environ: dict[str, Any], gateway: Gateway, rendering: Rendering, page: Page, path: str
    ) -> None:
        self.environ, self.gateway, self.page, self.path = environ, gateway, page, path
        self.values: Mapping[str, str] = NOTHING
        self.query: Mapping[str, str] = NOTHING
        self.session: SessionInfo | None = None
        self.form: Fields = NO_FIELDS
        self.parts: Parts | None = None
        self._rendering = rendering

    # who, and what

    @property
    def identity(self) -> Identity:
        return ANONYMOUS if self.session is None else self.session.identity

    @property
    def facts(self) -> RequestFacts:
        return RequestFacts(self.environ, self.query, self.gateway.clock, self.gateway.country)

    @property
    def body(self) -> Readable:
        found: Readable = self.environ["wsgi.input"]
        return found

    def access(self, sid: str) -> Access:
        """Raises `NoSuchStore` also when the key may not know of it."""
        self.environ["gateway.record"].sid = sid
        found = self.gateway.access(self.identity, sid, self.facts)
        if not found.visible:
            raise NoSuchStore(name=sid)
        return found

    def reaches(self, page: Page) -> bool:
        return reaches(None if self.session is None else self.identity, page.reach)

    def has(self, path: str) -> bool:
        """Whether the console has a page there, for who calls."""
        return self._rendering.has(path, None if self.session is None else self.identity)

    @property
    def operator(self) -> Operator:
        """Raises `Forbidden` for a key that manages nothing."""
        return self.gateway.operator(self.identity, self.facts)

    # addresses

    @property
    def root(self) -> str:
        """From this page to the first one. All addresses are relative, so that the console works
        below any path, and behind any proxy."""
        return "../" * self.path.count("/") or "./"

    @property
    def here(self) -> str:
        """This page, as `next` says where to go on (without what it was told)."""
        query = {name: text for name, text in self.query.items() if name not in ("said", "embed")}
        tail = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return f"{quote(self.path)}{tail}" if "GET" in self.page.methods else ""

    def url(self, path: str = "", **query: object) -> str:
        """Of another page; parameters that are None or "" are left out."""
        given = {name: text for name, text in query.items() if text not in (None, "")}
        tail = f"?{urlencode(given, quote_via=quote)}" if given else ""
        return f"{self.root}{quote(path)}{tail}"

    def embed(self, path: str, **query: object) -> str:
        """Of what a page of this session shows as a part of it (`Page.embedded`)."""
        assert self.session is not None
        return self.url(path, **query, embed=security.embed_token(self.session.csrf))

    # answers

    def show(self, template: str, status: int = 200, /, **values: Any) -> Reply:
        return self._rendering.page(self, template, values, status)

    def see(self, path: str = "", said: str = "", **query: object) -> Reply:
        """After a POST: go and look there. `said` is one of that page's messages."""
        return Reply(303, [("location", self.url(path, **query, said=said))])
