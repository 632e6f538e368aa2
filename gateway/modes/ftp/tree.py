"""Services as folders: a folder is there where keys begin with it, or a marker says so (an empty
object whose key ends with a slash, as S3's consoles make them).

Who may not list learns nothing: to them every folder is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from gateway.access.access import Access
from gateway.modes.ftp.paths import Place
from gateway.storage import (
    AlreadyExists,
    BytesBody,
    Conditions,
    Delete,
    Forbidden,
    Get,
    ListPage,
    ListQuery,
    NoSuchKey,
    NotEmpty,
    ObjectInfo,
    Put,
    Unsupported,
    carried,
)

MARKER = "application/x-directory"


class Row(NamedTuple):
    """A line of a list. Of a folder `size` and `modified` are 0: nobody knows them."""

    name: str
    folder: bool
    size: int = 0
    modified: int = 0


def row_of(info: ObjectInfo) -> Row:
    return Row(info.key.rpartition("/")[2], False, info.size, info.modified)


def is_folder(access: Access, place: Place) -> bool:
    if not place.key:
        return True
    try:
        page = access.list(ListQuery(prefix=place.prefix, limit=1, brief=True))
    except (Forbidden, Unsupported):
        return True
    return bool(page.entries)


def rows(access: Access, place: Place) -> Iterator[Row]:
    """All of a folder, a page at a time. Raises `NoSuchKey` when there is none."""
    query = ListQuery(prefix=place.prefix, delimiter="/", brief=True)
    page = access.list(query)
    if place.key and not page.entries and not page.prefixes:
        raise NoSuchKey("There is no such folder.", key=place.key)
    return _rows(access, query, page)


def _rows(access: Access, query: ListQuery, page: ListPage) -> Iterator[Row]:
    at = len(query.prefix)
    while True:
        yield from (Row(one[at:-1], True) for one in page.prefixes)
        for one in page.entries:
            if one.key != query.prefix:
                yield Row(one.key[at:], False, one.size, one.modified)
        if page.next is None:
            return
        page = access.list(replace(query, after=page.next))


def make_folder(access: Access, place: Place) -> None:
    """Raises `AlreadyExists`."""
    access.require("write", place.prefix)
    if access.may("list", place.prefix) and is_folder(access, place):
        raise AlreadyExists("The folder is there already.", key=place.key)
    access.put(place.prefix, BytesBody(b""), Put(size=0, content_type=MARKER))


def remove_folder(access: Access, place: Place) -> None:
    """An empty one. Raises `NotEmpty`, `NoSuchKey`."""
    page = access.list(ListQuery(prefix=place.prefix, limit=2, brief=True))
    if not place.key or any(one.key != place.prefix for one in page.entries):
        raise NotEmpty("The folder is not empty.")
    if not page.entries:
        raise NoSuchKey("There is no such folder.", key=place.key)
    access.delete(place.prefix)


def remove(access: Access, key: str) -> None:
    """Raises `NoSuchKey`: a store says nothing of removing what is not there, and one that keeps
    versions would note it."""
    access.require("delete", key)
    if access.may("read", key):
        access.stat(key)
    access.delete(key)


def rename(source: Access, old: str, target: Access, new: str) -> None:
    """A copy, and then the other is removed, if it is still what was copied. Raises `Conflict`
    and the like: then both are there."""
    source.require("delete", old)
    info = source.stat(old)
    if info.tags:
        source.require_of("read-tags", info)
    same = None if info.etag.startswith("W/") else Conditions(if_match=(info.etag,))
    kept = carried(info, owner="", protection=None)
    sums = dict.fromkeys(info.checksums, "")
    options = Put(**kept, checksums=sums, checksum_type="FULL_OBJECT" if sums else None)
    target.copy(source, old, new, Get(conditions=same), options)
    source.delete(old, Delete(conditions=same))
