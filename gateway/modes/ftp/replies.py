"""What a client is told; and what a store refuses → a code of RFC 959, by one table that is looked
up along the MRO. Every error of the contract is here; a test holds that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.common.refusals import entry
from gateway.storage import (
    AlreadyExists,
    Archived,
    BadKey,
    Busy,
    Conflict,
    Corrupt,
    Forbidden,
    Full,
    InvalidRange,
    InvalidRequest,
    NotEmpty,
    NotFound,
    NotModified,
    OriginFailed,
    PreconditionFailed,
    Protected,
    QuotaExceeded,
    ReadOnly,
    StorageError,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
    Unsupported,
)
from gateway.storage import MethodNotAllowed as IsMarker


class Reply(NamedTuple):
    """`more`: lines between the first and the last."""

    code: int
    text: str
    more: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.more:
            return f"{self.code} {_plain(self.text)}\r\n"
        between = "".join(f" {_plain(one)}\r\n" for one in self.more)
        return f"{self.code}-{_plain(self.text)}\r\n{between}{self.code} End\r\n"


class Refused(Exception):
    """`closes`: it was the last that the client is told. `status`: see `Meant`."""

    def __init__(self, code: int, text: str, *, closes: bool = False, status: int = 400) -> None:
        super().__init__(text)
        self.reply, self.closes, self.status = Reply(code, text), closes, status


class Meant(NamedTuple):
    """`status`: what HTTP would say of it, for the record."""

    code: int
    status: int


MEANT: Mapping[type[StorageError], Meant] = {
    StorageError: Meant(451, 500),
    NotFound: Meant(550, 404),
    AlreadyExists: Meant(550, 409),
    NotEmpty: Meant(550, 409),
    NotModified: Meant(550, 304),
    PreconditionFailed: Meant(450, 412),
    IsMarker: Meant(550, 404),
    Conflict: Meant(450, 409),
    Protected: Meant(550, 403),
    Archived: Meant(550, 403),
    InvalidRange: Meant(554, 416),
    InvalidRequest: Meant(550, 400),
    TooLarge: Meant(552, 413),
    BadKey: Meant(553, 400),
    Unprocessable: Meant(550, 422),
    Unauthorized: Meant(530, 401),
    Forbidden: Meant(550, 403),
    Unsupported: Meant(550, 501),
    ReadOnly: Meant(550, 403),
    Full: Meant(452, 507),
    QuotaExceeded: Meant(552, 507),
    Corrupt: Meant(451, 500),
    Unavailable: Meant(450, 503),
    Busy: Meant(450, 503),
    OriginFailed: Meant(450, 502),
    TimedOut: Meant(450, 504),
}


def meant(error: StorageError) -> Meant:
    return entry(MEANT, error)


def _plain(text: str) -> str:
    """One line of it, whatever a client or a store said."""
    return "".join(one if one.isprintable() else "?" for one in text)
