"""Carrying out marks: what they name leaves the stock, so that they can be forgotten.

It is done in small steps, each a commit, for a while at a time: others wait for the
thread that does it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from drivers.cache import rows
from drivers.cache.marks import MarkRow
from drivers.cache.removing import ALL, Removing
from drivers.indexed.batch import Transaction
from drivers.indexed.space import Space
from gateway.storage import Purge, PurgeKind
from gateway.storage.paging import successor

_COUNT = 1000
_SOME = 100
"""Purges of which each is counted."""
_SHARE = 1.0
"""Seconds that it takes of its thread at a time."""


def count(space: Space, purge: Purge) -> int:
    """About how many entries a purge names: at most `_COUNT` are counted one by one."""
    if purge.kind == "all":
        return rows.state(space.one).entries
    where, values = _where(purge.kind, purge.value)
    sql = f"SELECT count(*) FROM (SELECT 1 FROM cache_entries WHERE {where} LIMIT ?)"
    return int(space.one(sql, (*values, _COUNT))[0])


def count_all(space: Space, purges: Sequence[Purge]) -> int:
    """The same of several, twice what two of them name: of many, as it is of the first."""
    some = purges[:_SOME]
    return sum(count(space, one) for one in some) * len(purges) // max(len(some), 1)


def carry_out(removing: Removing, space: Space, old: list[MarkRow]) -> bool:
    """Remove what these marks name, for a while; whether that was all, so that they can be
    forgotten."""
    if not old:
        return True
    last, until = old[-1].id, time.monotonic() + _SHARE

    def floor(txn: Transaction) -> None:  # first: nothing older may come after this
        txn.execute("UPDATE cache_state SET floor = max(floor, ?)", (last,))

    space.write(floor)
    for mark in old:
        if mark.soft:  # it names nothing that has to go
            _make_stale(space, mark)
        elif not _remove_named(removing, space, mark, until):
            return False
    return True


def _remove_named(removing: Removing, space: Space, mark: MarkRow, until: float) -> bool:
    """Whether nothing is left of what a mark names."""
    where, values = _where(mark.kind, mark.value)
    named = f"FROM cache_entries WHERE {where} AND point < ? LIMIT ?"
    while removing.step(f"SELECT {ALL}, id, -1, 0 {named}", *values, mark.id):
        if time.monotonic() > until:
            return False
    return not removing.passed or space.one(f"SELECT 1 {named}", (*values, mark.id, 1)) is None


def _make_stale(space: Space, mark: MarkRow) -> None:
    """What it names is to be asked for anew."""
    where, values = _where(mark.kind, mark.value)
    now = space.clock()
    sql = f"UPDATE cache_entries SET until = min(until, ?) WHERE {where} AND point < ?"
    space.write(lambda txn: txn.execute(sql, (now, *values, mark.id)).rowcount)


def _where(kind: PurgeKind, value: str) -> tuple[str, tuple[str, ...]]:
    """The entries that a purge names, in SQL."""
    if kind == "prefix":
        end = successor(value)
        if end is None:
            return "key >= ?", (value,)
        return "key >= ? AND key < ?", (value, end)
    return {
        "all": ("1", ()),
        "key": ("key = ?", (value,)),
        "tag": ("id IN (SELECT entry FROM cache_tags WHERE tag = ?)", (value,)),
    }[kind]
