"""The catalog's volumes in the store of [buckets], which counts what is in them and keeps quotas.

The catalog says which volumes there are, and its row comes first and goes last. Between the two
somebody may change the row again, or the process may end: so what is done to the store is to make
it as the row says *now*, as often as that changes. Every gateway looks for rows that were changed
(by another process, or a command beside it), and at its start for all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress

from gateway.catalog import Catalog
from gateway.catalog.rows import VolumeRow
from gateway.config import VolumeOptions
from gateway.config.problems import join
from gateway.storage import Conflict, Full, NotEmpty, Unavailable, Volumes

log = logging.getLogger("gateway.services")

_TRIES = 10
"""How often a row may change under the hands of who looks at it."""
_PAGE = 1000
_NONE = -1
"""No quota: the store has no such volume."""


def settle(store: Volumes, catalog: Catalog, name: str) -> None:
    """Have the store's volume be as the catalog's is. One that has a bucket is not dropped."""
    for _ in range(_TRIES):
        row = catalog.written_volume(name)
        if row is None:
            with suppress(NotEmpty):
                store.drop_volume(name)
        else:
            store.set_volume(name, row.quota)
        if _wanted(catalog.written_volume(name)) == _wanted(row):
            return
    raise Conflict("The volume is changed again and again.")


def _wanted(row: VolumeRow | None) -> tuple[int | None] | None:
    """Of the store: a volume with that quota, or none."""
    return None if row is None else (row.quota,)


def uncounted(catalog: Catalog, declared: Mapping[str, VolumeOptions]) -> Iterator[str]:
    """What an operator is told of quotas that were declared for volumes with services whose
    stores they do not count."""
    limited = [name for name, one in declared.items() if one.quota is not None]
    for name, sid in sorted(catalog.uncounted(limited).items() if limited else ()):
        yield (
            f"{join(join('volumes', name), 'quota')}: it does not count what the service {sid} in"
            " it keeps, which has a driver of its own: give that its own `quota`, or take it out"
            f" of the volume (`gateway services set {sid} --unset volume`)."
        )


class FollowedVolumes:
    """Has the store follow what others change."""

    def __init__(self, store: Volumes | None, catalog: Catalog) -> None:
        self._store, self._catalog, self._number = store, catalog, 0

    def look(self) -> None:
        """One query, while nothing is changed. Raises `StorageError`: then look again."""
        store = self._store
        if store is None or (number := self._catalog.volumes_number()) == self._number:
            return
        while rows := self._catalog.volumes_since(self._number, _PAGE):
            known = store.volumes([row.name for row in rows])
            for row in rows:
                if row.name not in known or known[row.name].quota != row.quota:
                    settle(store, self._catalog, row.name)
            self._number = rows[-1].revision
        self._number = max(self._number, number)  # that of one that is gone is none's

    def look_at_all(self) -> None:
        """Set right what was left by a process that ended, too: volumes that nobody has any more.
        A full disk stops no start: what could not be done then is done by the next one, or by who
        needs it."""
        if self._store is None:
            return
        self._number = self._catalog.volumes_number()  # first: what follows may be newer
        left = {name: stats.quota for name, stats in self._store.volumes().items()}
        wrong, after = list[str](), ""
        while rows := self._catalog.volumes(after=after, limit=_PAGE):
            wrong += [row.name for row in rows if left.pop(row.name, _NONE) != row.quota]
            after = rows[-1].name
        for name in (*wrong, *left):
            try:
                settle(self._store, self._catalog, name)
            except (Conflict, Full, Unavailable) as error:
                log.warning("volumes.%s: its quota could not be set: %s", name, error)
