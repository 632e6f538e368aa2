"""Versions that are kept for a while: what was replaced or deleted longer ago goes for good.

How long is counted from when a version was no longer current, so that a service can be seen as
it was at any time within that. The current object stays, however old it is; so does what is
protected, and a delete marker for as long as there is anything older that it hides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

from drivers.indexed.shelf import Shelf
from drivers.indexed.view import View
from gateway.storage import Jobs, Protected

STEP = 1000
"""Versions that are looked at before others have their turn."""

AT_ONCE = 100
"""Removals in one commit."""

CAUSE = "keep_versions"

_SHORTEST, _LONGEST = 1.0, 3600.0
_ROWS = "SELECT key, sequence, retired FROM versions WHERE service = ? AND"


def check(keep: str | float, replica_of: object, *, case_sensitive: bool) -> None:
    """Raise `ValueError` for a time that is none, and for a replica that does not keep what its
    source has."""
    if keep == 0:
        raise ValueError('keep_versions is "forever", "off", or longer than nothing, as "30d"')
    if keep == "off" and replica_of is not None:
        raise ValueError('keep_versions: a replica has the versions of its source: not "off"')
    if replica_of is not None and not case_sensitive:
        raise ValueError("case_sensitive: a replica has its keys as its source has them: not false")


class Expiring:
    """The job of one service, from now on until `end`. It runs as often as it takes for
    nothing to stay much longer than it is to."""

    def __init__(self, view: View, keep: float, jobs: Jobs, sid: str) -> None:
        self._jobs, self._name = jobs, f"versions {sid}"
        interval = min(max(keep / 24, _SHORTEST), _LONGEST)
        jobs.add(self._name, interval, partial(remove_old, view, keep))

    def end(self) -> None:
        self._jobs.remove(self._name)


def remove_old(view: View, keep: float) -> Generator[int, None, Mapping[str, int]]:
    """In steps, each time how many versions were looked at. `keep`: seconds."""
    until = view.space.clock() - round(keep * 1000)
    done, looked = Counter[str](), 0
    rows = _seek(view, "key >= ?", "", STEP)
    while rows:
        # Oldest first: a marker goes when what it hides is gone.
        due = [(key, number) for key, number, retired in reversed(rows) if retired <= until]
        for at in range(0, len(due), AT_ONCE):
            few = due[at : at + AT_ONCE]
            done += view.change(partial(_expire, few, until), room="remove")
        looked += len(rows)
        yield looked
        rows = _behind(view, *rows[-1][:2])
    return done


def _seek(view: View, where: str, key: str, count: int, *more: int) -> list[Any]:
    sql = f"{_ROWS} {where} ORDER BY key, sequence DESC LIMIT ?"
    with view.space.reading() as connection:
        return connection.execute(sql, (view.service, key, *more, count)).fetchall()


def _behind(view: View, key: str, number: int) -> list[Any]:
    """In two: one range of both columns would be read from the first row on each time."""
    rows = _seek(view, "key = ? AND sequence < ?", key, STEP, number)
    left = STEP - len(rows)
    return rows + _seek(view, "key > ?", key, left) if left else rows


def _expire(due: Sequence[tuple[str, int]], until: int, shelf: Shelf) -> Counter[str]:
    done = Counter[str]()
    for key, number in due:
        try:
            done["removed"] += shelf.expire(key, number, until, CAUSE)
        except Protected:
            done["protected"] += 1
    return done
