"""Lists of keys, versions and uploads: what rows each has, and what it makes of them."""

from __future__ import annotations

import sqlite3
from functools import partial
from itertools import chain, repeat
from operator import ne
from typing import Any

from drivers.indexed.leaping import Leap, leaping
from drivers.indexed.records import unpack_upload
from drivers.indexed.rows import sequence_of
from drivers.indexed.stretches import Bounds, Row, columns
from drivers.indexed.walking import walk
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
from gateway.storage.paging import BRIEF, successor

# current objects

_UNREAD = {name: repeat(value) for name, value in Entry._field_defaults.items()}
_entry = partial(tuple.__new__, Entry)
"""`Entry._make` without its check: rows have what an entry has."""


class _Objects:
    """Rows of `objects` as entries. What nobody looks at is not read: with `brief` the type,
    the version and the owner; else the version of a service that never kept versions."""

    def __init__(
        self, connection: sqlite3.Connection, service: int, query: ListQuery, *, versioned: bool
    ) -> None:
        self._connection = connection
        self._bounds = Bounds(service, successor(query.prefix))
        unread = BRIEF if query.brief else () if versioned else ("version",)
        self._names = [name for name in Entry._fields if name not in unread]
        self._select = f"SELECT {', '.join(self._names)} FROM objects WHERE"
        self._leap = leaping(connection, service, query, self._names)

    def seek(self, key: str, inclusive: bool, count: int) -> list[Row]:
        sql = f"{self._select} {self._bounds.where(inclusive)} ORDER BY key LIMIT ?"
        values = (*self._bounds.values(key), count)
        return self._rows(columns(self._connection, self._names, sql, values))

    def _rows(self, found: list[list[Any]]) -> list[Row]:
        values = dict(zip(self._names, found, strict=True))
        whole = [values.get(name, _UNREAD.get(name)) for name in Entry._fields]
        return list(zip(*whole))  # noqa: B905 (what is not read has no end)

    @property
    def leap(self) -> Leap | None:
        if self._leap is None:
            return None
        leap = self._leap
        return lambda key, inclusive, count: self._rows(leap(key, inclusive, count))

    def rest(self, row: Row, count: int) -> list[Row]:
        return []  # a key has one object


def list_objects(
    connection: sqlite3.Connection, service: int, query: ListQuery, *, versioned: bool
) -> ListPage:
    objects = _Objects(connection, service, query, versioned=versioned)
    page = walk(
        objects, leap=objects.leap,
        prefix=query.prefix, delimiter=query.delimiter, after=query.after, limit=query.limit,
    )  # fmt: skip
    return ListPage(
        entries=tuple(map(_entry, page.rows)), prefixes=tuple(page.prefixes), next=page.next
    )


# versions

BEYOND = 1 << 62
"""More than any sequence."""

_VERSION = ("key", "version", "marker", "size", "etag", "modified", "storage_class", "owner",
            "sequence")  # fmt: skip
_STORED = ", ".join(name for name in _VERSION if name != "marker")
_version_entry = partial(tuple.__new__, VersionEntry)


class _Versions:
    """Rows of both tables as entries, by key, newest first."""

    def __init__(self, connection: sqlite3.Connection, service: int, prefix: str) -> None:
        self._connection, self._service = connection, service
        self._bounds = Bounds(service, successor(prefix))

    def _rows(self, where: str, values: tuple[object, ...], count: int, before: str) -> list[Row]:
        """`before`: the key that has had its latest."""
        sql = (
            f"SELECT {_STORED}, 0 AS marker FROM objects WHERE {where}"
            f" UNION ALL SELECT {_STORED}, marker FROM versions WHERE {where}"
            " ORDER BY key, sequence DESC LIMIT ?"
        )
        keys, versions, markers, *others = columns(
            self._connection, _VERSION, sql, (*values, *values, count)
        )
        latest = map(ne, keys, chain((before,), keys))
        return list(zip(keys, versions, latest, map(bool, markers), *others, strict=True))

    def seek(self, key: str, inclusive: bool, count: int) -> list[Row]:
        return self._rows(self._bounds.where(inclusive), self._bounds.values(key), count, "")

    def rest(self, row: Row, count: int) -> list[Row]:
        values = (self._service, row[0], row[-1])
        return self._rows("service = ? AND key = ? AND sequence < ?", values, count, row[0])


def list_versions(connection: sqlite3.Connection, service: int, query: VersionQuery) -> VersionPage:
    cursor = None
    if query.after_version:
        cursor = query.after, _sequence(connection, service, query.after, query.after_version)
    page = walk(
        _Versions(connection, service, query.prefix), cursor=cursor,
        prefix=query.prefix, delimiter=query.delimiter, after=query.after, limit=query.limit,
    )  # fmt: skip
    entries = tuple(map(_version_entry, page.rows))
    ended = bool(entries) and page.next == entries[-1].key
    return VersionPage(
        entries=entries,
        prefixes=tuple(page.prefixes),
        next=page.next,
        next_version=entries[-1].version if ended else "",
    )


def _sequence(connection: sqlite3.Connection, service: int, key: str, version: str) -> int:
    """Where in its key's order a version stands, also when it has been removed; but where the
    null version was nobody knows then: the key's versions are listed from the newest on."""
    if version != NULL_VERSION:
        return sequence_of(version)
    for table in ("objects", "versions"):
        found = connection.execute(
            f"SELECT sequence FROM {table} WHERE service = ? AND key = ? AND version = 'null'",
            (service, key),
        ).fetchone()
        if found is not None:
            return int(found[0])
    return BEYOND


# uploads

_UPLOAD = "key", "id", "begun", "options"


class _Uploads:
    """Rows of uploads that have not ended, by key and id."""

    def __init__(self, connection: sqlite3.Connection, service: int, prefix: str) -> None:
        self._connection, self._service = connection, service
        self._bounds = Bounds(service, successor(prefix))

    def _rows(self, where: str, values: tuple[object, ...], count: int) -> list[Row]:
        sql = (
            f"SELECT {', '.join(_UPLOAD)} FROM uploads WHERE ended IS NULL AND {where}"
            " ORDER BY key, id LIMIT ?"
        )
        return list(zip(*columns(self._connection, _UPLOAD, sql, (*values, count)), strict=True))

    def seek(self, key: str, inclusive: bool, count: int) -> list[Row]:
        return self._rows(self._bounds.where(inclusive), self._bounds.values(key), count)

    def rest(self, row: Row, count: int) -> list[Row]:
        return self._rows(
            "service = ? AND key = ? AND id > ?", (self._service, row[0], row[1]), count
        )


def list_uploads(connection: sqlite3.Connection, service: int, query: UploadQuery) -> UploadPage:
    page = walk(
        _Uploads(connection, service, query.prefix),
        cursor=(query.after, query.after_upload) if query.after_upload else None,
        prefix=query.prefix, delimiter=query.delimiter, after=query.after, limit=query.limit,
    )  # fmt: skip
    uploads = tuple(
        unpack_upload(upload, key, begun, options) for key, upload, begun, options in page.rows
    )
    ended = bool(uploads) and page.next == uploads[-1].key
    return UploadPage(
        uploads=uploads,
        prefixes=tuple(page.prefixes),
        next=page.next,
        next_upload=uploads[-1].id if ended else "",
    )
