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
from heapq import nlargest
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select

from gateway.catalog.cache import Cached
from gateway.catalog.rows import AuditEntry
from gateway.catalog.schema import AUDIT
from gateway.common import actor
from gateway.storage import Full
from gateway.storage.paging import successor

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
        if subject:
            which += _begins(AUDIT.c.subject, readable(subject))
        query = select(AUDIT).where(*which).order_by(AUDIT.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            queries = [query]
            if action:
                actions = _actions(connection, readable(action))
                queries = [query.where(AUDIT.c.action == one) for one in actions]
            rows = [AuditEntry(*row) for one in queries for row in connection.execute(one)]
        return nlargest(limit, rows, key=attrgetter("id"))


def _actions(connection: Connection, action: str) -> list[str]:
    """That one, or those that begin with it up to their dot. There are few, and of each the
    index has the newest entries first; of a range of them it would have to sort all."""
    if "." in action:
        return [action]
    found = [f"{action}."]
    end = successor(found[0])
    while True:
        beyond = AUDIT.c.action > found[-1], AUDIT.c.action < end
        another = connection.scalar(select(func.min(AUDIT.c.action)).where(*beyond))
        if another is None:
            return found[1:]
        found.append(another)


def _begins(column: ColumnElement[str], prefix: str) -> list[ColumnElement[bool]]:
    """In any database in the same case."""
    end = successor(prefix)
    return [column >= prefix, *([] if end is None else [column < end])]


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
