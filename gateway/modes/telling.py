"""Webhooks that are told of the changes of services: whom, of which changes, and in which words.

A `Document` says that; the gateway follows the feeds, and delivers (`Gateway.tell`): for each
service and webhook in order, and again until it is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from gateway.access.access import Access
from gateway.storage import Change

JSON = "application/json"


class Webhook(Protocol):
    """A URL that is told of things. `batch`: how many it takes in one message, at most."""

    batch: int

    def is_open_to(self, account: str) -> bool:
        """Whether services of that account may have it told of something."""

    def post(
        self, id: str, document: bytes, *, content_type: str = JSON, repeated: bool = False
    ) -> None:
        """Send what is JSON. `id` is the message's, the same whenever it is sent; `repeated`: it
        may have come before. Raises `Unavailable` unless it was taken."""


class Telling(NamedTuple):
    """A service of an account, and the webhooks that it tells; None: it is not known now."""

    sid: str
    owner: str
    webhooks: frozenset[str] | None


class Told(NamedTuple):
    """A change in a document's words. A message that begins with it has its `id`: which no
    document gives to anything else."""

    id: str
    record: Mapping[str, Any]


class Document(Protocol):
    """One kind of messages. `name` begins those of its followers: "NAME of SID to WEBHOOK"."""

    name: str

    def telling(self) -> Iterable[Telling]:
        """All services that tell somebody by now."""

    def told(self, access: Access, webhook: str, change: Change) -> Told | None:
        """None where nobody asked for it, or does not any more."""

    def message(self, records: Sequence[Mapping[str, Any]], batch: int) -> tuple[str, bytes]:
        """Its content type, and JSON. `batch`: the webhook's."""


def closed(webhooks: Mapping[str, Webhook], name: str, owner: str) -> str:
    """Why services of `owner` have nobody told by that name; "" when they have."""
    found = webhooks.get(name)
    if found is None:
        return "there is no such webhook"
    return "" if found.is_open_to(owner) else f"the webhook is not open to the account {owner}"
