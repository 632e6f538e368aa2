"""A fill is claimed in the index, so that other workers wait for it and do not ask again.

A claim is renewed while its holder lives, and ends with the fill. One of a process that
has died does not count: its lock has gone with it (see `owner`). Where nobody can tell, it
expires.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.cache.marks import Marks
from drivers.indexed.batch import Transaction
from drivers.indexed.space import Space

LEASE = 10_000
"""Milliseconds."""
RENEW = 3.0
"""Seconds."""
_END = 1 << 40


def claim(
    space: Space,
    marks: Marks,
    holder: str,
    place: tuple[str, str],
    blocks: tuple[int, int | None],
    point: int,
    died: Callable[[str], bool] = lambda _: False,
) -> int:
    """The claim's id; 0 when another process is at it, and no mark has overtaken that. `died`
    says of a holder whether it is sure that it has."""
    first, last = blocks[0], _END if blocks[1] is None else blocks[1]

    def operation(txn: Transaction) -> int | list[tuple[int, str]]:
        now = space.clock()
        others = txn.execute(
            "SELECT point, id, holder FROM cache_claims WHERE key = ? AND variant = ?"
            " AND first <= ? AND last >= ? AND until > ? AND until <= ? AND holder != ?",
            (*place, first, first, now, now + LEASE, holder),  # a clock may have been set back
        ).fetchall()
        counting = [row[1:] for row in others if not marks.overtaken(place[0], row[0])]
        if counting:
            return counting
        cursor = txn.execute(
            "INSERT INTO cache_claims (key, variant, first, last, point, holder, until)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*place, first, last, point, holder, now + LEASE),
        )
        return cursor.lastrowid or 0

    while not isinstance(found := space.write(operation), int):
        left = [number for number, other in found if died(other)]
        if not left:
            return 0
        for number in left:
            give_up(space, number)
    return found


def give_up(space: Space, number: int) -> None:
    space.write(lambda txn: txn.execute("DELETE FROM cache_claims WHERE id = ?", (number,)))


def renew(space: Space, holder: str) -> None:
    """All claims of this process live on; those of dead ones go."""

    def operation(txn: Transaction) -> None:
        now = space.clock()
        txn.execute("UPDATE cache_claims SET until = ? WHERE holder = ?", (now + LEASE, holder))
        txn.execute("DELETE FROM cache_claims WHERE until < ?", (now - LEASE,))

    space.write(operation)
