"""What a caller asks of an object, and what a file can answer to it."""

from __future__ import annotations

from drivers.fsspec import kinds
from gateway.storage import (
    NULL_VERSION,
    Get,
    InvalidPart,
    InvalidRange,
    NoSuchVersion,
    ObjectInfo,
    Put,
    Unsupported,
    WrongKey,
    resolve_range,
    stated,
)

NEVER = frozenset({"encryption", "protection"})
NEEDLESS = frozenset({"owner", "content_type"})
"""Of a file without a sidecar: a store need not keep the one, and the other may be its name's."""


def keepable(key: str, options: Put, *, sidecar: bool) -> None:
    """Raise `Unsupported` when something of a put would be lost."""
    given = stated(options)
    lost = sorted(given & NEVER)
    if not sidecar:
        lost += sorted(given - NEVER - NEEDLESS)
        lost += ["content_type"] * (not kinds.says_nothing(options.content_type, key))
    if lost:
        raise Unsupported(
            f"A plain file cannot keep what came with the object ({', '.join(lost)})."
            + ("" if lost[0] in NEVER else ' metadata = "sidecar" would.'),
            key=key,
            capability=lost[0],
        )


def span(key: str, info: ObjectInfo, want: Get) -> tuple[int, int]:
    """(start, length) of what is wanted of an object. Raises what the wish deserves."""
    if want.version not in (None, NULL_VERSION):
        raise NoSuchVersion(key=key, version=want.version or "")
    if want.encryption is not None:
        raise WrongKey("The object is not encrypted.", key=key, given=True)
    if want.conditions is not None:
        want.conditions.check_read(info)
    if want.part not in (None, 1):
        raise InvalidPart("The object has no such part.", key=key, number=want.part or 0)
    if want.range is None:
        return 0, info.size
    span = resolve_range(want.range, info.size)
    if span is None:
        raise InvalidRange(key=key, size=info.size)
    return span
