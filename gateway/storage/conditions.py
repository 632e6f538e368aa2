"""Conditions of a request, evaluated in one place for all stores.

RFC 9110 §13 gives the headers and the order in which they count (§13.2.2);
conditional deletes by size and time are the S3 API's (DeleteObject).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.storage.errors import NoSuchKey, NotModified, PreconditionFailed
from gateway.storage.objects import ObjectInfo

SEEN = "seen"
"""What `PreconditionFailed.condition` says of `Conditions.if_seen`, which is compared first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """`*` in `if_match` or `if_none_match` stands for any current object.

    ETags are without quotes; a weak one keeps its `W/`. Times have the
    resolution of HTTP dates: whole seconds. An object whose time is 0 has none that is
    known, and has always changed (RFC 9110 §13.1.3).
    """

    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()
    modified_since: int | None = None
    unmodified_since: int | None = None
    if_size: int | None = None
    if_modified: int | None = None
    """The object's time must be this one exactly (to the second)."""
    if_seen: Mapping[str, Any] | None = None
    """What it must have, by names of `Properties`; what is empty there, who is not there has, too.
    For who has decided by these; only of a store that compares them (`Labels.compares_seen`), and
    not of reads."""

    @property
    def compares(self) -> bool:
        """Whether they tell more of an object than that there is one."""
        etags = {*self.if_match, *self.if_none_match} - {"*"}
        others = (self.modified_since, self.unmodified_since, self.if_size, self.if_modified)
        return bool(etags) or any(one is not None for one in (*others, self.if_seen))

    def check_read(self, info: ObjectInfo) -> None:
        """Raise `PreconditionFailed` or `NotModified` when `info` is not to be sent."""
        self._check_unchanged(info)
        if self.if_none_match:
            if _weak_match(self.if_none_match, info.etag):
                raise NotModified(info=info)
        elif self.modified_since is not None and 0 < info.modified <= _whole(self.modified_since):
            raise NotModified(info=info)

    def check_write(self, key: str, info: ObjectInfo | None) -> None:
        """Raise when the current object (None: there is none) does not allow the write.

        `NoSuchKey` when `if_match` needs an object and there is none, as S3 does; size and
        time hold of what is not there (DeleteObject: "or if the object doesn't exist"). A
        delete where a marker is current is refused before (`check_marker`).
        """
        for name, value in (self.if_seen or {}).items():
            if value != getattr(info, name) if info is not None else value:
                raise PreconditionFailed(key=key, condition=SEEN)
        if info is None:
            if self.if_match:
                raise NoSuchKey(key=key)
            return
        self._check_unchanged(info)
        if self.if_none_match and _weak_match(self.if_none_match, info.etag):
            raise PreconditionFailed(key=key, condition="If-None-Match")
        if self.if_size is not None and self.if_size != info.size:
            raise PreconditionFailed(key=key, condition="x-amz-if-match-size")
        if self.if_modified is not None and _seconds(self.if_modified) != _seconds(info.modified):
            raise PreconditionFailed(key=key, condition="x-amz-if-match-last-modified-time")

    def check_marker(self, key: str) -> None:
        """Raise `PreconditionFailed` when a delete marker, the current version, is none of
        the object that a delete names by tag, size or time."""
        if self.if_match or self.if_size is not None or self.if_modified is not None:
            raise PreconditionFailed(key=key)

    def _check_unchanged(self, info: ObjectInfo) -> None:
        """If-Match, or else If-Unmodified-Since (RFC 9110 §13.2.2, steps 1 and 2)."""
        if self.if_match:
            if not _strong_match(self.if_match, info.etag):
                raise PreconditionFailed(key=info.key, condition="If-Match")
        elif self.unmodified_since is not None and _seconds(info.modified) > _seconds(
            self.unmodified_since
        ):
            raise PreconditionFailed(key=info.key, condition="If-Unmodified-Since")

    def check_copy(self, info: ObjectInfo) -> None:
        """Raise `PreconditionFailed` when the source of a copy is not the one meant."""
        try:
            self.check_read(info)
        except NotModified:
            name = "If-None-Match" if self.if_none_match else "If-Modified-Since"
            raise PreconditionFailed(key=info.key, condition=name) from None


def _seconds(milliseconds: int) -> int:
    return milliseconds // 1000


def _whole(milliseconds: int) -> int:
    """The last millisecond of that second."""
    return _seconds(milliseconds) * 1000 + 999


def _strong_match(wanted: tuple[str, ...], etag: str) -> bool:
    """An object of which no tag is known (an origin says none) is like no other."""
    return "*" in wanted or (etag in wanted and etag != "" and not etag.startswith("W/"))


def _weak_match(wanted: tuple[str, ...], etag: str) -> bool:
    plain = etag.removeprefix("W/")
    return any(one == "*" or (plain and one.removeprefix("W/") == plain) for one in wanted)
