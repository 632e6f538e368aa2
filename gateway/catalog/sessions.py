"""Sessions of those who have signed in with a key, in all workers.

What is kept of a token is an HMAC: who reads the catalog can sign in with nothing of it. A
session that nobody has ended is removed when another begins after it is over.
"""

from __future__ import annotations

from contextlib import suppress
from hmac import compare_digest

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from gateway.access.sessions import LONGEST, PAGES, PURPOSES, SEEN, Purpose, SessionInfo
from gateway.catalog.audit import Note, readable
from gateway.catalog.key_changes import end_sessions
from gateway.catalog.keys import KeyTable
from gateway.catalog.schema import KEYS, SESSIONS, get_meta, is_text, set_meta
from gateway.common import actor
from gateway.common.actor import Program
from gateway.storage import Busy, Full, NotFound, Unavailable

_MOST = 100
"""Sessions of one key for one purpose: the oldest end for those that come."""
_REFUSALS = 60
"""Entries of an hour for those who were refused: strangers must not fill the disk."""
_REFUSED = "refused sessions"
"""In `meta`: an hour since the epoch, and how many were written down in it. The audit itself is
not asked: it grows, and strangers come often."""
_HOUR = 3_600_000
_AGENT = 256
"""Characters of what a client says of itself."""


class SessionTable(KeyTable):
    """Implements `gateway.access.sessions.Sessions`."""

    def begin_session(
        self, key: str, *, address: str = "", agent: str = "", purpose: Purpose = PAGES
    ) -> str:
        credential = self.credential(key)
        if credential is None:
            raise NotFound(f"There is no key {key!r}.")
        token, now = purpose.token(), self._clock()
        row = {
            "token": self.keyring.of_session(token, "token"),
            "key": key,
            "secret": self.keyring.index(credential.secret.reveal()),
            "created": now,
            "seen": now,
            "address": readable(address),
            "agent": readable(agent[:_AGENT]),
            "purpose": purpose.name,
        }

        def begin(connection: Connection, note: Note) -> None:
            connection.execute(delete(SESSIONS).where(_over(now)))
            older = (
                select(SESSIONS.c.token)
                .where(SESSIONS.c.key == key, SESSIONS.c.purpose == purpose.name)
                .order_by(SESSIONS.c.created.desc())
                .offset(_MOST - 1)
            )
            connection.execute(delete(SESSIONS).where(SESSIONS.c.token.in_(older)))
            connection.execute(insert(SESSIONS).values(row))
            note("session.begin", key)

        self._removing(begin)
        return token

    def session(self, token: str, purpose: Purpose = PAGES) -> SessionInfo | None:
        index, now = self.keyring.of_session(token, "token"), self._clock()
        with self._database.reading() as connection:
            row = connection.execute(select(SESSIONS).where(SESSIONS.c.token == index)).first()
        if row is None or row.purpose != purpose.name:
            return None
        if row.seen <= now - _unused(purpose) or row.created <= now - LONGEST:
            return None
        credential = self.credential(row.key)
        if credential is None or not compare_digest(
            row.secret, self.keyring.index(credential.secret.reveal())
        ):
            return None
        if row.seen <= now - SEEN:
            seen = update(SESSIONS).where(SESSIONS.c.token == index).values(seen=now)
            with suppress(Busy, Full, Unavailable), self._database.writing() as connection:
                connection.execute(seen)
        csrf = self.keyring.of_session(token, "csrf").hex()
        return SessionInfo(credential.identity, csrf, row.created, row.seen, row.address, row.agent)

    def end_session(self, token: str) -> None:
        which = SESSIONS.c.token == self.keyring.of_session(token, "token")

        def end(connection: Connection, note: Note) -> None:
            key = connection.scalar(select(SESSIONS.c.key).where(which))
            if key is not None:
                connection.execute(delete(SESSIONS).where(which))
                note("session.end", key)

        self._removing(end)

    def end_sessions(self, key: str) -> int:
        def end(connection: Connection, note: Note) -> int:
            count = end_sessions(connection, key)
            if count:
                note("session.end", key, sessions=count)
            return count

        return self._removing(end)

    def refuse_session(self, key: str) -> None:
        """What is no key's id is not told: people type secrets where an id is asked for."""
        known = select(KEYS.c.id).where(is_text(KEYS.c.id, key))
        by = actor.current.get()
        stranger = actor.current.set(Program(by.mode, by.client, by.request_id))
        try:
            with suppress(Busy, Full, Unavailable):
                with self._database.reading() as connection:
                    if self._refused(connection) >= _REFUSALS:
                        return
                with self._database.writing() as connection:
                    told = key in self._keys or connection.scalar(known) is not None
                    self._note(connection, "session.refused", key if told else "")
                    count = self._refused(connection) + 1
                    set_meta(connection, _REFUSED, f"{self._clock() // _HOUR} {count}")
        finally:
            actor.current.reset(stranger)

    def _refused(self, connection: Connection) -> int:
        """How many were written down in this hour."""
        hour, _, count = (get_meta(connection, _REFUSED) or "").partition(" ")
        return int(count) if hour == str(self._clock() // _HOUR) else 0


def _unused(purpose: Purpose) -> int:
    """Milliseconds since the last time that is written, after which nobody can have used it for
    so long. Each write has all workers forget what they know of the catalog."""
    return purpose.idle + SEEN


def _over(now: int) -> ColumnElement[bool]:
    idle = (
        and_(SESSIONS.c.purpose == one.name, SESSIONS.c.seen <= now - _unused(one))
        for one in PURPOSES
    )
    return or_(SESSIONS.c.created <= now - LONGEST, *idle)
