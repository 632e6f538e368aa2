"""What is made while the gateway runs: accounts, keys, services and their grants, certificates.

`prepare` in the parent before workers start, `open_catalog` in each of them;
`store.Catalog` is what they get. `schema.py` has the tables, `secrets.py` the
master key.
"""

from gateway.catalog.errors import CatalogError
from gateway.catalog.opening import FirstCredential, open_catalog, prepare
from gateway.catalog.rows import (
    AuditEntry,
    CertificateRow,
    Challenge,
    EncryptionKey,
    EncryptionKeyInfo,
    KeyInfo,
    MadeKey,
    OrderRow,
    PresignedUrl,
    ServiceRow,
)
from gateway.catalog.secrets import find_master
from gateway.catalog.store import Catalog
from gateway.catalog.stores import BindingRow

__all__ = [
    "AuditEntry",
    "BindingRow",
    "Catalog",
    "CatalogError",
    "CertificateRow",
    "Challenge",
    "EncryptionKey",
    "EncryptionKeyInfo",
    "FirstCredential",
    "KeyInfo",
    "MadeKey",
    "OrderRow",
    "PresignedUrl",
    "ServiceRow",
    "find_master",
    "open_catalog",
    "prepare",
]
