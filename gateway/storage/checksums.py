"""The digests that objects carry, and how those of parts make one of the whole.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
Values are base64 text of the big-endian digest.
"""

from __future__ import annotations

import hashlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from zlib_ng.zlib_ng import crc32  # zlib's is nine times slower: 1.1 ms for 8 MiB

from gateway.storage.errors import InvalidRequest

Bytes = bytes | bytearray | memoryview


class Hasher(Protocol):
    def update(self, data: Any, /) -> object: ...
    def digest(self) -> bytes: ...


class _Crc:
    """A CRC with the face of hashlib."""

    __slots__ = ("_compute", "_value", "_width")

    def __init__(self, compute: Callable[[Any, int], int], width: int) -> None:
        self._compute, self._width, self._value = compute, width, 0

    def update(self, data: Any, /) -> None:
        self._value = self._compute(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


def _crc32c() -> Hasher:
    from awscrt import checksums  # 4 MB of native code: only for those who need it

    return _Crc(checksums.crc32c, 4)


def _crc64nvme() -> Hasher:
    from awscrt import checksums

    return _Crc(checksums.crc64nvme, 8)


HASHERS: dict[str, Callable[[], Hasher]] = {
    "CRC32": lambda: _Crc(crc32, 4),
    "CRC32C": _crc32c,
    "CRC64NVME": _crc64nvme,
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
    "MD5": lambda: hashlib.md5(usedforsecurity=False),
}
"""MD5 is for ETags and Content-MD5 only; it is no checksum that an object keeps."""

CHECKSUMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
FULL_OBJECT_ONLY = frozenset({"CRC64NVME"})
COMPOSITE_ONLY = frozenset({"SHA1", "SHA256"})
_WIDTH = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32, "MD5": 16}


def encode(digest: bytes) -> str:
    return b2a_base64(digest, newline=False).decode("ascii")


def decode(algorithm: str, text: str) -> bytes:
    """The digest's bytes. Raises `InvalidRequest` when `text` is no such digest."""
    try:
        digest = a2b_base64(text, strict_mode=True)
    except ValueError:
        digest = b""
    if len(digest) != _WIDTH[algorithm]:
        raise InvalidRequest(f"{text!r} is not the base64 of a {algorithm} digest.")
    return digest


def compute(algorithm: str, data: Bytes) -> str:
    hasher = HASHERS[algorithm]()
    hasher.update(data)
    return encode(hasher.digest())


def composite(algorithm: str, parts: Iterable[str]) -> str:
    """The checksum of the parts' checksums, with `-N` behind it."""
    hasher, count = HASHERS[algorithm](), 0
    for part in parts:
        hasher.update(decode(algorithm, part))
        count += 1
    return f"{encode(hasher.digest())}-{count}"


def full_object(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """The CRC of the whole from (CRC, size) of its parts, without the bytes."""
    from awscrt import checksums

    combine = {
        "CRC32": checksums.combine_crc32,
        "CRC32C": checksums.combine_crc32c,
        "CRC64NVME": checksums.combine_crc64nvme,
    }[algorithm]
    total = 0
    for text, size in parts:
        total = combine(total, int.from_bytes(decode(algorithm, text), "big"), size)
    return encode(total.to_bytes(_WIDTH[algorithm], "big"))


def etag_of_parts(etags: Sequence[str]) -> str:
    """S3's ETag of an object uploaded in parts: MD5 of their MD5s, `-N`.

    A part that is no MD5 (it has a `-` in its ETag) counts with what is before it.
    """
    joined = b"".join(bytes.fromhex(etag.partition("-")[0]) for etag in etags)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(etags)}"


def matches(declared: Mapping[str, str], computed: Mapping[str, str]) -> bool:
    """Whether every checksum declared is among those computed, and the same."""
    return all(computed.get(name) == value for name, value in declared.items())
