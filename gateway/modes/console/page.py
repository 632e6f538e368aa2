"""What a page of the console is: where, for whom, and who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.access.identity import Identity, acting_for
from gateway.modes import Gateway
from gateway.web.replies import Reply

Handler = Callable[[Any], Reply]
"""From a `Call` (which knows its page, so that this file does not know it)."""

Reach = Literal["anyone", "key", "owner", "manager", "everything"]
"""Who has a page: also who has not signed in | who has | whose key has what its account owns |
whose key manages its account | whose key manages the whole gateway. What a key may do to services
is asked for each service besides."""

Body = Literal["form", "multipart", "stream"]
"""What a POST brings: fields (`Call.form`) | a form with files, whose first field is `csrf`
(`Call.parts`) | bytes (`Call.body`), sent by a script with the token in a header."""

FORM_LIMIT = 1 << 20
"""Bytes of a form's fields."""


def everywhere(_: Gateway) -> bool:
    """Of a page that each gateway has."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`name` is the operation in logs and metrics. `path` is below the console's root, with
    `{part}`s, which `Call.values` has. `title`: in the navigation, of which `section` says
    the path that is shown as the current one (its own where that is not given). `said` are the
    messages that a redirect to it may name (`Call.see`). `embedded`: pages of this session may
    show what it gives as a part of theirs (`Call.embed`). `offered`: whether that gateway has
    what it is about; where it has not, the page is not there."""

    name: str
    path: str
    get: Handler | None = None
    post: Handler | None = None
    title: str = ""
    section: str | None = None
    reach: Reach = "key"
    body: Body = "form"
    form_limit: int = FORM_LIMIT
    said: Mapping[str, str] = field(default_factory=dict)
    embedded: bool = False
    offered: Callable[[Gateway], bool] = everywhere

    @property
    def methods(self) -> tuple[str, ...]:
        return (("GET", "HEAD") if self.get else ()) + (("POST",) if self.post else ())

    @property
    def current(self) -> str:
        return self.path if self.section is None else self.section

    def match(self, path: str) -> dict[str, str] | None:
        """The values of its parts in a path, which has no slash in front; None: another's."""
        mine, given = self.path.split("/"), path.split("/")
        if len(mine) != len(given):
            return None
        values: dict[str, str] = {}
        for one, text in zip(mine, given, strict=True):
            if one[:1] == "{" and text:
                values[one[1:-1]] = text
            elif one != text:
                return None
        return values


def reaches(identity: Identity | None, reach: Reach) -> bool:
    """Whether who has signed in with that key (None: nobody) has such pages."""
    if reach == "anyone" or identity is None:
        return reach == "anyone"
    if reach == "key" or identity.manages_everything:
        return True
    if reach == "owner":
        return acting_for(identity) != ""
    return reach == "manager" and identity.manages
