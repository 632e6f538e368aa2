"""The catalog's tables, and the steps that bring an older catalog up to date.

Step n of `MIGRATIONS` makes version n of version n-1; a new catalog takes all
of them. A step that has been released is never changed: a change of the tables
is a new step (and step 1 must then create what it creates today).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
    insert,
    inspect,
    select,
    update,
)

from gateway.catalog.errors import CatalogError

METADATA = MetaData()
_NAME = String().with_variant(String(collation="C"), "postgresql")
"""Text in the order of its bytes, in both databases."""

META = Table(
    "meta",
    METADATA,
    Column("name", _NAME, primary_key=True),
    Column("value", String, nullable=False),
)
REVISION = Table(
    "revision",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("id", _NAME, primary_key=True),
    Column("name", String, nullable=False),
    Column("email", String, nullable=False),
    Column("created", BigInteger, nullable=False),
)
KEYS = Table(
    "keys",
    METADATA,
    Column("id", _NAME, primary_key=True),
    Column("account", _NAME, nullable=False),
    Column("access", JSON, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    Column("active", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("description", String, nullable=False),
)
SERVICES = Table(
    "services",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("namespace", _NAME, nullable=False),
    Column("sid", _NAME, nullable=False),
    Column("owner", _NAME, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("grants", JSON, nullable=False),
    Column("settings", JSON, nullable=False),
    UniqueConstraint("namespace", "sid"),
    Index("services_by_owner", "owner", "sid"),
    Index("services_granted", "granted", "sid"),
    sqlite_autoincrement=True,
)
SERVICE_SETTINGS = Table(
    "service_settings",
    METADATA,
    Column("sid", _NAME, primary_key=True),
    Column("kind", _NAME, primary_key=True),
    Column("document", String, nullable=False),
    Column("decides", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
)
STORES = Table(
    "stores",
    METADATA,
    Column("service", BigInteger, primary_key=True, autoincrement=False),
    Column("driver", String, nullable=False),
    Column("name", String, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""The services that have a driver of their own: the others are buckets, as `[buckets]` says."""

