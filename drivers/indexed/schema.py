"""The index's tables, in SQLite's SQL, as all statements of the engine are.

An index in another database would be a second set of statements below the same rules.

- A key's current object is in `objects`; everything else that a version list
  shows (older versions, delete markers) is in `versions`. So a page of current
  keys costs the same however many versions each has. The latest version of a
  key is its row in `objects`, else the newest in `versions`, a marker.
- `sequence` numbers a service's changes and orders the versions of a key.
- Bytes of small objects are in `blobs.data`, away from the rows that lists read.
- An object has one blob, or a manifest (a list of pieces of blobs), or is empty.
- What a service has is counted in its row, in the transaction of each change: `objects` are
  versions without delete markers, `current` the keys, `bytes` those of objects and annotations,
  `uploads` those under way, and `waiting` the bytes of their parts.
- A volume has buckets, which name it in their rows. `used` of it is the sum of their `bytes` and
  `waiting`, written in the transaction of each change of these.
- Annotations hang on a version, in either table, by its `sequence`.
- `feed` names the change feed where it is not the service's own from the beginning. `replica` is
  "settled" where it is a replica whose `sequence` is how far it is in that feed, "unsettled" where
  what it has is of no known state of it.
- `refs` counts the rows that need a blob or manifest. A file whose blob has none
  left is removed, but not before `due` where that is set: a reader may come to it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.storage import StorageError

VERSION = 10
"""1 had another kind of CRCs in `blobs`, and was never released; 2 had no `services.waiting`,
3 no `changes.cause`, 4 no `annotations`, 5 no replicas, 6 no `services.case_sensitive`,
7 no `blobs.ends`, 8 no `services.current` and no `services.uploads`, 9 no volumes."""

_ANNOTATIONS = """CREATE TABLE annotations (
    service INTEGER NOT NULL, key TEXT NOT NULL, sequence INTEGER NOT NULL, name TEXT NOT NULL,
    size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL,
    checksums TEXT NOT NULL, blob INTEGER,
    PRIMARY KEY (service, key, sequence, name)) WITHOUT ROWID"""

_VOLUMES = """CREATE TABLE volumes (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, quota INTEGER,
    used INTEGER NOT NULL DEFAULT 0)"""

_BY_VOLUME = "CREATE INDEX services_by_volume ON services (volume) WHERE volume IS NOT NULL"

UPGRADES = {
    2: (
        "ALTER TABLE services ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0",
        """UPDATE services SET waiting = (
        SELECT COALESCE(SUM(p.size), 0) FROM uploads u JOIN parts p ON p.upload = u.id
        WHERE u.service = services.id AND u.ended IS NULL)""",
    ),
    3: ("ALTER TABLE changes ADD COLUMN cause TEXT NOT NULL DEFAULT ''",),
    4: (_ANNOTATIONS,),
    5: (
        "ALTER TABLE services ADD COLUMN feed TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE services ADD COLUMN replica TEXT NOT NULL DEFAULT ''",
    ),
    6: ("ALTER TABLE services ADD COLUMN case_sensitive INTEGER NOT NULL DEFAULT 1",),
    7: ("ALTER TABLE blobs ADD COLUMN ends BLOB",),
    8: (
        "ALTER TABLE services ADD COLUMN current INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE services ADD COLUMN uploads INTEGER NOT NULL DEFAULT 0",
        """UPDATE services SET
        current = (SELECT COUNT(*) FROM objects o WHERE o.service = services.id),
        uploads = (
            SELECT COUNT(*) FROM uploads u WHERE u.service = services.id AND u.ended IS NULL)""",
    ),
    9: ("ALTER TABLE services ADD COLUMN volume INTEGER", _VOLUMES, _BY_VOLUME),
}
"""What makes the next version of one."""

_OBJECT = """
    service INTEGER NOT NULL, key TEXT NOT NULL, sequence INTEGER NOT NULL,
    version TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    modified INTEGER NOT NULL, content_type TEXT NOT NULL, storage_class TEXT NOT NULL,
    owner TEXT NOT NULL, blob INTEGER, manifest INTEGER, detail TEXT NOT NULL"""

STATEMENTS = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE services (
    id INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT NOT NULL, name TEXT NOT NULL,
    created INTEGER NOT NULL, versioning TEXT NOT NULL DEFAULT 'off',
    sequence INTEGER NOT NULL DEFAULT 0, objects INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0, quota INTEGER, waiting INTEGER NOT NULL DEFAULT 0,
    feed TEXT NOT NULL DEFAULT '', replica TEXT NOT NULL DEFAULT '',
    case_sensitive INTEGER NOT NULL DEFAULT 1, current INTEGER NOT NULL DEFAULT 0,
    uploads INTEGER NOT NULL DEFAULT 0, volume INTEGER,
    UNIQUE (namespace, name))""",
    _VOLUMES,
    _BY_VOLUME,
    f"CREATE TABLE objects ({_OBJECT}, PRIMARY KEY (service, key)) WITHOUT ROWID",
    f"""CREATE TABLE versions ({_OBJECT}, marker INTEGER NOT NULL, retired INTEGER NOT NULL,
    PRIMARY KEY (service, key, sequence DESC)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX null_versions ON versions (service, key) WHERE version = 'null'",
    """CREATE TABLE blobs (
    id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, size INTEGER NOT NULL, name TEXT,
    crcs BLOB, seal BLOB, due INTEGER, data BLOB, ends BLOB)""",
    "CREATE INDEX due_blobs ON blobs (due) WHERE due IS NOT NULL",
    "CREATE UNIQUE INDEX named_blobs ON blobs (name) WHERE name IS NOT NULL",
    """CREATE TABLE manifests (
    id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, pieces BLOB NOT NULL, parts TEXT NOT NULL)""",
    """CREATE TABLE uploads (
    id TEXT PRIMARY KEY, service INTEGER NOT NULL, key TEXT NOT NULL, begun INTEGER NOT NULL,
    options TEXT NOT NULL, answer TEXT, ended INTEGER) WITHOUT ROWID""",
    "CREATE INDEX uploads_by_key ON uploads (service, key, id) WHERE ended IS NULL",
    "CREATE INDEX ended_uploads ON uploads (ended) WHERE ended IS NOT NULL",
    """CREATE TABLE parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, pieces BLOB NOT NULL,
    size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL,
    checksums TEXT NOT NULL,
    PRIMARY KEY (upload, number)) WITHOUT ROWID""",
    """CREATE TABLE changes (
    service INTEGER NOT NULL, sequence INTEGER NOT NULL, kind TEXT NOT NULL,
    time INTEGER NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL, size INTEGER NOT NULL,
    etag TEXT NOT NULL, content_type TEXT NOT NULL, cause TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (service, sequence)) WITHOUT ROWID""",
    _ANNOTATIONS,
    f"INSERT INTO meta VALUES ('schema', '{VERSION}')",
)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables, or bring them up to date; refuse an index that a newer release has
    written."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        exists = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
        ).fetchone()
        if exists is None:
            for statement in STATEMENTS:
                connection.execute(statement)
        found = int(
            connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[0]
        )
        while found in UPGRADES:
            for statement in UPGRADES[found]:
                connection.execute(statement)
            found += 1
            connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (str(found),))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    if found < VERSION:
        raise StorageError(
            f"{path} was written before the first release (schema {found}; this one knows"
            f" {VERSION}). Copy its objects by the gateway that wrote it."
        )
    if found > VERSION:
        raise StorageError(
            f"{path} was written by a newer release (schema {found}; this one knows"
            f" {VERSION}). Install that release, or use another data folder."
        )
