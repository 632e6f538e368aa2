"""Services that announce what happens in them: whom, as their `events` say, and in which words,
those of CloudEvents 1.0 in JSON.

One event is one message, in structured mode; a webhook that takes several at once gets them in
the JSON batch format. How they are delivered: `telling`.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gateway.access.access import Access
from gateway.catalog import Catalog, CatalogError, ServiceRow
from gateway.common.moments import utc
from gateway.config import Configuration
from gateway.config.problems import Problems
from gateway.config.tables import EventOptions
from gateway.modes.telling import Telling, Told
from gateway.services.openings import Key, key_of
from gateway.services.stored import decoded
from gateway.storage import NULL_VERSION, Change

NAME = "events"
ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_SEQUENCER = 18
"""Digits: the right one of two is found by comparing texts, as with S3's."""

_NO_CHARACTERS = "".join(
    chr((plane << 16) + last) for plane in range(17) for last in (65534, 65535)
)
_UNFIT = re.compile(f"[\0-\x1f\x7f-\x9f\ufdd0-\ufdef{_NO_CHARACTERS}]")
"""What no text in an event's attributes has (spec, "Type System")."""

_PAGE = 1000

Asked = tuple[EventOptions, ...]


class Events:
    """Those of a gateway's services. Implements `modes.telling.Document`."""

    name = NAME

    def __init__(
        self,
        configuration: Configuration,
        catalog: Catalog,
        added: Callable[[], Mapping[str, ServiceRow]],
    ) -> None:
        """`added` gives the catalog's services with a driver of their own."""
        self._configuration, self._catalog, self._rows = configuration, catalog, added
        self._source = configuration.server.external_url or ""
        self._added: Mapping[str, tuple[Key, Asked]] = {}
        """Of these services, as they were last looked at."""

    # whom

    def telling(self) -> Iterator[Telling]:
        for one in self._configuration.services.values():
            yield from _telling(one.sid, one.account, one.events)
        rows = self._rows()
        self._added = {sid: self._looked_at(row) for sid, row in rows.items()}
        for sid, (_, asked) in self._added.items():
            yield from _telling(sid, rows[sid].owner, asked)
        if self._configuration.buckets.events:
            for row in self._buckets():
                yield from _telling(row.sid, row.owner, self._configuration.buckets.events)

    def _looked_at(self, row: ServiceRow) -> tuple[Key, Asked]:
        """Decoded when it is another."""
        known = self._added.get(row.sid)
        if known is not None and known[0] == key_of(row):
            return known
        try:
            found = decoded(self._configuration, self._catalog, row, Problems())
        except CatalogError:  # it cannot be opened either, which is told there
            found = None
        return key_of(row), () if found is None else found.events

    def _buckets(self) -> Iterator[ServiceRow]:
        after: str | None = ""
        while after is not None:
            rows = self._catalog.services(after, _PAGE, for_account=None)
            yield from (row for row in rows if row.store is None)
            after = rows[-1].sid if len(rows) == _PAGE else None

    def _asked(self, access: Access) -> Asked:
        """What a service says of whom to tell what."""
        about = access.service.about
        if about.declared:
            declared = self._configuration.services.get(about.sid)
            return () if declared is None else declared.events
        if about.added:
            return self._added[about.sid][1] if about.sid in self._added else ()
        return self._configuration.buckets.events

    # in which words

    def told(self, access: Access, webhook: str, change: Change) -> Told | None:
        asked = self._asked(access)
        if not any(
            one.webhook == webhook and one.covers(change, access.service.fold) for one in asked
        ):
            return None
        found = event(change, access.service.sid, self._source)
        return Told(found["id"], found)

    def message(self, records: Sequence[Mapping[str, Any]], batch: int) -> tuple[str, bytes]:
        """A webhook gets one of both formats, always: as many as it may get at once."""
        if batch == 1:
            (record,) = records
            return ONE, json.dumps(record).encode()
        return BATCH, json.dumps(records).encode()


def _telling(sid: str, owner: str, asked: Asked) -> Iterator[Telling]:
    if asked:
        yield Telling(sid, owner, frozenset(one.webhook for one in asked))


def event(change: Change, sid: str, gateway: str = "") -> dict[str, Any]:
    """One CloudEvent; `gateway` is the address that others have of it, if that is known. A key
    that may not be a `subject` is in `data` only."""
    subject = {} if _UNFIT.search(change.key) else {"subject": change.key}
    return {
        "specversion": "1.0",
        "id": f"{sid}.{change.time:x}.{change.sequence:x}.{change.kind}",
        "source": f"{gateway}/{sid}",
        "type": f"gateway.object.{change.kind}",
        **subject,
        "time": _time(change.time),
        "datacontenttype": "application/json",
        "data": _data(change, sid),
    }


def _data(change: Change, sid: str) -> dict[str, Any]:
    found: dict[str, Any] = {"bucket": sid, "key": change.key}
    if change.kind in ("put", "update"):
        found |= {"size": change.size, "eTag": change.etag}
    if change.version not in (None, "", NULL_VERSION):
        found["versionId"] = change.version
    return {**found, "sequencer": f"{change.sequence:0{_SEQUENCER}X}"}


def _time(milliseconds: int) -> str:
    """RFC 3339."""
    return f"{utc(milliseconds).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
