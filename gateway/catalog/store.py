"""The catalog: accounts, keys, services, certificates and encryption keys that are made while the
gateway runs, the settings of all services, sessions, and the audit of all changes.

What the configuration declares comes first and cannot be changed here
(`Conflict`). Every answer is current: a lookup compares the database's version
(some microseconds) and forgets what it knew when anybody committed, in any
process. Entries are loaded when they are asked for, so that start and memory
do not depend on how many there are. All methods are safe in threads, and
raise `Unavailable` when the database cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.catalog.account_numbers import AccountNumberTable
from gateway.catalog.cache import Kept
from gateway.catalog.certificate_orders import CertificateOrderTable
from gateway.catalog.database import Database
from gateway.catalog.encryption_keys import EncryptionKeyTable
from gateway.catalog.keys import Declarations
from gateway.catalog.presigned import PresignedTable
from gateway.catalog.purge_jobs import PurgeJobTable
from gateway.catalog.secrets import Keyring
from gateway.catalog.sessions import SessionTable
from gateway.catalog.settings import SettingTable
from gateway.catalog.storages import StorageTable
from gateway.catalog.uploaded_certificates import UploadedCertificateTable
from gateway.catalog.users import UserTable
from gateway.storage.objects import now


class Catalog(
    UserTable,
    SessionTable,
    PresignedTable,
    StorageTable,
    SettingTable,
    CertificateOrderTable,
    PurgeJobTable,
    UploadedCertificateTable,
    EncryptionKeyTable,
    AccountNumberTable,
):
    """Open it with `gateway.catalog.open_catalog`."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        declared: Declarations = Declarations(),
        *,
        clock: Callable[[], int] = now,
    ) -> None:
        super().__init__(database, keyring, declared, clock)
        self._sids, self._volumes = declared.sids, declared.volumes
        self._known_numbers = Kept[int]()
        self._closed = False

    def following(self, declared: Declarations) -> Catalog:
        """One with other declarations, on the same database, which the last of them closes."""
        self._database.share()
        try:
            return Catalog(self._database, self.keyring, declared, clock=self._clock)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """May be called twice."""
        if not self._closed:
            self._closed = True
            self._database.close()