BINDINGS = Table(
    "bindings",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("host", String, nullable=False),
    Column("port", Integer, nullable=False),
    Column("prefix", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("service", String, nullable=False),
    UniqueConstraint("host", "port", "prefix"),
)
"""An empty text, and port 0, where a binding says nothing of it."""

BINDING_OPTIONS = Table(
    "binding_options",
    METADATA,
    Column("binding", BigInteger, primary_key=True, autoincrement=False),
    Column("options", JSON, nullable=False),
)
"""Of those that have some of their mode; without what is secret."""

BINDING_SECRETS = Table(
    "binding_secrets",
    METADATA,
    Column("binding", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""All options of those that have a secret among them."""

CERTIFICATES = Table(
    "certificates",
    METADATA,
    Column("name", _NAME, primary_key=True),
    Column("hosts", JSON, nullable=False),
    Column("chain", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

CERTIFICATE_ORDERS = Table(
    "certificate_orders",
    METADATA,
    Column("host", _NAME, primary_key=True),
    Column("certificate", _NAME, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("state", String, nullable=False),
    Column("problem", String, nullable=False),
    Column("code", String, nullable=False),
    Column("directory", String, nullable=False),
    Column("url", String, nullable=False),
    Column("sealed", LargeBinary),
    Column("begun", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("look", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("tries", JSON, nullable=False),
    Column("changed", BigInteger, nullable=False),
)
ACME_CHALLENGES = Table(
    "acme_challenges",
    METADATA,
    Column("host", _NAME, primary_key=True),
    Column("token", String, nullable=False),
    Column("answer", String, nullable=False),
    Column("told", Boolean, nullable=False),
)
ACME_ACCOUNTS = Table(
    "acme_accounts",
    METADATA,
    Column("directory", _NAME, primary_key=True),
    Column("url", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
)

ENCRYPTION_KEYS = Table(
    "encryption_keys",
    METADATA,
    Column("name", _NAME, primary_key=True),
    Column("active", Boolean, nullable=False),
)
ENCRYPTION_KEY_VERSIONS = Table(
    "encryption_key_versions",
    METADATA,
    Column("name", _NAME, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
)

_ID = BigInteger().with_variant(Integer, "sqlite")

KEY_NUMBERS = Table(
    "key_numbers",
    METADATA,
    Column("number", _ID, primary_key=True),
    Column("key", _NAME, nullable=False, unique=True),
    Column("manages", Boolean, nullable=False),
    Column("revoked", Boolean, nullable=False),
    sqlite_autoincrement=True,
)
"""Of every key that was ever seen, declared ones too: no number and no id comes a second time."""

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("token", LargeBinary, primary_key=True),
    Column("key", _NAME, nullable=False, index=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("address", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("purpose", String, nullable=False, server_default="pages"),
)
"""`token` and `secret` (the key's, when the session began) are HMACs."""

ACCOUNT_NUMBERS = Table(
    "account_numbers",
    METADATA,
    Column("number", _ID, primary_key=True),
    Column("account", _NAME, nullable=False, unique=True),
    sqlite_autoincrement=True,
)
"""Of every account that was ever called by its number: no other has it afterwards."""

PRESIGNED_URLS = Table(
    "presigned_urls",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("bucket", _NAME, nullable=False),
    Column("key", String, nullable=False),
    Column("method", String, nullable=False),
    Column("access_key", _NAME, nullable=False),
    Column("account", _NAME, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False, index=True),
    sqlite_autoincrement=True,
)
AUDIT = Table(
    "audit",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("key", String, nullable=False),
    Column("account", String, nullable=False),
    Column("client", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("request", String, nullable=False),
    Column("action", _NAME, nullable=False),
    Column("subject", _NAME, nullable=False),
    Column("detail", JSON, nullable=False),
    Index("audit_by_action", "action", "id"),
    sqlite_autoincrement=True,
)
"""Rows are added, and that is all: the database itself refuses anything else. Of what strangers
say there is no index: PostgreSQL has none of texts that are that long."""

VOLUMES = Table(
    "volumes",
    METADATA,
    Column("name", _NAME, primary_key=True),
    Column("owner", _NAME, nullable=False),
    Column("user_name", String, nullable=False),
    Column("quota", BigInteger),
    Column("created", BigInteger, nullable=False),
    Column("created_by", String, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
    Index("volumes_by_owner", "owner", "name"),
)
"""Those of the configuration, too (`declared`), as it was when they were last written here.
`revision` is higher than that of any that was changed before."""

VOLUME_BUCKETS = Table(
    "volume_buckets",
    METADATA,
    Column("service", BigInteger, primary_key=True, autoincrement=False),
    Column("volume", _NAME, nullable=False),
    Column("bucket", _NAME, nullable=False),
    UniqueConstraint("volume", "bucket"),
)
"""Of the services that are in a volume: what they are called there."""

UPLOADED_CERTIFICATES = Table(
    "uploaded_certificates",
    METADATA,
    Column("number", _ID, primary_key=True),
    Column("name", _NAME, nullable=False, unique=True),
    Column("account", _NAME, nullable=False, index=True),
    Column("fingerprint", String, nullable=False),
    sqlite_autoincrement=True,
)
"""Of the certificates that accounts have brought: whose they are. No number comes a second time;
a row whose certificate is gone says nothing."""


SERVICE_PARTS = Table(
    "service_parts",
    METADATA,
    Column("service", BigInteger, primary_key=True, autoincrement=False),
    Column("whole", _NAME, nullable=False, index=True),
)
BINDING_PARTS = Table(
    "binding_parts",
    METADATA,
    Column("binding", BigInteger, primary_key=True, autoincrement=False),
    Column("whole", _NAME, nullable=False, index=True),
)
"""Of the services and bindings that are made, changed and removed with something else: that, as
in "zone 5"."""

ZONES = Table(
    "zones",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("account", _NAME, nullable=False),
    Column("document", JSON, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("reuses", BigInteger, index=True),
    Column("storage", BigInteger, index=True),
    Column("created", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("zones_by_account", "account", "number"),
)
"""`document` is as it was asked for, but for what is secret, which is `sealed`. `reuses` and
`storage` are numbers that it names. `revision` is that of the stores (`STORES_NUMBER`)."""

STORAGES = Table(
    "storages",
    METADATA,
    Column("number", _ID, primary_key=True),
    Column("account", _NAME, nullable=False, index=True),
    Column("sid", _NAME, nullable=False),
    Column("region", String, nullable=False),
    Column("key", _NAME, nullable=False),
    Column("created", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
"""Services that accounts have made for their files: the service is part of "storage 7", and goes
with it; `key` is the id of the one key that reaches it and nothing else."""

PURGE_JOBS = Table(
    "purge_jobs",
    METADATA,
    Column("number", _ID, primary_key=True),
    Column("id", _NAME, nullable=False, unique=True),
    Column("account", _NAME, nullable=False),
    Column("zone", BigInteger, nullable=False),
    Column("sid", _NAME, nullable=False),
    Column("host", String, nullable=False),
    Column("status", _NAME, nullable=False),
    Column("problem", String, nullable=False),
    Column("soft", Boolean, nullable=False),
    Column("files", Integer, nullable=False),
    Column("first", JSON, nullable=False),
    Column("prefixes", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
    Index("purge_jobs_by_account", "account", "number"),
    Index("purge_jobs_by_status", "status", "number"),
    sqlite_autoincrement=True,
)
"""What caches were asked to forget. `files` is how many paths were named, `first` a few of them."""

PURGE_FILES = Table(
    "purge_files",
    METADATA,
    Column("job", BigInteger, primary_key=True, autoincrement=False),
    Column("paths", LargeBinary, nullable=False),
)
"""All paths of those jobs that name more, apart from what lists read."""


def _create(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[META, REVISION, ACCOUNTS, KEYS, SERVICES])
    connection.execute(insert(REVISION).values(id=1, number=1))


def _add_settings(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[SERVICE_SETTINGS])


def _add_stores(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[STORES, BINDINGS])


def _add_certificates(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[CERTIFICATES])


def _add_encryption_keys(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[ENCRYPTION_KEYS, ENCRYPTION_KEY_VERSIONS])


def _add_binding_options(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[BINDING_OPTIONS])


def _add_binding_secrets(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[BINDING_SECRETS])


def _add_management(connection: Connection) -> None:
    tables = [KEY_NUMBERS, SESSIONS, PRESIGNED_URLS, AUDIT]
    METADATA.create_all(connection, tables=tables)
    for key in connection.execute(
        select(KEYS.c.id, KEYS.c.active).order_by(KEYS.c.created, KEYS.c.id)
    ).all():
        row = {"key": key.id, "manages": False, "revoked": not key.active}
        connection.execute(insert(KEY_NUMBERS).values(row))
    for statement in _APPEND_ONLY[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def _add_volumes(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[VOLUMES, VOLUME_BUCKETS])


def _add_zones(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[SERVICE_PARTS, BINDING_PARTS, ZONES])


def _add_uploaded_certificates(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[UPLOADED_CERTIFICATES])


def _add_account_numbers(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[ACCOUNT_NUMBERS])
    known = {one["name"] for one in inspect(connection).get_columns(SESSIONS.name)}
    if SESSIONS.c.purpose.name not in known:  # it was made before there was one
        connection.exec_driver_sql(
            "ALTER TABLE sessions ADD COLUMN purpose VARCHAR NOT NULL DEFAULT 'pages'"
        )


def _add_storages(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[STORAGES])


def _add_certificate_orders(connection: Connection) -> None:
    tables = [CERTIFICATE_ORDERS, ACME_CHALLENGES, ACME_ACCOUNTS]
    METADATA.create_all(connection, tables=tables)


def _add_purge_jobs(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[PURGE_JOBS, PURGE_FILES])


_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER audit_stays_{verb} BEFORE {verb} ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'the audit is append-only'; END$$",
        "CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()",
    ],
}


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _create,
    _add_settings,
    _add_stores,
    _add_certificates,
    _add_encryption_keys,
    _add_binding_options,
    _add_management,
    _add_binding_secrets,
    _add_volumes,
    _add_zones,
    _add_uploaded_certificates,
    _add_account_numbers,
    _add_storages,
    _add_certificate_orders,
    _add_purge_jobs,
)


def is_text(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether it is that text, which may be a stranger's. PostgreSQL has none with a NUL, and
    does not even look for one."""
    return false() if "\0" in text else column == text


def get_meta(connection: Connection, name: str) -> str | None:
    return connection.scalar(select(META.c.value).where(META.c.name == name))


def get_metas(connection: Connection, prefix: str) -> dict[str, str]:
    """All whose names begin so."""
    begins = META.c.name.startswith(prefix, autoescape=True)
    rows = connection.execute(select(META.c.name, META.c.value).where(begins))
    return {row.name: row.value for row in rows}


def set_meta(connection: Connection, name: str, value: str) -> None:
    """Within the catalog's write lock."""
    if get_meta(connection, name) is None:
        connection.execute(insert(META).values(name=name, value=value))
    else:
        connection.execute(update(META).where(META.c.name == name).values(value=value))


STORES_NUMBER = "changes of stores"
"""In `meta`: how often services that have a driver of their own, and bindings, have changed."""


def stores_number(connection: Connection) -> int:
    return int(get_meta(connection, STORES_NUMBER) or 0)


def count_stores(connection: Connection) -> None:
    """Within the catalog's write lock: one of them is changed."""
    set_meta(connection, STORES_NUMBER, str(stores_number(connection) + 1))


def version_of(connection: Connection) -> int:
    """The schema's version; 0 when there is none yet. Raises `CatalogError` when it is
    newer than this program knows."""
    known = len(MIGRATIONS)
    if not connection.dialect.has_table(connection, META.name):
        return 0
    version = int(get_meta(connection, "schema") or 0)
    if version > known:
        raise CatalogError(
            f"The catalog has schema version {version}; this program knows versions up to {known}."
            " It was written by a newer storage-gateway: use that one, or restore a backup."
        )
    return version


def upgrade(connection: Connection) -> None:
    """Take the steps that are missing. The caller holds the catalog's write lock."""
    version = version_of(connection)
    if version == len(MIGRATIONS):
        return
    embedded = connection.dialect.name == "sqlite"
    whole = _WHOLE.get(MIGRATIONS) if embedded and not version else None
    if whole is not None:
        for statement in whole:
            connection.exec_driver_sql(statement)
        return
    for step in MIGRATIONS[version:]:
        step(connection)
    set_meta(connection, "schema", str(len(MIGRATIONS)))
    if embedded and not version:
        _WHOLE[MIGRATIONS] = _statements(connection)


_WHOLE: dict[tuple[Callable[[Connection], None], ...], tuple[str, ...]] = {}
"""What makes a new catalog of SQLite at once, when steps have made one in this process: they
take ten times as long, and a suite of tests may want one for each of them."""


def _statements(connection: Connection) -> tuple[str, ...]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    around = ("BEGIN TRANSACTION;", "COMMIT;")
    return tuple(one for one in driver.iterdump() if one not in around)
