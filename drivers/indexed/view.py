"""A view on one service of a space: what all of them can do. `store.py` puts the rest on top.

A view without a service (`service` 0) stands for the buckets as a whole.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar, cast

from drivers.indexed.batch import Transaction
from drivers.indexed.cipher import Sealing
from drivers.indexed.listing import list_objects, list_versions
from drivers.indexed.reading import Reader, ReadingView, Verify
from drivers.indexed.records import STATS, stats_of
from drivers.indexed.recounting import recount
from drivers.indexed.rows import is_version
from drivers.indexed.scrubbing import scrub
from drivers.indexed.space import Space
from drivers.indexed.writing import INLINE_LIMIT, Writer, WritingView
from gateway.storage import (
    NULL_VERSION,
    Change,
    ChangePage,
    Changes,
    InvalidRequest,
    Listable,
    ListPage,
    ListQuery,
    Measures,
    NoSuchStore,
    Recount,
    Scrubbed,
    Scrubs,
    Stats,
    Unavailable,
    UploadQuery,
    Versioning,
    VersionPage,
    VersionQuery,
    Versions,
)

Q = TypeVar("Q", ListQuery, VersionQuery, UploadQuery)


class View(ReadingView, WritingView, Listable, Versions, Changes, Measures, Scrubs):
    def attach(
        self,
        space: Space,
        service: int,
        sealing: Sealing,
        *,
        inline_limit: int = INLINE_LIMIT,
        verify: Verify = "scrub",
        compress: bool = False,
    ) -> None:
        """Become a view on `service`; 0 for the buckets as a whole."""
        self.space, self.service, self.sealing = space, service, sealing
        self.reader = Reader(space, sealing, verify=verify)
        self.writer = Writer(space, sealing, inline_limit=inline_limit, compress=compress)

    def row(self, execute: Callable[..., Any], columns: str) -> Any:
        """Columns of the service's row. Raises `NoSuchStore`."""
        sql = f"SELECT {columns} FROM services WHERE id = ?"
        row = execute(sql, (self.service,)).fetchone()
        if row is None:
            raise NoSuchStore
        return row

    # reading

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        query = self._query(query)
        with self.space.looking() as connection:  # a page is no more of one moment than two are
            (versioning,) = self.row(connection.execute, "versioning")
            return list_objects(connection, self.service, query, versioned=versioning != "off")

    def _query(self, query: Q) -> Q:
        if self.case_sensitive:
            return query
        prefix, delimiter, after = map(self.fold, (query.prefix, query.delimiter, query.after))
        return replace(query, prefix=prefix, delimiter=delimiter, after=after)

    def stats(self) -> Stats:
        with self.space.reading() as connection:
            return stats_of(self.row(connection.execute, STATS))

    def recount(self, *, repair: bool = False) -> Recount:
        return recount(self.space, self.service, repair=repair)

    def scrub(self) -> Iterator[Scrubbed]:
        return scrub(self.space, self.service)

    # versions

    @property
    def versioning(self) -> Versioning:
        with self.space.reading() as connection:
            return cast(Versioning, self.row(connection.execute, "versioning")[0])

    def set_versioning(self, state: Versioning) -> None:
        def operation(txn: Transaction) -> None:
            (before,) = self.row(txn.execute, "versioning")
            if state == "off" and before != "off":
                raise InvalidRequest("Versioning can be suspended, not undone.")
            txn.execute("UPDATE services SET versioning = ? WHERE id = ?", (state, self.service))

        self.space.write(operation)

    def versions(self, query: VersionQuery = VersionQuery()) -> VersionPage:
        with self.space.reading() as connection:
            self.row(connection.execute, "id")
            return list_versions(connection, self.service, self._query(query))

    def names_version(self, text: str) -> bool:
        return text == NULL_VERSION or is_version(text)

    # changes

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        page, deadline = self._changes(after, limit), time.monotonic() + wait
        if page.changes or wait <= 0:
            return page
        changed = threading.Event()
        stop = self.watch(changed.set)
        try:
            while True:
                changed.clear()
                page = self._changes(after, limit)
                left = deadline - time.monotonic()
                if page.changes or left <= 0:
                    return page
                changed.wait(left)
        finally:
            stop()

    def watch(self, wake: Callable[[], object]) -> Callable[[], None]:
        return self.space.watchers.add(self.service, wake)

    def _changes(self, after: int, limit: int) -> ChangePage:
        with self.space.reading() as connection:
            columns = "sequence, created, feed, replica"
            last, created, feed, replica = self.row(connection.execute, columns)
            rows = connection.execute(
                "SELECT sequence, kind, time, key, version, size, etag, content_type, cause"
                " FROM changes WHERE service = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                (self.service, after, limit),
            ).fetchall()
        if replica == "unsettled":
            raise Unavailable("The replica is of no known state of its source yet.", retry_after=1)
        return ChangePage(
            changes=tuple(map(Change._make, rows)),
            last=last,
            feed=feed or f"{self.service}.{created}",
            cut=after + 1 < (rows[0][0] if rows else last + 1),  # sync ids have no gaps
        )
