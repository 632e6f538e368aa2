"""Lists of keys, versions and uploads: one walk for all three.

A walk goes through rows in the order of their keys and seeks past each common
prefix, so that a page costs index seeks in the order of the page, whatever
the service holds below a prefix.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from drivers.indexed.finding import sequence_of
from drivers.indexed.leaping import Leap, follow, leaping
from drivers.indexed.records import unpack_upload
from gateway.storage import (
    NULL_VERSION,
    Entry,
    ListPage,
    ListQuery,
    UploadPage,
    UploadQuery,
    VersionEntry,
    VersionPage,
    VersionQuery,
)
from gateway.storage.paging import LIMIT, common_prefix, successor

Rows = Iterator[tuple[Any, ...]]
Seek = Callable[[str, bool], Rows]
"""Rows from a key on: `seek(key, inclusive)`, the key first in each row, in order."""


class Walked(NamedTuple):
    """Rows and common prefixes of a page; `next` is its last item when more follow."""

    rows: list[tuple[Any, ...]]
    prefixes: list[str]
    next: str | None


_STEPS = 8
"""Rows below a prefix that are stepped over before the walk seeks past them, which costs as
much as some rows. Where prefixes hold more than that, it soon seeks at once."""


def walk(
    seek: Seek,
    first: Rows | None,
    *,
    prefix: str,
    delimiter: str,
    after: str,
    limit: int,
    leap: Leap | None = None,
) -> Walked:
    """A page of what is greater than `after`. `first`: rows still due of the key `after`.
    With `leap` many full prefixes in a row are passed more quickly than by seeking."""
    limit = min(limit, LIMIT)
    page = Walked([], [], None)
    if limit <= 0:
        return page
    rows: Rows = chain(first or (), begin(seek, prefix, delimiter, after))
    last, passed = "", None
    below, patience = 0, _STEPS
    while (row := next(rows, None)) is not None:
        key: str = row[0]
        if not key.startswith(prefix):
            break
        if passed is not None and key.startswith(passed):
            below += 1
            if below >= patience:
                patience = max(1, patience // 2)
                beyond = successor(passed)
                if beyond is None:
                    break
                if leap is not None and patience == 1:
                    room = limit - len(page.rows)
                    found = follow(leap(beyond), page.prefixes, prefix, delimiter, room)
                    last, beyond = found.last or last, found.beyond
                    if beyond is None:
                        return page._replace(next=last if found.more else None)
                rows, passed = seek(beyond, True), None
            continue
        if passed is not None:
            patience = min(_STEPS, patience * 2)
            passed = None
        if len(page.rows) + len(page.prefixes) == limit:
            return page._replace(next=last)
        group = common_prefix(key, prefix, delimiter)
        if group is None:
            page.rows.append(row)
            last = key
        else:
            page.prefixes.append(group)
            last = passed = group
            below = 0
    return page


def begin(seek: Seek, prefix: str, delimiter: str, after: str) -> Rows:
    """Rows of the first item that is greater than `after`."""
    if after < prefix:
        return seek(prefix, True)
    group = common_prefix(after, prefix, delimiter) if after.startswith(prefix) else None
    if group is None:
        return seek(after, False)
    beyond = successor(group)  # the group is not greater than `after`: it was listed before
    return seek(beyond, True) if beyond is not None else iter(())


# current objects

_ENTRY = "key, size, etag, modified, content_type, {}, storage_class, owner"
_VERSIONED = _ENTRY.format("version")
_UNVERSIONED = _ENTRY.format("NULLIF(version, 'null')")
"""A service that never kept versions does not name the null version."""


def list_objects(
    connection: sqlite3.Connection, service: int, query: ListQuery, *, versioned: bool
) -> ListPage:
    columns = _VERSIONED if versioned else _UNVERSIONED
    if not query.delimiter and query.limit > 0:
        return _list_flat(connection, service, query, columns)

    rows = f"SELECT {columns} FROM objects WHERE service = ? AND key"
    from_key, after_key = f"{rows} >= ? ORDER BY key", f"{rows} > ? ORDER BY key"

    def seek(key: str, inclusive: bool) -> Rows:
        return connection.execute(from_key if inclusive else after_key, (service, key))

    walked = walk(
        seek, None, prefix=query.prefix, delimiter=query.delimiter, after=query.after,
        limit=query.limit, leap=leaping(connection, service, query),
    )  # fmt: skip
    return _list_page(walked)


def _list_flat(
    connection: sqlite3.Connection, service: int, query: ListQuery, columns: str
) -> ListPage:
    """Without a delimiter a page is one stretch of the index."""
    limit = min(query.limit, LIMIT)
    beyond = successor(query.prefix)
    inclusive = query.after < query.prefix
    sql = (
        f"SELECT {columns} FROM objects WHERE service = ?"
        f" AND key {'>=' if inclusive else '>'} ?"
        f"{' AND key < ?' if beyond is not None else ''} ORDER BY key LIMIT ?"
    )
    start = query.prefix if inclusive else query.after
    bounds = (service, start, limit + 1) if beyond is None else (service, start, beyond, limit + 1)
    rows = connection.execute(sql, bounds).fetchall()
    more = len(rows) > limit
    rows = rows[:limit]
    return _list_page(Walked(rows, [], rows[-1][0] if more else None))


_entry = partial(tuple.__new__, Entry)
"""`Entry._make` without its check: rows have the columns of `_ENTRY`."""


def _list_page(walked: Walked) -> ListPage:
    return ListPage(
        entries=tuple(map(_entry, walked.rows)),
        prefixes=tuple(walked.prefixes),
        next=walked.next,
    )


# versions

_VERSION = "key, sequence, version, size, etag, modified, storage_class, owner"


def list_versions(connection: sqlite3.Connection, service: int, query: VersionQuery) -> VersionPage:
    def seek(key: str, inclusive: bool) -> Rows:
        bound = f"service = ? AND key {'>=' if inclusive else '>'} ?"
        return _latest_first(
            _merged(connection, bound, "key", "key, sequence DESC", (service, key)), None
        )

    first = None
    if query.after_version:
        sequence = _sequence(connection, service, query.after, query.after_version)
        bound = "service = ? AND key = ? AND sequence < ?"
        rows = _merged(
            connection, bound, "key", "key, sequence DESC", (service, query.after, sequence)
        )
        first = _latest_first(rows, query.after)
    walked = walk(
        seek, first, prefix=query.prefix, delimiter=query.delimiter, after=query.after,
        limit=query.limit,
    )  # fmt: skip
    entries = tuple(map(_version_entry, walked.rows))
    ended = bool(entries) and walked.next == entries[-1].key
    return VersionPage(
        entries=entries,
        prefixes=tuple(walked.prefixes),
        next=walked.next,
        next_version=entries[-1].version if ended else "",
    )


def _version_entry(row: tuple[Any, ...]) -> VersionEntry:
    key, sequence, version, size, etag, modified, storage_class, owner, marker, latest = row
    return VersionEntry(
        key, version, latest, bool(marker), size, etag, modified, storage_class, owner, sequence
    )


def _merged(
    connection: sqlite3.Connection,
    bound: str,
    order: str,
    version_order: str,
    parameters: tuple[object, ...],
) -> Rows:
    """Rows of both tables by key, newest first; behind each whether it is a marker."""
    current = connection.execute(
        f"SELECT {_VERSION}, 0 FROM objects WHERE {bound} ORDER BY {order}",
        parameters,
    )
    older = connection.execute(
        f"SELECT {_VERSION}, marker FROM versions WHERE {bound} ORDER BY {version_order}",
        parameters,
    )
    return heapq.merge(current, older, key=lambda row: (row[0], -row[1]))


def _latest_first(rows: Rows, key: str | None) -> Rows:
    """The rows with "is latest" behind each: the first of a key, unless `key` had one."""
    for row in rows:
        yield (*row, row[0] != key)
        key = row[0]


def _sequence(connection: sqlite3.Connection, service: int, key: str, version: str) -> int:
    """Where in its key's order a version stands, also when it has been removed."""
    if version != NULL_VERSION:
        return sequence_of(version)
    for table in ("objects", "versions"):
        found = connection.execute(
            f"SELECT sequence FROM {table} WHERE service = ? AND key = ? AND version = 'null'",
            (service, key),
        ).fetchone()
        if found is not None:
            return int(found[0])
    return 0


# uploads


def list_uploads(connection: sqlite3.Connection, service: int, query: UploadQuery) -> UploadPage:
    columns = "key, id, begun, options"

    def seek(key: str, inclusive: bool) -> Rows:
        return connection.execute(
            f"SELECT {columns} FROM uploads WHERE ended IS NULL AND service = ?"
            f" AND key {'>=' if inclusive else '>'} ? ORDER BY key, id",
            (service, key),
        )

    first = None
    if query.after_upload:
        first = connection.execute(
            f"SELECT {columns} FROM uploads WHERE ended IS NULL AND service = ?"
            " AND key = ? AND id > ? ORDER BY id",
            (service, query.after, query.after_upload),
        )
    walked = walk(
        seek, first, prefix=query.prefix, delimiter=query.delimiter, after=query.after,
        limit=query.limit,
    )  # fmt: skip
    uploads = tuple(
        unpack_upload(upload, key, begun, options) for key, upload, begun, options in walked.rows
    )
    ended = bool(uploads) and walked.next == uploads[-1].key
    return UploadPage(
        uploads=uploads,
        prefixes=tuple(walked.prefixes),
        next=walked.next,
        next_upload=uploads[-1].id if ended else "",
    )
