"""What a source says of all bytes of an object, to hold them against while they go by.

A part of an object is held against nothing: what is said is of the whole. So blocks that came
by ranges are as right as the connection was on which they came.
"""

from __future__ import annotations

import re

from gateway.storage import ObjectInfo
from gateway.storage.checksums import HASHERS, Hasher, encode

_CHEAPEST = (
    "XXHASH3",
    "XXHASH128",
    "CRC64NVME",
    "CRC32C",
    "CRC32",
    "XXHASH64",
    "SHA256",
    "SHA1",
    "SHA512",
    "MD5",
)
"""Of the checksums that an object may have."""

_MD5 = re.compile("[0-9a-f]{32}")


class Check:
    """`name` of the checksum. `add` all bytes in their order; then `fits` tells."""

    __slots__ = ("_declared", "_hasher", "add", "name")

    def __init__(self, name: str, declared: str) -> None:
        self.name, self._declared = name, declared
        self._hasher: Hasher = HASHERS[name]()
        self.add = self._hasher.update

    def fits(self) -> bool:
        digest = self._hasher.digest()
        return self._declared in (encode(digest), digest.hex())


def of_whole(info: ObjectInfo) -> Check | None:
    """By a checksum of the whole object; else by its ETag, where that is an MD5 (see
    `ObjectInfo.etag`). None: the source says nothing of the kind."""
    if info.checksum_type != "COMPOSITE":
        for name in _CHEAPEST:
            if name in info.checksums:
                return Check(name, info.checksums[name])
    sealed = info.encryption is not None and info.encryption.kind != "managed"
    if not sealed and info.origin is None and not len(info.parts) and _MD5.fullmatch(info.etag):
        return Check("MD5", info.etag)
    return None
