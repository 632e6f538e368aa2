"""What is known of an object without reading its bytes: `ObjectInfo`, and what it is made of.

Times are integer milliseconds since the epoch (UTC). Sizes are bytes. ETags
are without quotes. Checksums and digests are base64 text, as the S3 API and
RFC 9530 write them. Keys are text whose UTF-8 bytes are the key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Literal, NamedTuple


class _Nothing(dict[str, Any]):
    """Always empty. Hashable, because dataclasses refuse a default that is not
    (Python 3.11's MappingProxyType is not); a dict, because reading those is quick."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none
        return 0

    def __repr__(self) -> str:
        return "NOTHING"

    def _refuse(self, *_: object, **__: object) -> Any:
        raise TypeError("NOTHING stays empty.")

    __setitem__ = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> str:
        return "NOTHING"


NOTHING: Mapping[str, Any] = _Nothing()
"""An empty mapping that is safe to share as a default."""

NULL_VERSION = "null"
"""The version of an object that was written while versioning was not on."""

ChecksumType = Literal["FULL_OBJECT", "COMPOSITE"]


class Secret:
    """Text or bytes that no log, repr or traceback shows. `reveal()` gives them."""

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        self._value = value

    def reveal(self) -> str:
        value = self._value
        return value if isinstance(value, str) else value.decode()

    def reveal_bytes(self) -> bytes:
        value = self._value
        return value if isinstance(value, bytes) else value.encode()

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self.reveal_bytes(), other.reveal_bytes())

    def __hash__(self) -> int:
        return hash(self.reveal_bytes())

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What keeps a version from being removed: a retention until a time, and a hold."""

    mode: Literal["governance", "compliance"] | None = None
    until: int | None = None
    hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """Encryption at rest. `managed`: under the gateway's own key (SSE-S3).
    `customer`: under `key`, 32 bytes that come with each request and are never
    stored (SSE-C); `key_md5` is their MD5 in base64. `kms`: by an upstream's key service
    (SSE-KMS), with its key `key_id` ("" for its default) and `context` (base64 of JSON);
    `double` in two layers (DSSE-KMS). Only a store in front of such an upstream has it.
    """

    kind: Literal["managed", "customer", "kms"] = "managed"
    key: Secret | None = None
    key_md5: str = ""
    key_id: str = ""
    context: str = ""
    double: bool = False
    bucket_key: bool | None = None
    """Whether a key of the bucket stands between object and key service; None: not said."""


class Part(NamedTuple):
    """A part of an object that was uploaded in several."""

    number: int
    size: int
    etag: str
    modified: int
    checksums: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """All that is known of one version of an object without reading its bytes."""

    key: str
    size: int
    etag: str
    """32 lower-case hexadecimal digits are the MD5 of its bytes, unless it has parts or is
    encrypted under a customer's key or by a key service. What is no MD5 has a `-` in it."""
    modified: int
    content_type: str = "binary/octet-stream"
    version: str | None = None
    """None where the store never kept versions; `NULL_VERSION` for the null version."""
    headers: tuple[tuple[str, str], ...] = ()
    """Representation headers other than Content-Type (Cache-Control, Content-Encoding,
    …): names as the field's standard writes them, in order, duplicates kept."""
    metadata: Mapping[str, str] = NOTHING
    """The user's own: lower-case names without prefix; values as they came."""
    tags: Mapping[str, str] = NOTHING
    checksums: Mapping[str, str] = NOTHING
    checksum_type: ChecksumType | None = None
    parts: Sequence[Part] = ()
    """Empty unless it was uploaded in parts. A store that fronts another may fetch what is
    in it, and in `tags`, when somebody looks; how many there are is known. Nobody looks
    while a lock is held or a transaction is open: see `settled`."""
    protection: Protection | None = None
    encryption: Encryption | None = None
    storage_class: str = "STANDARD"
    owner: str = ""
    """Id of the account that wrote it; "" where the store's objects have no such owner."""
    attributes: Mapping[str, Any] = NOTHING
    """What modes keep with an object and drivers carry without reading (JSON values)."""
