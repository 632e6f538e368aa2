"""Named keys under which stores' keys are wrapped (SSE-KMS), each with all its versions.

Nothing of one is ever removed: what was wrapped under a version can be read for as long as
there is a backup of the catalog and of the master key, under which they are sealed. A key that
is disabled is given to nobody until it is enabled again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.catalog.audit import AuditTable, Note
from gateway.catalog.rows import EncryptionKey, EncryptionKeyInfo
from gateway.catalog.schema import (
    ENCRYPTION_KEY_VERSIONS,
    ENCRYPTION_KEYS,
    get_meta,
    is_text,
    set_meta,
)
from gateway.catalog.secrets import Keyring
from gateway.storage import AlreadyExists, NotFound, Secret

_DEFAULT = "default encryption key"
"""In `meta`: the name of the key that is meant where none is named."""

_BYTES = 32
_KEYS, _VERSIONS = ENCRYPTION_KEYS, ENCRYPTION_KEY_VERSIONS


class EncryptionKeyTable(AuditTable):
    keyring: Keyring

    def encryption_key(self, name: str) -> EncryptionKey | None:
        memory = self._current()
        known = memory.encryption_keys.get(name)
        if known is not None:
            return known
        found = self.read_encryption_key(name)
        return found and memory.encryption_keys.keep(name, found)

    def read_encryption_key(self, name: str) -> EncryptionKey | None:
        """As it is in the database now."""
        with self._database.reading() as connection:
            active = connection.scalar(select(_KEYS.c.active).where(is_text(_KEYS.c.name, name)))
            if active is None:
                return None
            rows = connection.execute(
                select(_VERSIONS.c.sealed)
                .where(_VERSIONS.c.name == name)
                .order_by(_VERSIONS.c.version)
            ).all()
        unsealed = tuple(self.keyring.unseal_encryption_key(name, row.sealed) for row in rows)
        return EncryptionKey(name, active, unsealed)

    def default_encryption_key(self) -> str:
        """Its name; "" when there is none yet."""
        memory = self._current()
        if memory.default_encryption_key is None:
            with self._database.reading() as connection:
                memory.default_encryption_key = get_meta(connection, _DEFAULT) or ""
        return memory.default_encryption_key

    def encryption_keys(self) -> list[EncryptionKeyInfo]:
        """All of them, by name."""
        with self._database.reading() as connection:
            default = get_meta(connection, _DEFAULT)
            made: dict[str, list[int]] = {}
            for row in connection.execute(select(_VERSIONS).order_by(_VERSIONS.c.version)):
                made.setdefault(row.name, []).append(row.created)
            rows = connection.execute(select(_KEYS).order_by(_KEYS.c.name)).all()
        return [
            EncryptionKeyInfo(
                name=row.name,
                active=row.active,
                default=row.name == default,
                versions=len(made[row.name]),
                created=made[row.name][0],
                rotated=made[row.name][-1],
            )
            for row in rows
        ]

    def add_encryption_key(self, name: str) -> None:
        """Raises `AlreadyExists`."""
        try:
            with self._database.writing() as connection:
                self._insert(connection, name)
        except IntegrityError:
            raise AlreadyExists(f"There is an encryption key {name!r}.") from None

    def ensure_encryption_keys(self, names: Iterable[str]) -> None:
        """Make those that are missing."""
        if missing := [name for name in names if self.encryption_key(name) is None]:
            with self._database.writing() as connection:
                for name in missing:
                    if not _is_there(connection, name):  # another process was not first
                        self._insert(connection, name)

    def rotate_encryption_key(self, name: str) -> int:
        """Its new version, under which all is wrapped from now on. Raises `NotFound`."""
        with self._database.writing() as connection:
            _require(connection, name)
            numbers = select(_VERSIONS.c.version).where(_VERSIONS.c.name == name)
            version: int = max(connection.scalars(numbers)) + 1
            self._insert_version(connection, name, version)
            self._note(connection, "encryption-key.rotate", name, version=version)
        return version

    def set_encryption_key_active(self, name: str, active: bool) -> None:
        """Raises `NotFound`."""

        def change(connection: Connection, note: Note) -> None:
            _require(connection, name)
            connection.execute(update(_KEYS).where(_KEYS.c.name == name).values(active=active))
            note("encryption-key.change", name, active=active)

        self._removing(change)

    def set_default_encryption_key(self, name: str) -> None:
        """Raises `NotFound`."""
        with self._database.writing() as connection:
            _require(connection, name)
            self._set_default(connection, name)

    def make_default_encryption_key(self, name: str) -> str:
        """That of the name, made when it is not there; or the one that was set meanwhile."""
        with self._database.writing() as connection:
            found = get_meta(connection, _DEFAULT)
            if found is None:
                if not _is_there(connection, name):
                    self._insert(connection, name)
                self._set_default(connection, name)
        return found or name

    def _set_default(self, connection: Connection, name: str) -> None:
        set_meta(connection, _DEFAULT, name)
        self._note(connection, "encryption-key.change", name, default=True)

    def _insert(self, connection: Connection, name: str) -> None:
        connection.execute(insert(_KEYS).values(name=name, active=True))
        self._insert_version(connection, name, 1)
        self._note(connection, "encryption-key.add", name)

    def _insert_version(self, connection: Connection, name: str, version: int) -> None:
        key = Secret(secrets.token_bytes(_BYTES))
        row = {"name": name, "version": version, "created": self._clock()}
        sealed = self.keyring.seal_encryption_key(name, key)
        connection.execute(insert(_VERSIONS).values(**row, sealed=sealed))


def _is_there(connection: Connection, name: str) -> bool:
    return connection.scalar(select(_KEYS.c.name).where(is_text(_KEYS.c.name, name))) is not None


def _require(connection: Connection, name: str) -> None:
    if not _is_there(connection, name):
        raise NotFound(f"There is no encryption key {name!r}.")
