"""Encryption of a blob, block by block, so that a range costs its own blocks only.

Each blob has a key of its own, 256 bits, sealed (AES-GCM) under the gateway's
master key or the customer's. Block n is AES-256-GCM with nonce n: a key is
never used for two blobs, so a nonce is never used twice under it.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.storage import Encryption, Secret, Unsupported, WrongKey

BLOCK = 256 * 1024
TAG = 16
_SEAL_NONCE = 12


class Cipher:
    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def encrypt(self, number: int, block: bytes) -> bytes:
        return self._aead.encrypt(number.to_bytes(12, "big"), block, None)

    def decrypt(self, number: int, block: bytes) -> bytes:
        """Raises `cryptography.exceptions.InvalidTag` when a byte of it was changed."""
        return self._aead.decrypt(number.to_bytes(12, "big"), block, None)


def refuse_kms(encryption: Encryption | None) -> None:
    """No key service stands behind this engine: that is told before anything is stored."""
    if encryption is not None and encryption.kind == "kms":
        raise Unsupported("Encryption with AWS KMS is not implemented.", capability="Encryption")


def sealing_key(encryption: Encryption, master: Secret | None) -> bytes:
    """The key under which blobs' own keys are sealed. `WrongKey` when it is missing."""
    refuse_kms(encryption)
    if encryption.kind == "managed":
        if master is None:
            raise Unsupported("This store has no key to encrypt with.", capability="Encryption")
        return master.reveal_bytes()
    if encryption.key is None:
        raise WrongKey
    return encryption.key.reveal_bytes()


def new_cipher(encryption: Encryption, master: Secret | None) -> tuple[Cipher, bytes]:
    """A cipher with a new key, and that key, sealed."""
    key, nonce = secrets.token_bytes(32), secrets.token_bytes(_SEAL_NONCE)
    return Cipher(key), nonce + AESGCM(sealing_key(encryption, master)).encrypt(nonce, key, None)


def open_cipher(seal: bytes, encryption: Encryption, master: Secret | None) -> Cipher:
    """The cipher of a blob. `WrongKey` when the customer's key does not fit."""
    aead = AESGCM(sealing_key(encryption, master))
    try:
        return Cipher(aead.decrypt(seal[:_SEAL_NONCE], seal[_SEAL_NONCE:], None))
    except InvalidTag:
        raise WrongKey("The key does not fit the one it was encrypted with.", given=True) from None
