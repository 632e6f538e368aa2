"""Who keeps the keys under which a store's own keys are wrapped (SSE-KMS).

A store encrypts each blob under a key that it makes, and keeps that key as the key service
has wrapped it: opaque bytes, which nobody else can read, and which say by themselves under
which version of the key they were made.
"""

from __future__ import annotations

from typing import Protocol

from gateway.storage.errors import Unsupported
from gateway.storage.objects import Encryption, Secret


class KeyService(Protocol):
    """Each method raises `NoSuchEncryptionKey` and `DisabledEncryptionKey`, and `Unavailable`
    when it cannot be asked. It may ask a database, so never call it in a transaction."""

    def named(self, encryption: Encryption) -> Encryption:
        """The same as it is to be kept with an object: with the id of the key that is meant,
        which is the default one where none is named."""

    def wrap(self, key: Secret, encryption: Encryption) -> bytes:
        """`key`, under the newest version of the key that `encryption` names, and bound to its
        context."""

    def unwrap(self, wrapped: bytes, encryption: Encryption) -> Secret:
        """Raises `Corrupt` for what was not wrapped so, or was changed."""


class NoKeyService:
    """Where there is none: a store by itself, a command beside a gateway."""

    def named(self, encryption: Encryption) -> Encryption:
        raise self._refused()

    def wrap(self, key: Secret, encryption: Encryption) -> bytes:
        raise self._refused()

    def unwrap(self, wrapped: bytes, encryption: Encryption) -> Secret:
        raise self._refused()

    def _refused(self) -> Unsupported:
        return Unsupported("No key service stands behind this store.", capability="Encryption")
