"""What a gateway has on disk, looked at from another process while it serves.

Paths are texts, and nothing is imported but the store: it is called where the gateway runs
(`tests.windows.gateways.call`), for files and their locks are that system's.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from drivers.indexed.space import FileSpace
from drivers.indexed.upkeep import remove_due, remove_orphans
from drivers.local import Local
from gateway.storage import Context
from gateway.storage.objects import now

DAY = 24 * 3_600_000


def sound(data: str) -> None:
    """SQLite finds nothing wrong with an index or a catalog."""
    for name in ("index.db", "catalog.db"):
        with closing(sqlite3.connect(Path(data) / name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], name


def recounted(data: str) -> None:
    """What was counted is what there is."""
    store = Local()
    store.open(Context(folder=Path(data)))
    try:
        done = [store.bucket(one.name).recount() for one in store.buckets()]
        assert all(one.right for one in done), done
    finally:
        store.close()


def collect(data: str) -> None:
    """Run the collector, tomorrow: then there is each file that the index needs, and no other."""
    store = Local()
    store.open(Context(folder=Path(data), clock=lambda: now() + DAY))
    try:
        space = store.space
        assert isinstance(space, FileSpace)
        remove_orphans(space, age=0)
        while remove_due(space):
            pass
        with space.reading() as connection:
            rows = connection.execute("SELECT name, refs FROM blobs WHERE name > ''").fetchall()
        assert all(refs > 0 for _, refs in rows)
        assert {name for name, _ in rows} == {name for name, _ in space.files.names()}
    finally:
        store.close()
