"""Whether what a service's row counts is what there is, and how the row is set right.

All is counted at one moment (a read transaction of the index), so it is exact while others
write. A repair adds what the row had too little at that moment to what it has by then, in a
write like others: nobody waits while it is counted. Each repair is numbered, so that two at
the same time do not add the same twice: who comes second counts anew.

May surprise: SQLite's log grows while that moment is held, by what is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any

from drivers.indexed.batch import Transaction
from drivers.indexed.records import STATS, stats_of
from drivers.indexed.space import Space
from gateway.storage import NoSuchStore, Recount, Stats

_OBJECTS = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM objects WHERE service = ?"
_VERSIONS = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM versions WHERE service = ? AND marker = 0"
_ANNOTATIONS = "SELECT COALESCE(SUM(size), 0) FROM annotations WHERE service = ?"
_UPLOADS = "SELECT COUNT(*) FROM uploads WHERE service = ? AND ended IS NULL"
_WAITING = (
    "SELECT COALESCE(SUM(p.size), 0) FROM uploads u JOIN parts p ON p.upload = u.id"
    " WHERE u.service = ? AND u.ended IS NULL"
)
_TURN = "SELECT value FROM meta WHERE name = 'recounts'"


def recount(space: Space, service: int, *, repair: bool) -> Recount:
    while True:
        with space.reading() as connection:
            execute = connection.execute
            row = execute(f"SELECT {STATS} FROM services WHERE id = ?", (service,)).fetchone()
            if row is None:
                raise NoSuchStore
            counted = stats_of(row)
            found = _found(execute, service, counted)
            turn = execute(_TURN).fetchone()
        done = Recount(counted, found)
        if not repair or done.right:
            return done
        if space.write(partial(_repair, service, done, turn), plain=True):
            return done


def _found(execute: Callable[..., Any], service: int, counted: Stats) -> Stats:
    def count(sql: str) -> Any:
        return execute(sql, (service,)).fetchone()

    current, size = count(_OBJECTS)
    older, size_of_older = count(_VERSIONS)
    (annotations,), (uploads,), (waiting,) = map(count, (_ANNOTATIONS, _UPLOADS, _WAITING))
    return replace(
        counted,
        objects=current + older,
        bytes=size + size_of_older + annotations,
        current=current,
        uploads=uploads,
        waiting=waiting,
    )


def _repair(service: int, done: Recount, turn: Any, txn: Transaction) -> bool:
    """Whether it was done: no other repair was since."""
    if txn.one(_TURN) != turn:
        return False
    following = str(int(turn[0]) + 1 if turn else 1)
    txn.execute("INSERT OR REPLACE INTO meta VALUES ('recounts', ?)", (following,))
    ledger = txn.ledger(service)
    for field in fields(Stats):
        if field.name != "quota":
            missing = getattr(done.found, field.name) - getattr(done.counted, field.name)
            setattr(ledger, field.name, getattr(ledger, field.name) + missing)
    return True
