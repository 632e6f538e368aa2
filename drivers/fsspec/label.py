"""Sidecars: what an object has beyond its bytes, each in a small file of the hidden folder.

A sidecar's name is made of the key's hash and of the file's `token` (its size
and time, or the ETag of its store): so that of a file that somebody else has
changed is not found, the old and the new object have theirs side by side while
one replaces the other, and no step of a write shows an object with the
sidecar of another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from drivers.fsspec import kinds
from drivers.fsspec.paths import LABELS
from drivers.fsspec.tree import Found, Tree
from gateway.storage import (
    NOTHING,
    Intake,
    ObjectInfo,
    Properties,
    Put,
    StorageError,
    carried,
    packed,
    unpacked,
)

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """`etag` "" is that of the file."""

    properties: Properties
    etag: str = ""
    checksums: Mapping[str, str] = NOTHING

    @classmethod
    def of(cls, options: Put, intake: Intake) -> Label:
        """What was given with a put whose body has been read to its end."""
        properties = Properties(**carried(options))
        return cls(properties=properties, etag=intake.etag, checksums=intake.checksums)

    @classmethod
    def bare(cls, key: str) -> Label:
        """That of a file which has none."""
        return cls(properties=Properties(content_type=kinds.guess(key)))

    def changed(
        self, tags: Mapping[str, str] | None, attributes: Mapping[str, Any] | None
    ) -> Label:
        """As `Labels.set_labels` says."""
        before = self.properties
        kept = {**before.attributes, **(attributes or {})}
        for name, value in (attributes or {}).items():
            if value is None:
                del kept[name]
        tags = before.tags if tags is None else dict(tags)
        return replace(self, properties=replace(before, tags=tags, attributes=kept))

    def info(self, key: str, found: Found) -> ObjectInfo:
        return ObjectInfo(
            key=key,
            size=found.size,
            etag=self.etag or found.etag,
            modified=found.modified,
            checksums=self.checksums or NOTHING,
            checksum_type="FULL_OBJECT" if self.checksums else None,
            **carried(self.properties),
        )

    def encode(self, key: str) -> bytes:
        own = {"etag": self.etag, "checksums": dict(self.checksums)}
        values = {"format": FORMAT, "key": key, **_EXPECTED, **own, **packed(self.properties)}
        return json.dumps(values).encode()


_EXPECTED: Mapping[str, Any] = {
    "headers": (),
    "metadata": {},
    "tags": {},
    "owner": "",
    "attributes": {},
}
"""Written although it says nothing: earlier releases take a sidecar without it for torn."""


def decode(data: bytes, key: str) -> Label | None:
    """None when it is torn, of another key, or of a format to come."""
    try:
        kept = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(kept, dict) or kept.get("format") != FORMAT or kept.get("key") != key:
        return None
    try:
        properties = Properties(**unpacked(kept))
        return Label(properties=properties, etag=kept["etag"], checksums=kept["checksums"])
    except (LookupError, TypeError, ValueError):
        return None


def place(key: str, token: str) -> str:
    """The path of a sidecar; no character of the key is in it."""
    name = hashlib.sha256(key.encode()).hexdigest()
    return f"{LABELS}/{name[:2]}/{name[2:42]}.{token}"


def plain(key: str, found: Found) -> ObjectInfo:
    """What is known of a file without a sidecar."""
    return ObjectInfo(
        key=key,
        size=found.size,
        etag=found.etag,
        modified=found.modified,
        content_type=kinds.guess(key),
    )


class Sidecars:
    """The sidecars of a tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def read(self, key: str, found: Found) -> Label | None:
        data = self._tree.load(place(key, found.token))
        return None if data is None else decode(data, key)

    def add(self, key: str, found: Found, label: Label) -> bool:
        """Write that of a file to come; False when the token is one that was there before."""
        return self._tree.save(place(key, found.token), label.encode(key), new=True)

    def replace(self, key: str, found: Found, label: Label) -> None:
        self._tree.save(place(key, found.token), label.encode(key), new=False)

    def drop(self, key: str, found: Found) -> None:
        self._tree.erase(place(key, found.token))

    def drop_unless_current(self, key: str, found: Found) -> None:
        """After a write that failed: its file may be in its place all the same."""
        with suppress(StorageError):
            now = self._tree.stat(key)
            if now is None or now.token != found.token:
                self.drop(key, found)

    def sweep(self, before: int) -> None:
        """Remove those that were written before that time (ms) and belong to nothing now:
        their files were changed or removed by others, or a crash left them."""
        for folder in list(self._tree.scan(f"{LABELS}/")):
            here = f"{LABELS}/{folder.name}/"
            for node in list(self._tree.scan(here)):
                found = self._tree.found(here, node)
                if (
                    found is not None
                    and found.modified < before
                    and not self._used(here, node.name)
                ):
                    self._tree.erase(here + node.name)

    def _used(self, folder: str, name: str) -> bool:
        data = self._tree.load(folder + name)
        try:
            key = json.loads(data or b"")["key"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return False
        now = self._tree.stat(key)
        return now is not None and place(key, now.token) == folder + name
