"""When a copy may share bytes, and what it is called then."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from drivers.indexed.reading import check_encryption
from drivers.indexed.records import Row
from drivers.indexed.rows import ContentMaker, share
from gateway.storage import Encryption, ObjectInfo, Put, WrongKey


def sharing(row: Row) -> ContentMaker:
    return lambda txn, _replaced: share(txn, row)


def shareable(info: ObjectInfo, encryption: Encryption | None) -> bool:
    """Whether the stored bytes serve as they are: both plain, or both under the gateway's
    own key or the same of the key service's (each blob brings its own, sealed)."""
    if info.encryption is None or encryption is None:
        return info.encryption is encryption
    return info.encryption.kind != "customer" and _seal(info.encryption) == _seal(encryption)


def shareable_whole(info: ObjectInfo, encryption: Encryption | None) -> bool:
    """The same for a copy of all of it, which may be under the key of the same customer, too:
    who does not say that key copies what he cannot read."""
    kept = info.encryption
    if kept is not None and kept.kind == "customer" and encryption is not None:
        return encryption == kept
    return shareable(info, encryption)


def _seal(encryption: Encryption) -> Encryption:
    """What of it the seal of a blob depends on."""
    return replace(encryption, bucket_key=None)


def kept_checksums(info: ObjectInfo, options: Put) -> dict[str, str] | None:
    """The checksums that a copy has; None when the bytes must be read for them."""
    wanted = options.checksums or info.checksums
    if any(name not in info.checksums for name in wanted):
        return None
    return {name: info.checksums[name] for name in wanted}


def part_encryption(begun: Encryption | None, given: Encryption | None) -> Encryption | None:
    """The encryption of a part: as the upload began, with the customer's key given now."""
    if begun is None or begun.kind != "customer":
        if given is not None and given.kind == "customer":
            raise WrongKey("The upload was not begun with a customer's key.")
        return begun
    info = ObjectInfo(key="", size=0, etag="", modified=0, encryption=begun)
    return check_encryption(info, given)


def etag_of_stretch(info: ObjectInfo, start: int, length: int) -> str:
    """The MD5 where it is known without reading; else what is no MD5 and says so."""
    if (start, length) == (0, info.size) and "-" not in info.etag:
        return info.etag
    named = f"{info.etag}:{start}:{length}".encode()
    return f"{hashlib.md5(named, usedforsecurity=False).hexdigest()}-0"
