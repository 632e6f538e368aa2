"""What is said of a picture that was made of another, and of one that is sent as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from gateway.storage import NOTHING, ObjectInfo, OriginAnswer

Lines = tuple[tuple[str, str], ...]

_OF_THE_BYTES = frozenset(
    {
        "accept-ranges",
        "content-digest",
        "content-length",
        "content-md5",
        "content-range",
        "content-type",
        "digest",
        "etag",
        "repr-digest",
    }
)
"""Lines of an origin that are of the picture it has sent (RFC 9110 §8, RFC 9530)."""


def etag_of(info: ObjectInfo, made_by: Iterable[object]) -> str | None:
    """The tag of what is made of a picture by that; None where the picture has no strong one, so
    that nothing can be said before its bytes are there."""
    if not info.etag or info.etag.startswith("W/"):
        return None
    told = (info.etag, info.size, info.version or "", *made_by)
    return _tag("\n".join(map(str, told)).encode())


def etag_of_bytes(data: bytes) -> str:
    return _tag(data)


def _tag(told: bytes) -> str:
    return f"{hashlib.sha256(told).hexdigest()[:32]}-image"


def made_info(info: ObjectInfo, size: int, kind: str, etag: str) -> ObjectInfo:
    """All else is the source's: its time, version, metadata, and the headers by which a cache in
    front knows when it is old, and what purges it (Surrogate-Key, Cache-Tag, Cache-Groups)."""
    return replace(
        info,
        size=size,
        etag=etag,
        content_type=kind,
        checksums=NOTHING,
        checksum_type=None,
        parts=(),
        origin=_made_origin(info.origin, size, kind, etag),
    )


def _made_origin(
    origin: OriginAnswer | None, size: int, kind: str, etag: str
) -> OriginAnswer | None:
    if origin is None:
        return None
    kept = tuple(line for line in origin.headers if line[0].lower() not in _OF_THE_BYTES)
    own: Lines = (("Content-Type", kind), ("ETag", f'"{etag}"'))
    if size >= 0:
        own += (("Content-Length", str(size)),)
    return replace(origin, headers=(*kept, *own))


def negotiated(info: ObjectInfo) -> ObjectInfo:
    """With `Vary: Accept` (RFC 9110 §12.5.5)."""
    origin = info.origin
    return replace(
        info,
        headers=_varying(info.headers),
        origin=origin and replace(origin, headers=_varying(origin.headers)),
    )


def _varying(lines: Lines) -> Lines:
    said = {
        one.strip().lower()
        for name, value in lines
        if name.lower() == "vary"
        for one in value.split(",")
    }
    return lines if said & {"accept", "*"} else (*lines, ("Vary", "Accept"))


def changeable(info: ObjectInfo) -> bool:
    """Whether its bytes are as its type says, and nobody forbids to change them (RFC 9111
    §5.2.2.6, no-transform)."""
    for name, value in info.headers:
        if name.lower() == "content-encoding" and value.strip().lower() not in ("", "identity"):
            return False
        if name.lower() == "cache-control" and "no-transform" in _directives(value):
            return False
    return True


def _directives(value: str) -> list[str]:
    return [one.strip().lower() for one in value.split(",")]
