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
    StorageError,
    TooLarge,
    Unsupported,
    carried,
)
from gateway.storage.paging import LIMIT

MARKER = "application/x-directory"
RENAMED = 10_000
"""Files of a folder that is renamed, at most: its client waits for the answer."""


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


def make_folder(access: Access, place: Place) -> bool:
    """Whether the store keeps it; one that has objects as files has no markers. Raises
    `AlreadyExists`."""
    access.require("write", place.prefix)
    if access.may("list", place.prefix) and is_folder(access, place):
        raise AlreadyExists("The folder is there already.", key=place.key)
    if not access.service.path_keys:
        access.put(place.prefix, BytesBody(b""), Put(size=0, content_type=MARKER))
    return not access.service.path_keys


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
    removal = _copied(source, old, target, new)
    source.delete(old, removal)


def rename_folder(source: Access, old: Place, target: Access, new: Place) -> None:
    """All that is in it, one after the other: first the copies, then the others are removed. So
    what fails midway has left nothing out. Raises `AlreadyExists`, `TooLarge`."""
    inside = old.sid == new.sid and new.prefix.startswith(old.prefix)
    if inside or is_folder(target, new):
        raise AlreadyExists("There is a folder of that name, or it would be in itself.")
    removals = [
        (key, _copied(source, key, target, new.prefix + key.removeprefix(old.prefix)))
        for key in _keys(source, old)
    ]
    for start in range(0, len(removals), LIMIT):
        for result in source.delete_many(removals[start : start + LIMIT]):
            if isinstance(result, StorageError):
                raise result


def _keys(access: Access, place: Place) -> list[str]:
    keys, query = list[str](), ListQuery(prefix=place.prefix, brief=True)
    while True:
        page = access.list(query)
        keys += (one.key for one in page.entries)
        if len(keys) > RENAMED:
            text = f"A folder with more than {RENAMED} files is renamed by its files."
            raise TooLarge(text, limit=RENAMED)
        if page.next is None:
            return keys
        query = replace(query, after=page.next)


def _copied(source: Access, old: str, target: Access, new: str) -> Delete:
    """How the other is to be removed."""
    source.require("delete", old)
    info = source.stat(old)
    if info.tags:
        source.require_of("read-tags", info)
    same = None if info.etag.startswith("W/") else Conditions(if_match=(info.etag,))
    kept = carried(info, owner="", protection=None)
    sums = dict.fromkeys(info.checksums, "")
    options = Put(**kept, checksums=sums, checksum_type="FULL_OBJECT" if sums else None)
    target.copy(source, old, new, Get(conditions=same), options)
    return Delete(conditions=same)
