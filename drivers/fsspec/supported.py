"""What a caller asks of an object, and what a file can answer to it."""

from __future__ import annotations

from drivers.fsspec import kinds
from gateway.storage import (
    NULL_VERSION,
    Get,
    NoSuchVersion,
    ObjectInfo,
    Put,
    Unsupported,
    WrongKey,
    stated,
    wanted,
)

NEVER = frozenset({"encryption", "protection"})
NEEDLESS = frozenset({"owner", "content_type"})
"""Of a file without a sidecar: a store need not keep the one, and the other may be its name's."""


def check(options: Put, *, sidecar: bool) -> None:
    """Raise `Unsupported` when something of a put would be lost, whatever its key is."""
    given = stated(options)
    lost = sorted(given & NEVER)
    if not sidecar:
        lost += sorted(given - NEVER - NEEDLESS)
    if lost:
        raise _lost(lost)


def check_type(key: str, options: Put) -> None:
    """The same of its type, which a file's name says or nothing does."""
    if not kinds.says_nothing(options.content_type, key):
        raise _lost(["content_type"], key)


def _lost(names: list[str], key: str | None = None) -> Unsupported:
    return Unsupported(
        f"A plain file cannot keep what came with the object ({', '.join(names)})."
        + ("" if names[0] in NEVER else ' metadata = "sidecar" would.'),
        key=key,
        capability=names[0],
    )


def span(key: str, info: ObjectInfo, want: Get) -> tuple[int, int]:
    """(start, length) of what is wanted of an object. Raises what the wish deserves."""
    if want.version not in (None, NULL_VERSION):
        raise NoSuchVersion(key=key, version=want.version or "")
    if want.encryption is not None:
        raise WrongKey("The object is not encrypted.", key=key, given=True)
    return wanted(info, want)
