"""A page of a list as a table's rows: folders and objects together, by key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gateway.modes.console.browsing import media_types
from gateway.modes.console.object_names import folder_of, name_of
from gateway.storage import ListPage, VersionEntry


class Row(NamedTuple):
    """`name`: the key without the folder that is shown. A folder has nothing else."""

    key: str
    name: str
    folder: bool = False
    size: int = 0
    modified: int = 0
    kind: str = ""
    storage_class: str = ""


def rows(page: ListPage, prefix: str) -> Sequence[Row]:
    """Of a list of `prefix`, a page of which has no more than a thousand."""
    return sorted(_rows(page, folder_of(prefix)))


def _rows(page: ListPage, folder: str) -> Iterator[Row]:
    for prefix in page.prefixes:
        yield Row(prefix, name_of(prefix, folder), folder=True)
    for one in page.entries:
        yield Row(
            one.key,
            name_of(one.key, folder),
            False,
            one.size,
            one.modified,
            media_types.kind_of(one.content_type, one.key),
            one.storage_class,
        )


def of_key(entries: Iterable[VersionEntry], key: str) -> Iterator[VersionEntry]:
    """Those of one object, of a list that begins with them."""
    for one in entries:
        if one.key != key:
            return
        yield one
