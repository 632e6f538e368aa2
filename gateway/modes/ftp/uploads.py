"""An upload: an object that is there when all of it has come, and not before. What goes on from
where an object ends, or from a place in it (APPE, REST), is a new one that has the beginning of
the other: until it is complete the other is there, and where that was changed meanwhile it stays.

May surprise: an end of the data connection is all that FTP says of the end of a file, and a
system says it for a client that died, too. By TLS it is signed (`data.Channel`); in plain the
control connection must outlive it, and what ALLO has announced must have come.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.access.access import Access
from gateway.common.media_types import UNKNOWN, guessed
from gateway.modes.ftp.data import Channel
from gateway.storage import (
    PIECE,
    Complete,
    Conditions,
    Get,
    IncompleteBody,
    InvalidRange,
    Multipart,
    NoSuchKey,
    ObjectInfo,
    PartRef,
    Put,
    Range,
    Readable,
    StorageError,
    Writable,
)

_BY_PARTS = 5 << 20
"""Bytes from which on the beginning is a part: as many as S3 wants a part to have. A shorter one
is read and written once more."""
_PART = 1 << 30
"""Bytes of a part that is copied."""


class Incoming:
    """What comes. `announced`: so many bytes at least."""

    def __init__(self, channel: Channel, announced: int | None) -> None:
        self._channel, self._announced = channel, announced or 0

    def read(self, size: int = PIECE, /) -> bytes:
        piece = self._channel.read(size)
        came = self._channel.received
        if not piece and came < self._announced:
            raise IncompleteBody(expected=self._announced, received=came)
        return piece

    def close(self) -> None:
        """The connection is closed by who opened it."""


class Joined:
    """One behind the other."""

    def __init__(self, first: Readable, then: Readable) -> None:
        self._first, self._then = first, then

    def read(self, size: int = PIECE, /) -> bytes:
        return self._first.read(size) or self._then.read(size)

    def close(self) -> None:
        self._first.close()
        self._then.close()


@dataclass(frozen=True, slots=True)
class Upload:
    """Of somebody who may. `before`: what it goes on with, up to `offset`."""

    access: Access
    key: str
    before: ObjectInfo | None
    offset: int

    def put(self, body: Readable) -> None:
        """Raises what the store raises, and what `body` does: then nothing has changed."""
        if self.before is None:
            kind = guessed(self.key)
            named = Put() if kind == UNKNOWN else Put(content_type=kind)
            self.access.put(self.key, body, named)
        elif self.offset >= _BY_PARTS and self.access.service.has(Multipart):
            self._put_parts(body, self.before)
        else:
            with self.access.get(self.key, self._wanted(0, self.offset)) as opened:
                options = replace(_as(self.before), conditions=_same(self.before))
                self.access.put(self.key, Joined(opened.body, body), options)

    def _put_parts(self, body: Readable, before: ObjectInfo) -> None:
        access, key = self.access, self.key
        upload = access.begin(key, _as(before)).id
        parts = list[PartRef]()
        try:
            for start in range(0, self.offset, _PART):
                want = self._wanted(start, min(start + _PART, self.offset))
                number = len(parts) + 1
                part = access.copy_part(key, upload, number, access, key, want)
                parts.append(PartRef(number=number, etag=part.etag))
            number = len(parts) + 1
            part = access.put_part(key, upload, number, body)
            parts.append(PartRef(number=number, etag=part.etag))
            access.complete(key, upload, parts, Complete(conditions=_same(before)))
        except BaseException:
            with suppress(StorageError):
                access.abort(key, upload)
            raise

    def _wanted(self, start: int, end: int) -> Get:
        assert self.before is not None
        return Get(range=Range(start, end - 1), conditions=_same(self.before))


def begun(access: Access, key: str, offset: int, *, appends: bool) -> Upload:
    """Before the client is told to send. Raises what would be raised when it has."""
    access.require("write", key)
    access.service.need(Writable)
    if not offset and not appends:
        return Upload(access, key, None, 0)
    try:
        info = access.stat(key)
    except NoSuchKey:
        if offset:
            raise InvalidRange("There is nothing to go on with: begin at 0.", size=0) from None
        return Upload(access, key, None, 0)
    offset = offset or info.size
    if offset > info.size:
        raise InvalidRange(f"What is there has {info.size} bytes.", key=key, size=info.size)
    return Upload(access, key, info if offset else None, offset)


def _as(info: ObjectInfo) -> Put:
    """What is said of it goes on."""
    return Put(
        content_type=info.content_type,
        headers=info.headers,
        metadata=info.metadata,
        storage_class=info.storage_class,
    )


def _same(info: ObjectInfo) -> Conditions | None:
    etag = info.etag
    return Conditions(if_match=(etag,)) if etag and not etag.startswith("W/") else None
