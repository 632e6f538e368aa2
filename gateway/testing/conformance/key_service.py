"""A key service for the kit: it gives tokens for keys, and forgets nothing while the test runs."""

from __future__ import annotations

import secrets
from dataclasses import replace

from gateway.storage import Corrupt, DisabledEncryptionKey, Encryption, NoSuchEncryptionKey, Secret


class KitKeyService:
    """Has `names`, of which the first is the default; none of `disabled` is given."""

    def __init__(self, *names: str) -> None:
        self.names, self.disabled = names, set[str]()
        self._wrapped: dict[bytes, tuple[Secret, str, str]] = {}

    def named(self, encryption: Encryption) -> Encryption:
        found = encryption.key_id or self.names[0]
        self._check(found)
        return replace(encryption, key_id=found)

    def wrap(self, key: Secret, encryption: Encryption) -> bytes:
        self._check(encryption.key_id)
        wrapped = secrets.token_bytes(16)
        self._wrapped[wrapped] = (key, encryption.key_id, encryption.context)
        return wrapped

    def unwrap(self, wrapped: bytes, encryption: Encryption) -> Secret:
        self._check(encryption.key_id)
        key, *bound = self._wrapped[wrapped]
        if bound != [encryption.key_id, encryption.context]:
            raise Corrupt
        return key

    def _check(self, name: str) -> None:
        if name not in self.names:
            raise NoSuchEncryptionKey(name=name)
        if name in self.disabled:
            raise DisabledEncryptionKey(name=name)
