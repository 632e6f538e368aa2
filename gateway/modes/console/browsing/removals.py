"""Removing many objects: counted first, and then in steps that a client can follow.

Nothing is kept between two steps but what is in the page's form: what is left to remove, and
where in it. So it goes on after a restart, in any worker, and it stops when the page is closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.access.access import Access
from gateway.storage import Delete, Deleted, ListQuery, VersionQuery
from gateway.storage.paging import LIMIT

MOST_KEYS = 10_000
"""Of one form. More are removed by what their keys begin with."""

MOST_PREFIXES = 1000
"""Of one form, as many as a page has rows: each is listed to be counted."""

STEP = 250
"""Objects: where each is a request to somebody else, a few seconds."""

_COUNTED = 10_000
"""What is counted below prefixes before "more than" is said: ten pages of a list."""

_TOLD = 20
"""Of what could not be removed."""

After = tuple[str, str]
"""The last key of a page, and, in a list of versions, its version."""

BEGINNING: After = ("", "")


class Item(NamedTuple):
    """What one delete removes. Without a version: the current object."""

    key: str
    version: str | None = None
    size: int = 0


class Found(NamedTuple):
    """What is below prefixes. `more`: at least that, and it was not counted further."""

    objects: int = 0
    bytes: int = 0
    more: bool = False


def count(access: Access, prefixes: Sequence[str], *, versions: bool = False) -> Found:
    """What a removal of these would remove. Raises what listing raises."""
    objects = size = 0
    for items in _pages(access, prefixes, versions):
        objects += len(items)
        size += sum(item.size for item in items)
        if objects > _COUNTED:
            return Found(objects, size, more=True)
    return Found(objects, size)


def _pages(access: Access, prefixes: Sequence[str], versions: bool) -> Iterator[Sequence[Item]]:
    for prefix in prefixes:
        after: After | None = BEGINNING
        while after is not None:
            items, after = _page(access, prefix, after, LIMIT, versions)
            yield items


def _page(
    access: Access, prefix: str, after: After, limit: int, versions: bool
) -> tuple[Sequence[Item], After | None]:
    """And after what the next one begins."""
    if versions:
        query = VersionQuery(prefix=prefix, after=after[0], after_version=after[1], limit=limit)
        page = access.versions(query)
        following = None if page.next is None else (page.next, page.next_version)
        return [Item(one.key, one.version, one.size) for one in page.entries], following
    found = access.list(ListQuery(prefix=prefix, after=after[0], limit=limit, brief=True))
    following = None if found.next is None else (found.next, "")
    return [Item(one.key, None, one.size) for one in found.entries], following


@dataclass(slots=True, kw_only=True)
class Removal:
    """What is left of one. `keys` are removed first, then all below `prefixes`, one after the
    other, of the first of them what is behind `after`. `versions`: of these all versions, for
    good. `trouble`: of the last step, some of what could not be removed, and why."""

    keys: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    versions: bool = False
    after: After = BEGINNING
    removed: int = 0
    failed: int = 0
    trouble: list[tuple[str, str]] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return not self.keys and not self.prefixes

    def step(self, access: Access) -> None:
        """Remove up to `STEP` of them. Raises what listing raises."""
        if self.keys:
            keys, self.keys = self.keys[:STEP], self.keys[STEP:]
            self._remove(access, [Item(key) for key in keys])
        elif self.prefixes:
            prefix = self.prefixes[0]
            items, following = _page(access, prefix, self.after, STEP, self.versions)
            self._remove(access, items)
            self.after = following or BEGINNING
            if following is None:
                del self.prefixes[0]

    def _remove(self, access: Access, items: Sequence[Item]) -> None:
        results = access.delete_many([(one.key, Delete(version=one.version)) for one in items])
        for item, result in zip(items, results, strict=True):
            if isinstance(result, Deleted):
                self.removed += 1
                continue
            self.failed += 1
            if len(self.trouble) < _TOLD:
                self.trouble.append((item.key, str(result)))
