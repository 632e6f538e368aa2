"""Whom buckets tell of what changes in them, and of which changes: those that name a webhook in
their notification configuration. How that is delivered: `gateway.services.telling`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.access.access import Access
from gateway.access.identity import ANONYMOUS
from gateway.modes import Gateway
from gateway.modes.s3.configuration.notification import SETTING, event_of
from gateway.modes.s3.delivery.events import Bucket, message, record
from gateway.modes.telling import JSON, Telling, Told
from gateway.storage import Change, StorageError


class Notifications:
    """Implements `modes.telling.Document`."""

    name = "s3 notifications"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def telling(self) -> Iterator[Telling]:
        for sid in self._gateway.having(SETTING.kind):
            try:
                access = self._gateway.access(ANONYMOUS, sid)
                found = self._gateway.obeyed(access, SETTING.kind) or ()
            except StorageError:  # the service is not there now
                yield Telling(sid, "", None)
            else:
                webhooks = frozenset(one.webhook for one in found)
                yield Telling(sid, access.service.owner, webhooks)

    def told(self, access: Access, webhook: str, change: Change) -> Told | None:
        event = event_of(change)
        if event is None:
            return None
        for one in self._gateway.obeyed(access, SETTING.kind) or ():
            if one.webhook == webhook and one.covers(event, change.key, access.service.fold):
                about = access.service
                bucket = Bucket(about.sid, about.owner, self._gateway.options.region)
                id = f"{about.sid}.{change.time:x}.{change.sequence:x}"
                return Told(id, record(change, event, one, bucket))
        return None

    def message(self, records: Sequence[Mapping[str, Any]], batch: int) -> tuple[str, bytes]:
        return JSON, message(records)
