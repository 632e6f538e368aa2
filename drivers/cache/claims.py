"""A fill is claimed in the index, so that other workers wait for it and do not ask again.

A claim is renewed while its holder lives, and ends with the fill; a crash lets
it expire.
"""

from __future__ import annotations

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
) -> int:
    """The claim's id; 0 when another process is at it, and no mark has overtaken that."""
    first, last = blocks[0], _END if blocks[1] is None else blocks[1]

    def operation(txn: Transaction) -> int:
        now = space.clock()
        others = txn.execute(
            "SELECT point FROM cache_claims WHERE key = ? AND variant = ? AND first <= ?"
            " AND last >= ? AND until > ? AND until <= ? AND holder != ?",
            (*place, first, first, now, now + LEASE, holder),  # a clock may have been set back
        ).fetchall()
        if any(not marks.overtaken(place[0], one[0]) for one in others):
            return 0
        cursor = txn.execute(
            "INSERT INTO cache_claims (key, variant, first, last, point, holder, until)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*place, first, last, point, holder, now + LEASE),
        )
        return cursor.lastrowid or 0

    return space.write(operation)


def give_up(space: Space, number: int) -> None:
    space.write(lambda txn: txn.execute("DELETE FROM cache_claims WHERE id = ?", (number,)))


def renew(space: Space, holder: str) -> None:
    """All claims of this process live on; those of dead ones go."""

    def operation(txn: Transaction) -> None:
        now = space.clock()
        txn.execute("UPDATE cache_claims SET until = ? WHERE holder = ?", (now + LEASE, holder))
        txn.execute("DELETE FROM cache_claims WHERE until < ?", (now - LEASE,))

    space.write(operation)
