"""The audit: who changed what in the catalog, when, and from where.

Each change writes its entry in its own transaction, so there is none without the other. The
database refuses to change or remove an entry. What an entry says is for people to read: values
that are secrets, or may be, are `CHANGED` in it. Where a full disk has no room for the entry of
something that must be done all the same (`Database.removing`), that goes to the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, insert, or_, select

from gateway.catalog.cache import Cached
from gateway.catalog.rows import AuditEntry
from gateway.catalog.schema import AUDIT
from gateway.common import actor
from gateway.storage import Full

log = logging.getLogger("gateway.audit")
T = TypeVar("T")

CHANGED = "changed"
"""In place of a value that an entry must not have."""

_LONGEST = 1024
"""Characters of a text that a client may have made up."""


class Note(Protocol):
    """Adds an entry. `subject`: what was changed; `detail`: to what, as JSON has it."""

    def __call__(self, action: str, subject: str, **detail: Any) -> None: ...


class AuditTable(Cached):
    def _note(self, connection: Connection, action: str, subject: str, **detail: Any) -> None:
        """Within the transaction of the change."""
        by = actor.current.get()
        row = {
            "time": self._clock(),
            "key": readable(by.key_id),
            "account": readable(by.account),
            "client": readable(by.client),
            "mode": by.mode,
            "request": by.request_id,
            "action": action,
            "subject": readable(subject),
            "detail": detail,
        }
        connection.execute(insert(AUDIT).values(row))

    def _removing(self, work: Callable[[Connection, Note], T]) -> T:
        """As `Database.removing`, for work that adds its entry, too."""
        try:
            return self._database.removing(lambda one: work(one, partial(self._note, one)))
        except Full:
            return self._database.removing(lambda one: work(one, _unwritten))

    def record(self, action: str, subject: str, **detail: Any) -> None:
        """An entry of what was done to something else than the catalog."""
        self._removing(lambda _, note: note(action, subject, **detail))

    def audit(
        self,
        before: int | None = None,
        limit: int = 100,
        *,
        since: int = 0,
        actor: str = "",
        action: str = "",
        subject: str = "",
    ) -> list[AuditEntry]:
        """The newest first, those with a lower id than `before`. `since`: milliseconds since the
        epoch; `actor`: a key, an account or an address; `action`: one, or what several begin
        with up to their dot; `subject`: what it begins with."""
        which: list[ColumnElement[bool]] = []
        if before is not None:
            which.append(AUDIT.c.id < before)
        if since:
            which.append(AUDIT.c.time >= since)
        if actor:
            columns = (AUDIT.c.key, AUDIT.c.account, AUDIT.c.client)
            which.append(or_(*(column == readable(actor) for column in columns)))
        if action:
            begins = AUDIT.c.action.startswith(f"{readable(action)}.", autoescape=True)
            which.append(or_(AUDIT.c.action == readable(action), begins))
        if subject:
            which.append(AUDIT.c.subject.startswith(readable(subject), autoescape=True))
        query = select(AUDIT).where(*which).order_by(AUDIT.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return [AuditEntry(*row) for row in connection.execute(query)]


def readable(text: str) -> str:
    """A stranger's text as any database can keep it."""
    text = text[:_LONGEST].encode("utf-8", "replace").decode("utf-8")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _unwritten(action: str, subject: str, **detail: Any) -> None:
    by = actor.current.get()
    log.warning(
        "The audit has no room for this entry: %s %r %s, by the key %r from %r (%s)",
        *(action, subject, detail, by.key_id, by.client, by.mode),
    )
