"""Has webhooks told of what changes in services, as a document says.

For each service and each webhook that it tells there is a follower of the service's change
feed: so what one target does not take waits for it alone, in order, and is sent again after
1, 2, 4, … seconds, a minute at most, until it does. No request waits for any of this.

What was sent is known by this process at once and by the followers' file soon after: after a
crash a message may come again, then marked, with the same id.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from gateway.access.access import Access
from gateway.modes.telling import Document, Told, Webhook, closed
from gateway.storage import Change, Changes, Delivery, Followers, NoSuchStore, StorageError
from gateway.storage.following import NEWEST

log = logging.getLogger("gateway.webhooks")

MOST = 1_000
"""Followers of one document: each costs a thread, and no client may take all of them."""


class Target(NamedTuple):
    sid: str
    webhook: str


class Services(NamedTuple):
    """What is needed of the gateway. `access` raises `NoSuchStore`, and so does the feed."""

    access: Callable[[str], Access]
    feed: Callable[[str], Changes]
    followers: Followers
    webhooks: Mapping[str, Webhook]


class Teller:
    """`look` follows what there is to follow by now; it may be called by any thread."""

    def __init__(self, document: Document, services: Services) -> None:
        self._document, self._services = document, services
        self._followed = set[Target]()
        self._closed = set[Target]()
        """Told in the log."""
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """Whether it is to follow nothing more that comes by a request."""
        return len(self._followed) >= MOST

    def look(self) -> None:
        with self._lock:
            wanted, unknown = set[Target](), set[str]()
            for sid, owner, webhooks in self._document.telling():
                if webhooks is None:  # it may come back
                    unknown.add(sid)
                else:
                    wanted.update(self._open(sid, owner, webhooks))
            for target in self._followed - wanted:
                forget = target.sid not in unknown
                self._services.followers.unfollow(self._name(target), forget=forget)
                self._followed.discard(target)
            self._follow(sorted(wanted - self._followed))

    def begin(self, sid: str) -> None:
        """Follow that one, where it is new: it tells of what is acknowledged from now on."""
        with self._lock:
            for one in self._document.telling():
                if one.sid == sid and one.webhooks is not None:
                    targets = self._open(sid, one.owner, one.webhooks)
                    self._follow(sorted(set(targets) - self._followed))

    def _open(self, sid: str, owner: str, webhooks: Iterable[str]) -> Iterator[Target]:
        for webhook in webhooks:
            target = Target(sid, webhook)
            why = closed(self._services.webhooks, webhook, owner)
            if not why:
                self._closed.discard(target)
                yield target
            elif target not in self._closed:
                self._closed.add(target)
                log.warning("%s: %s: nobody is told", self._name(target), why)

    def _follow(self, targets: Iterable[Target]) -> None:
        """From now on, where it is new; what cannot be read now, from when it can."""
        for target in targets:
            feed, last = self._services.feed(target.sid), None
            try:
                last = feed.changes(NEWEST, 1).last
            except StorageError as error:
                log.warning("%s: %s", self._name(target), error)
            handle = Delivering(target, self._name(target), self._document, self._services)
            self._services.followers.follow(self._name(target), feed, handle, after=last)
            self._followed.add(target)

    def _name(self, target: Target) -> str:
        return follower_of(self._document.name, *target)


def follower_of(document: str, sid: str, webhook: str) -> str:
    """Its name, in the metrics too."""
    return f"{document} of {sid} to {webhook}"


def target_of(follower: str) -> tuple[str, Target] | None:
    """(document, target) of one that was named so; None for another."""
    match = _NAME.fullmatch(follower)
    return None if match is None else (match[1], Target(match[2], match[3]))


_NAME = re.compile(r"(.+) of (\S+) to (\S+)")


class Delivering:
    """What a follower hands its changes to."""

    def __init__(self, target: Target, name: str, document: Document, services: Services) -> None:
        self._target, self._name = target, name
        self._document, self._services = document, services
        self._sent = 0
        """The last sync id that was sent of what is under way."""

    def __call__(self, delivery: Delivery) -> None:
        if delivery.reset is not None:
            self._sent = 0
            if delivery.reset.reason == "cut":
                log.warning("%s: some were not sent: its feed no longer has them", self._name)
            return
        webhook = self._services.webhooks[self._target.webhook]
        waiting = self._told(delivery.changes)
        while batch := [*islice(waiting, webhook.batch)]:
            kind, body = self._document.message([one.record for _, one in batch], webhook.batch)
            id = batch[0][1].id
            webhook.post(id, body, content_type=kind, repeated=delivery.repeated)
            self._sent = batch[-1][0].sequence
        self._sent = 0  # the next may be of another feed, which counts anew

    def _told(self, changes: Iterable[Change]) -> Iterator[tuple[Change, Told]]:
        """One by one: what is asked for may be less by the time that one was sent."""
        for one in changes:
            if one.sequence > self._sent and (told := self._one(one)) is not None:
                yield one, told

    def _one(self, change: Change) -> Told | None:
        try:
            access = self._services.access(self._target.sid)
        except NoSuchStore:  # it was dropped, and with it who was to be told
            return None
        webhook = self._target.webhook
        if closed(self._services.webhooks, webhook, access.service.owner):
            return None
        return self._document.told(access, webhook, change)
