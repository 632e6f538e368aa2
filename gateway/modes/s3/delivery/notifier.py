"""Has webhooks told of what changes in the buckets that name them.

For each bucket and each webhook that it names there is a follower of the bucket's change
feed: so what one target does not take waits for it alone, in order, and is sent again after
1, 2, 4, … seconds, a minute at most, until it does. No request waits for any of this.

What was sent is known by this process at once and by the followers' file soon after: after a
crash a message may come again, then marked, with the same id.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from gateway.access.identity import ANONYMOUS
from gateway.modes import Gateway
from gateway.modes.s3.configuration.notification import SETTING, event_of
from gateway.modes.s3.delivery.events import Bucket, message, record
from gateway.storage import Change, Delivery, NoSuchStore, StorageError

log = logging.getLogger("gateway.s3")

_NEWEST = 1 << 62
"""Beyond all sync ids: a page behind it has none, and says which is the last."""


class Target(NamedTuple):
    sid: str
    webhook: str

    @property
    def name(self) -> str:
        return f"s3 notifications of {self.sid} to {self.webhook}"


def closed(gateway: Gateway, webhook: str, owner: str) -> str:
    """Why buckets of `owner` have nobody told by that name; "" when they have."""
    found = gateway.webhooks.get(webhook)
    if found is None:
        return "there is no such webhook"
    return "" if found.is_open_to(owner) else f"the webhook is not open to the account {owner}"


class Notifier:
    """`look` follows what there is to follow by now; it may be called by any thread."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._followed: dict[Target, Teller] = {}
        self._closed = set[Target]()
        """Told in the log."""
        self._lock = threading.Lock()

    def look(self) -> None:
        """Raises StorageError where a feed could not be read: then the others are followed."""
        with self._lock:
            having = self._gateway.having(SETTING.kind)
            wanted, unknown = set[Target](), set[str]()
            for sid in having:
                try:
                    wanted.update(self._targets(sid))
                except StorageError:  # the service is not there now: it may come back
                    unknown.add(sid)
            for target in self._followed.keys() - wanted:
                forget = target.sid not in unknown
                self._gateway.followers.unfollow(target.name, forget=forget)
                del self._followed[target]
            failed = [*self._follow(sorted(wanted - self._followed.keys()))]
        if failed:
            raise failed[0]

    def _targets(self, sid: str) -> Iterator[Target]:
        access = self._gateway.access(ANONYMOUS, sid)
        for one in self._gateway.obeyed(access, SETTING.kind) or ():
            target = Target(sid, one.webhook)
            why = closed(self._gateway, one.webhook, access.service.owner)
            if not why:
                self._closed.discard(target)
                yield target
            elif target not in self._closed:
                self._closed.add(target)
                log.warning("%s: %s: nobody is told", target.name, why)

    def _follow(self, targets: list[Target]) -> Iterator[StorageError]:
        """From now on, where it is new. Gives what fails."""
        for target in targets:
            feed = self._gateway.feed(target.sid)
            teller = Teller(self._gateway, target)
            try:
                last = feed.changes(_NEWEST, 1).last
                self._gateway.followers.follow(target.name, feed, teller, after=last)
            except StorageError as error:
                yield error
            else:
                self._followed[target] = teller


class Teller:
    """What a follower hands its changes to."""

    def __init__(self, gateway: Gateway, target: Target) -> None:
        self._gateway, self._target = gateway, target
        self._sent = 0
        """The last sync id that was sent of what is under way."""

    def __call__(self, delivery: Delivery) -> None:
        if delivery.reset is not None:
            self._sent = 0
            if delivery.reset.reason == "cut":
                log.warning(
                    "%s: some were not sent: its feed no longer has them", self._target.name
                )
            return
        webhook = self._gateway.webhooks[self._target.webhook]
        waiting = self._told(delivery.changes)
        while batch := [*islice(waiting, webhook.batch)]:
            changes, told = zip(*batch, strict=True)
            id = f"{self._target.sid}.{changes[0].time:x}.{changes[0].sequence:x}"
            webhook.post(id, message(told), repeated=delivery.repeated)
            self._sent = changes[-1].sequence
        self._sent = 0  # the next may be of another feed, which counts anew

    def _told(self, changes: Iterable[Change]) -> Iterator[tuple[Change, dict[str, Any]]]:
        """One by one: what is asked for may be less by the time that one was sent."""
        for one in changes:
            if one.sequence > self._sent and (told := self._record(one)) is not None:
                yield one, told

    def _record(self, change: Change) -> dict[str, Any] | None:
        """None when nobody asked for it."""
        event = event_of(change)
        if event is None:
            return None
        try:
            access = self._gateway.access(ANONYMOUS, self._target.sid)
        except NoSuchStore:  # it was dropped, and with it who was to be told
            return None
        if closed(self._gateway, self._target.webhook, access.service.owner):
            return None
        for one in self._gateway.obeyed(access, SETTING.kind) or ():
            if one.webhook == self._target.webhook and one.covers(event, change.key):
                about = access.service
                bucket = Bucket(about.sid, about.owner, self._gateway.options.region)
                return record(change, event, one, bucket)
        return None
