"""The gateway's own key service: what stores wrap the keys of their blobs with (SSE-KMS).

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html

A key is wrapped by AES-256-GCM under the newest version of a named key of the catalog. The
name and the encryption context are its associated data, so it is unwrapped for no other. Who
runs this is not asked: who may read or write an object may use the key it is under.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.catalog import Catalog, EncryptionKey
from gateway.storage import (
    Corrupt,
    DisabledEncryptionKey,
    Encryption,
    NoSuchEncryptionKey,
    Secret,
)

FIRST_DEFAULT = "aws/s3"
"""The key that is made when one is needed and none was named or set, as at AWS."""

_FORM, _VERSION, _NONCE = b"\x01", 4, 12
"""What was wrapped begins with its form and the version of the key."""


def name_of(key_id: str) -> str:
    """The name that a key id says: itself, or behind `alias/`, or in an ARN of either."""
    name = key_id
    if key_id.startswith("arn:"):
        name = key_id.rpartition(":")[2].removeprefix("key/")
    return name.removeprefix("alias/")


class CatalogKeyService:
    """Implements `gateway.storage.KeyService`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def named(self, encryption: Encryption) -> Encryption:
        name = name_of(encryption.key_id) if encryption.key_id else self._default()
        self._key(name, encryption.key_id)
        return replace(encryption, key_id=name)

    def wrap(self, key: Secret, encryption: Encryption) -> bytes:
        versions = self._key(encryption.key_id).versions
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(versions[-1].reveal_bytes()).encrypt(
            nonce, key.reveal_bytes(), _bound(encryption)
        )
        return _FORM + len(versions).to_bytes(_VERSION, "big") + nonce + sealed

    def unwrap(self, wrapped: bytes, encryption: Encryption) -> Secret:
        form, rest = wrapped[:1], wrapped[1:]
        version = self._version(encryption.key_id, int.from_bytes(rest[:_VERSION], "big"))
        if form != _FORM or version is None:
            raise Corrupt("A wrapped key is of no form or version that is known here.")
        aead, sealed = AESGCM(version.reveal_bytes()), rest[_VERSION:]
        try:
            return Secret(aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(encryption)))
        except (InvalidTag, ValueError):  # too short for one
            raise Corrupt("A wrapped key is damaged.") from None

    def _version(self, name: str, number: int) -> Secret | None:
        versions = self._key(name).versions
        if number > len(versions):  # another process may know of it a moment earlier
            found = self._catalog.read_encryption_key(name)
            versions = versions if found is None else found.versions
        return versions[number - 1] if 0 < number <= len(versions) else None

    def _default(self) -> str:
        found = self._catalog.default_encryption_key()
        return found or self._catalog.make_default_encryption_key(FIRST_DEFAULT)

    def _key(self, name: str, said: str = "") -> EncryptionKey:
        """`said`: what it was called."""
        found = self._catalog.encryption_key(name)
        if found is None:
            raise NoSuchEncryptionKey(name=said or name)
        if not found.active:
            raise DisabledEncryptionKey(name=name)
        return found


def _bound(encryption: Encryption) -> bytes:
    return f"{encryption.key_id}\0{encryption.context}".encode()
