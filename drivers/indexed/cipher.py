"""Encryption of a blob, block by block, so that a range costs its own blocks only.

Each blob has a key of its own, 256 bits, sealed (AES-GCM) under the gateway's
master key or the customer's, or wrapped by the key service. Block n is AES-256-GCM with
nonce n: a key is never used for two blobs, so a nonce is never used twice under it. A second
layer (DSSE-KMS) is AES-256-CTR around that, under a second key, each block with counters of
its own: it adds no bytes, and what is changed is found by the first.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import ciphers
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.storage import Encryption, KeyService, NoKeyService, Secret, Unsupported, WrongKey

BLOCK = 256 * 1024
TAG = 16
_KEY, _SEAL_NONCE = 32, 12


class Cipher:
    """`key`: 32 bytes, or 64 for two layers."""

    def __init__(self, key: bytes) -> None:
        self._aead, self._outer = AESGCM(key[:_KEY]), key[_KEY:]

    def encrypt(self, number: int, block: bytes) -> bytes:
        sealed = self._aead.encrypt(number.to_bytes(12, "big"), block, None)
        return self._layer(number, sealed) if self._outer else sealed

    def decrypt(self, number: int, block: bytes) -> bytes:
        """Raises `cryptography.exceptions.InvalidTag` when a byte of it was changed."""
        sealed = self._layer(number, block) if self._outer else block
        return self._aead.decrypt(number.to_bytes(12, "big"), sealed, None)

    def _layer(self, number: int, block: bytes) -> bytes:
        """The outer one, put on or taken off: a block is no more than 2⁶⁴ counters."""
        counter = ciphers.modes.CTR(number.to_bytes(8, "big") + bytes(8))
        return (
            ciphers.Cipher(ciphers.algorithms.AES(self._outer), counter).encryptor().update(block)
        )


class Sealing:
    """How the keys of blobs are kept."""

    __slots__ = ("_master", "_service")

    def __init__(self, master: Secret | None, service: KeyService | None = None) -> None:
        self._master, self._service = master, service or NoKeyService()

    def named(self, encryption: Encryption) -> Encryption:
        """As it is kept with an object (see `KeyService.named`)."""
        return self._service.named(encryption) if encryption.kind == "kms" else encryption

    def new(self, encryption: Encryption) -> tuple[Cipher, bytes]:
        """A cipher with a new key, and that key, sealed."""
        key = secrets.token_bytes(2 * _KEY if encryption.double else _KEY)
        if encryption.kind == "kms":
            return Cipher(key), self._service.wrap(Secret(key), encryption)
        nonce = secrets.token_bytes(_SEAL_NONCE)
        return Cipher(key), nonce + AESGCM(self._sealing_key(encryption)).encrypt(nonce, key, None)

    def open(self, seal: bytes, encryption: Encryption) -> Cipher:
        """The cipher of a blob. `WrongKey` when the customer's key does not fit."""
        if encryption.kind == "kms":
            return Cipher(self._service.unwrap(seal, encryption).reveal_bytes())
        aead = AESGCM(self._sealing_key(encryption))
        try:
            return Cipher(aead.decrypt(seal[:_SEAL_NONCE], seal[_SEAL_NONCE:], None))
        except InvalidTag:
            said = "The key does not fit the one it was encrypted with."
            raise WrongKey(said, given=True) from None

    def _sealing_key(self, encryption: Encryption) -> bytes:
        if encryption.kind == "managed":
            if self._master is None:
                raise Unsupported("This store has no key to encrypt with.", capability="Encryption")
            return self._master.reveal_bytes()
        if encryption.key is None:
            raise WrongKey
        return encryption.key.reveal_bytes()
