"""Lists: the order of keys from folders that have none, and no more folders than needed.

A folder's subtree has the keys that begin with its name and "/", so sorting a
folder's names, with "/" behind those of folders, and going down in that order
gives keys in the order of their bytes: `a.txt` < `a/b` < `a0`. A page reads
each folder that it touches once and whole, and of its files only those that
are on the page; it begins in the folder of the prefix, skips what is before
`after` without going down, and does not go into folders that a common prefix
stands for. So a page costs the names in the folders from its first to its last
item, whatever the rest of the tree holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from drivers.fsspec import paths
from drivers.fsspec.tree import Found, Node, Tree
from gateway.storage import BadKey, ListQuery
from gateway.storage.paging import LIMIT, common_prefix

_LONGEST = 4096
"""Bytes of a path (Linux' PATH_MAX): what is behind it is no key."""


class Item(NamedTuple):
    """A key with its file, or a common prefix without."""

    text: str
    found: Found | None


class Page(NamedTuple):
    items: list[Item]
    next: str | None


def page(tree: Tree, query: ListQuery) -> Page:
    limit = min(query.limit, LIMIT)
    if limit <= 0:
        return Page([], None)
    items = list(islice(walk(tree, query), limit + 1))
    return Page(items[:limit], items[limit - 1].text if len(items) > limit else None)


def walk(tree: Tree, query: ListQuery) -> Iterator[Item]:
    """The items behind `query.after`, in order. A stack rather than recursion: paths may
    be deeper than Python's."""
    base = query.prefix[: query.prefix.rfind("/") + 1]
    if base and not _is_folder(tree, base):
        return
    told = ""
    waiting = [_level(tree, base, query)]
    while waiting:
        mark, folder, node = next(waiting[-1], ("", "", None))
        if node is None:
            waiting.pop()
            continue
        rolled = common_prefix(mark, query.prefix, query.delimiter)
        if rolled is None and node.folder:
            waiting.append(_level(tree, mark, query))
        elif rolled is None:
            found = tree.found(folder, node)
            if found is not None:
                yield Item(mark, found)
        elif rolled > query.after and rolled != told and _there(tree, folder, node, mark):
            told = rolled
            yield Item(rolled, None)


def _there(tree: Tree, folder: str, node: Node, mark: str) -> bool:
    return tree.occupied(mark) if node.folder else tree.found(folder, node) is not None


def _is_folder(tree: Tree, base: str) -> bool:
    try:
        paths.check(base[:-1], windows=tree.windows)
    except BadKey:
        return False
    return True


def _level(tree: Tree, folder: str, query: ListQuery) -> Iterator[tuple[str, str, Node]]:
    """(key, or folder with "/" behind it; the folder it is in; node) of what may hold
    items, in order."""
    marked: list[tuple[str, Node]] = []
    try:  # a path may be longer than any, where folders are in themselves
        nodes = tree.scan(folder) if len(folder.encode()) < _LONGEST else ()
    except BadKey:
        nodes = ()
    for node in nodes:
        mark = f"{folder}{node.name}/" if node.folder else folder + node.name
        if not mark.startswith(query.prefix):
            continue
        if mark <= query.after and not (node.folder and query.after.startswith(mark)):
            continue
        marked.append((mark, node))
    marked.sort(key=itemgetter(0))
    return ((mark, folder, node) for mark, node in marked if _fits(tree, folder, node.name))


def _fits(tree: Tree, folder: str, name: str) -> bool:
    """Whether a name is one that a key can have; asked only as far as the page goes."""
    return paths.fits(name, at_root=not folder, windows=tree.windows) and not tree.refusal(name)
