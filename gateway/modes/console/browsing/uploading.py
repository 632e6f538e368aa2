"""Uploads in parts from a browser: how large the parts are, and the whole."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.access.access import Access
from gateway.storage import Complete, ObjectInfo, PartRef

SMALLEST = 16 << 20
"""Bytes of a part, and of a file that is sent in one: what is lost when a network drops."""

MOST_PARTS = 10_000
"""Amazon S3 User Guide, "Multipart upload limits"."""


def part_size(size: int) -> int:
    """Of an upload of `size` bytes: 16 MiB, or as many MiB as let it have 10,000 parts."""
    needed = -(-size // MOST_PARTS)
    return max(SMALLEST, -(-needed >> 20) << 20)


def complete(access: Access, key: str, upload: str, etags: Sequence[str], size: int) -> ObjectInfo:
    """Make the object of parts 1, 2, … with these ETags. The same call again, by who got no
    answer, gives the same. Raises `InvalidPart` when one is missing, `InvalidRequest` when
    together they are not of `size`."""
    refs = [PartRef(number=number, etag=etag) for number, etag in enumerate(etags, 1)]
    return access.complete(key, upload, refs, Complete(size=size))
