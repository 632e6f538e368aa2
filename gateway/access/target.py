"""The object that something is to be done to, for rules that ask what it has (its tags).

It is looked at only when such a rule is left to be decided by. Then the decision is one about
that object: whoever reads takes it again, for the object that was found. Whoever deletes it,
or changes its tags, its lists or its protection, does so to an object that has what was looked
at (for lists its owner and those that it has, too), or is decided about anew; over a store that
does not compare that (`Labels.compares_seen`) another may be there by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.storage import (
    NOTHING,
    Forbidden,
    Get,
    MethodNotAllowed,
    NotFound,
    ObjectInfo,
    Store,
    WrongKey,
)


class StoredTarget:
    """`key`: None for what is done to the service. `want` names a version, and has the key of
    what a customer has encrypted."""

    __slots__ = ("_key", "_store", "_tags", "_want")

    def __init__(self, store: Store, key: str | None, want: Get) -> None:
        self._store, self._key, self._want = store, key, want
        self._tags: Mapping[str, str] | None = None

    @property
    def version(self) -> str | None:
        return self._want.version

    @property
    def looked(self) -> bool:
        return self._tags is not None

    @property
    def seen(self) -> Mapping[str, Any] | None:
        """What anybody asked for, by names of `Properties`; None: nothing."""
        return None if self._tags is None else {"tags": self._tags}

    @property
    def tags(self) -> Mapping[str, str]:
        """Raises `Forbidden` for an object of which nothing can be known without its key."""
        if self._tags is None:
            self._tags = self._read()
        return self._tags

    def _read(self) -> Mapping[str, str]:
        asked = self._want
        want = Get(version=asked.version, encryption=asked.encryption, keyless=True)
        try:
            return NOTHING if self._key is None else self._store.stat(self._key, want).tags
        except (NotFound, MethodNotAllowed):
            return NOTHING
        except WrongKey:
            raise Forbidden(key=self._key) from None


class SeenTarget:
    """An object that was found."""

    __slots__ = ("_info", "version")

    def __init__(self, info: ObjectInfo, version: str | None) -> None:
        self._info, self.version = info, version

    @property
    def tags(self) -> Mapping[str, str]:
        return self._info.tags
