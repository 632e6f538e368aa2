"""Opens the catalog that a configuration names, and makes the first credential.

The parent of a server's processes calls `prepare` before it starts any: it
makes and upgrades what has to be there, closes everything again, and returns
the first credential when it has just been made, to be shown once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path

from gateway.access.identity import ROOT_ACCOUNT
from gateway.access.new_keys import new_id, new_secret
from gateway.catalog import database
from gateway.catalog.database import Database
from gateway.catalog.errors import CatalogError
from gateway.catalog.keys import Declarations
from gateway.catalog.postgres import open_postgres
from gateway.catalog.schema import get_meta, set_meta
from gateway.catalog.secrets import FILE, VARIABLE, Keyring, find_master, make_master, new_master
from gateway.catalog.store import Catalog
from gateway.config import Configuration, Key, data_folder
from gateway.storage import Secret

_CHECK = "master_key"
"""In `meta`: what tells whether a master key is the one that this catalog was made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstCredential:
    """The root key that was made at the first start."""

    id: str
    secret: Secret

    @property
    def root(self) -> Key:
        """As a configuration's."""
        return Key(id=self.id, secret=self.secret, account=ROOT_ACCOUNT, access="admin")


def open_catalog(
    configuration: Configuration,
    environ: Mapping[str, str] | None = None,
    before: Catalog | None = None,
) -> Catalog:
    """Made or upgraded when needed; or the database of the one `before`, with what this
    configuration declares. Raises `CatalogError`."""
    catalog = _opened(configuration, environ, before)
    try:
        catalog.ensure_encryption_keys(configuration.kms.keys)
    except BaseException:
        catalog.close()
        raise
    return catalog


def _opened(
    configuration: Configuration, environ: Mapping[str, str] | None, before: Catalog | None
) -> Catalog:
    if before is not None:
        return before.following(_declarations(configuration))
    environ = os.environ if environ is None else environ
    folder = configuration.data
    if folder is None:
        declared = _declarations(configuration)
        return Catalog(database.open_memory(), Keyring(new_master()), declared)
    _make_folder(folder)
    opened = _open_database(configuration, folder)
    try:
        keyring = _keyring(opened, folder, environ)
        return Catalog(opened, keyring, _declarations(configuration))
    except BaseException:
        opened.close()
        raise


def prepare(
    configuration: Configuration, environ: Mapping[str, str] | None = None
) -> FirstCredential | None:
    """Make the catalog and, unless there has been one, the first credential.

    None when the environment gives the root key, or one was made before. In memory
    nothing outlives this call: who serves then is to have it as its configuration's `root`.
    """
    if configuration.data is None:
        if configuration.root is not None:
            return None
        return FirstCredential(id=new_id(), secret=new_secret())
    catalog = open_catalog(configuration, environ)
    try:
        made = None if configuration.root else catalog.make_first()
    finally:
        catalog.close()
    return None if made is None else FirstCredential(id=made.id, secret=made.secret)


def _declarations(configuration: Configuration) -> Declarations:
    root = configuration.root
    return Declarations(
        accounts=configuration.accounts,
        keys=[
            *(one.credential() for one in configuration.keys),
            *(one.credential() for one in configuration.management_keys),
        ],
        root=None if root is None else root.credential(),
        sids=frozenset(configuration.services),
        volumes=configuration.volumes,
    )


def _make_folder(folder: Path) -> None:
    if problem := data_folder.make(folder):
        raise CatalogError(f"{problem} {data_folder.CHOOSE}")


def _open_database(configuration: Configuration, folder: Path) -> Database:
    if configuration.catalog.embedded:
        return database.open_file(folder)
    return open_postgres(configuration.catalog.url)


def _keyring(opened: Database, folder: Path, environ: Mapping[str, str]) -> Keyring:
    """The master key, once it is sure that it is this catalog's."""
    with opened.reading() as connection:
        token = get_meta(connection, _CHECK)
    master = find_master(folder, environ)
    if master is None:
        if token is not None:
            raise CatalogError(
                f"The master key of this catalog is missing: restore {folder / FILE}"
                f" from a backup, or set {VARIABLE}."
            )
        master = make_master(folder)
    keyring = Keyring(master)
    if token is None:
        token = _remember(opened, keyring)
    if not compare_digest(token, keyring.token):
        place = VARIABLE if environ.get(VARIABLE) else folder / FILE
        raise CatalogError(
            f"The master key ({place}) is not the one that this catalog was made with:"
            " its secrets cannot be read. Use the key that belongs to it."
        )
    return keyring


def _remember(opened: Database, keyring: Keyring) -> str:
    """The token in the catalog: ours, unless another process was first."""
    with opened.writing() as connection:
        token = get_meta(connection, _CHECK)
        if token is None:
            token = keyring.token
            set_meta(connection, _CHECK, token)
    return token
