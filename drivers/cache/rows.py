"""A cache's tables beside the engine's, and what happens to their rows in a transaction.

- Blocks are rows that need a blob of the engine (`blobs`), which keeps names,
  CRCs and small bytes, and counts who needs them.
- `cache_state` has one row. `total` is what the cache takes: bytes of blobs that
  are still there, and an estimate for rows. Files count until they are removed.
- `floor`: marks up to there were carried out and forgotten, so nothing that was
  fetched before may still be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from drivers.cache.entries import CacheEntry
from drivers.indexed import rows as engine
from drivers.indexed.batch import Transaction
from drivers.indexed.blobs import Blob
from drivers.indexed.rows import add_blob, release_blob

STATEMENTS = (
    """CREATE TABLE IF NOT EXISTS cache_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, variant TEXT NOT NULL,
    point INTEGER NOT NULL, fetched INTEGER NOT NULL, until INTEGER NOT NULL,
    used INTEGER NOT NULL, cost INTEGER NOT NULL, validator TEXT NOT NULL,
    tags TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (key, variant))""",
    "CREATE INDEX IF NOT EXISTS cache_entries_by_use ON cache_entries (used)",
    """CREATE TABLE IF NOT EXISTS cache_blocks (
    entry INTEGER NOT NULL, number INTEGER NOT NULL, blob INTEGER NOT NULL,
    used INTEGER NOT NULL, PRIMARY KEY (entry, number)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS cache_blocks_by_use ON cache_blocks (used)",
    """CREATE TABLE IF NOT EXISTS cache_tags (
    tag TEXT NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (tag, entry)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS cache_claims (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, variant TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, point INTEGER NOT NULL,
    holder TEXT NOT NULL, until INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS cache_claims_by_key ON cache_claims (key, variant)",
    """CREATE TABLE IF NOT EXISTS cache_state (
    total INTEGER NOT NULL, entries INTEGER NOT NULL, floor INTEGER NOT NULL)""",
)

_ROW = 600
"""About what an entry's row takes beside its text, with its indexes."""
_BLOCK_ROW = 250
_PAGE = 4096

_PLACE = (
    "INSERT INTO cache_entries"
    " (key, variant, point, fetched, until, used, cost, validator, tags, text)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_RENEW = (
    "UPDATE cache_entries SET point = ?, fetched = ?, until = ?, used = max(used, ?), cost = ?,"
    " tags = ?, text = ? WHERE id = ?"
)
"""Its use may have been noted while it was asked for anew."""

_THERE = (
    "SELECT 1 FROM cache_blocks k JOIN blobs b ON b.id = k.blob WHERE k.entry = ? AND k.number = ?"
)


_SOUND = (
    "SELECT 1 FROM cache_state"
    " WHERE typeof(total) || typeof(entries) || typeof(floor) = 'integerintegerinteger'"
)
_COUNTED = f"""SELECT
    (SELECT coalesce(sum(CAST(cost AS INTEGER)), 0) FROM cache_entries)
    + (SELECT coalesce(sum({_BLOCK_ROW} + CASE WHEN name IS NULL THEN CAST(size AS INTEGER)
        ELSE (CAST(size AS INTEGER) + {_PAGE - 1}) / {_PAGE} * {_PAGE} END), 0) FROM blobs)
    - total, (SELECT count(*) FROM cache_entries) - entries FROM cache_state"""
"""Costs are those of `cost_of_blob`."""


class Refused(Exception):
    """What was to be stored is overtaken: by a mark, a newer fetch, or a removal."""


class NoRoom(Exception):
    """It would take more than the cache may."""


class State(NamedTuple):
    total: int
    entries: int
    floor: int


def create(txn: Transaction) -> None:
    for statement in STATEMENTS:
        txn.execute(statement)
    if txn.one(_SOUND) is None:  # new, or damaged
        txn.execute("DROP TABLE cache_state")  # an earlier release gave it more columns
        txn.execute(STATEMENTS[-1])
        txn.execute("INSERT INTO cache_state VALUES (0, 0, 0)")


def state(one: Callable[..., Any]) -> State:
    return State(*one("SELECT total, entries, floor FROM cache_state", ()))


def miscounted(execute: Callable[..., Any]) -> tuple[int, int]:
    """By how much `total` and `entries` are too low. It reads all rows: for a million entries
    with files that takes less than a second."""
    total, entries = execute(_COUNTED).fetchone()
    return int(total), int(entries)


def cost_of_blob(size: int, name: str | None) -> int:
    """What a block takes: files take whole pages of the disk."""
    return _BLOCK_ROW + (size if name is None else -(-size // _PAGE) * _PAGE)


def adjust(txn: Transaction, total: int, entries: int = 0) -> int:
    row = txn.one(
        "UPDATE cache_state SET total = total + ?, entries = entries + ? RETURNING total",
        (total, entries),
    )
    return int(row[0])


def place(txn: Transaction, entry: CacheEntry, text: str, now: int | None) -> tuple[int, int]:
    """(id, cost added) of the entry's row: a new one, or that of the same object made
    fresh. `text` is what the entry dumps. Raises `Refused` when something newer is known."""
    (floor,) = txn.one("SELECT floor FROM cache_state")
    if entry.point < floor:
        raise Refused
    validator = entry.validator
    tags = "\n".join(entry.tags)
    cost = _ROW + 2 * len(entry.key) + len(text) + 3 * len(tags)
    row = txn.one(
        "SELECT id, point, fetched, validator, CAST(cost AS INTEGER), tags FROM cache_entries"
        " WHERE key = ? AND variant = ?",
        (entry.key, entry.variant),
    )
    if row is not None:
        if (row[1], row[2]) > (entry.point, entry.fetched):
            raise Refused
        if validator and row[3] == validator:
            txn.execute(
                _RENEW,
                (entry.point, entry.fetched, entry.until, entry.used, cost, tags, text, row[0]),
            )
            _retag(txn, row[0], row[5], tags)
            return row[0], cost - row[4]
        drop_entry(txn, row[0], now)
    cursor = txn.execute(
        _PLACE,
        (
            entry.key, entry.variant, entry.point, entry.fetched, entry.until, entry.used,
            cost, validator, tags, text,
        ),
    )  # fmt: skip
    number = cursor.lastrowid or 0
    _retag(txn, number, "", tags)
    adjust(txn, 0, 1)
    return number, cost


def _retag(txn: Transaction, entry: int, before: str, after: str) -> None:
    if before == after:
        return
    for tag in before.split("\n") if before else ():
        txn.execute("DELETE FROM cache_tags WHERE tag = ? AND entry = ?", (tag, entry))
    for tag in after.split("\n") if after else ():
        txn.execute("INSERT OR IGNORE INTO cache_tags VALUES (?, ?)", (tag, entry))


def add_block(txn: Transaction, entry: int, number: int, blob: Blob, used: int) -> int | None:
    """The number of the blob's row; None when that block is there already."""
    if txn.one(_THERE, (entry, number)) is not None:
        return None
    added = add_blob(txn, blob)
    sql = "INSERT OR REPLACE INTO cache_blocks VALUES (?, ?, ?, ?)"  # its blob may have been lost
    txn.execute(sql, (entry, number, added, used))
    return added


def keep_file(txn: Transaction, name: str, size: int, due: int) -> None:
    """A file that cannot be removed yet counts until it can be."""
    if engine.keep_file(txn, name, size, due):
        adjust(txn, cost_of_blob(size, name))


def touch(txn: Transaction, entry: int, used: int) -> bool:
    """Note that an entry is used at that time, with its newest block. Whether it is there."""
    row = txn.one("SELECT used FROM cache_entries WHERE id = ?", (entry,))
    if row is not None and row[0] < used:
        txn.execute("UPDATE cache_entries SET used = ? WHERE id = ?", (used, entry))
    return row is not None


def drop_entry(txn: Transaction, entry: int, now: int | None) -> int:
    """Remove an entry and its blocks; the bytes of what went. `now`: when their files may go;
    None: at once. What is damaged can be removed too."""
    sql = "DELETE FROM cache_entries WHERE id = ? RETURNING CAST(cost AS INTEGER), tags"
    row = txn.one(sql, (entry,))
    if row is None:
        return 0
    if isinstance(row[1], str):
        _retag(txn, entry, row[1], "")
    blocks = txn.execute("SELECT number, blob FROM cache_blocks WHERE entry = ?", (entry,))
    gone = drop_blocks(txn, [(entry, number, blob) for number, blob in blocks.fetchall()], now)
    adjust(txn, -row[0], -1)
    return int(row[0]) + gone


def drop_blocks(txn: Transaction, blocks: Sequence[tuple[int, int, int]], now: int | None) -> int:
    """Remove blocks, (entry, number, blob) each; the bytes of what went. What is not there any
    more was let go of before, and its blob with it."""
    gone = freed = 0
    for block in blocks:
        sql = "DELETE FROM cache_blocks WHERE entry = ? AND number = ? AND blob = ?"
        if not txn.execute(sql, block).rowcount:
            continue
        row = txn.one("SELECT CAST(size AS INTEGER), name FROM blobs WHERE id = ?", block[2:])
        if row is None:
            continue
        release_blob(txn, block[2], now)
        cost = cost_of_blob(*row)
        gone += cost
        if row[1] is None or now is None:
            freed += cost
    if freed:
        adjust(txn, -freed)
    return gone


def drop_unused(txn: Transaction, entry: int, used: int, now: int | None) -> int:
    """Remove an entry whose turn has come, being unused since `used`; the bytes of what went. One
    that has blocks which were used later gets its turn with the last of them."""
    sql = "SELECT max(used) FROM cache_blocks WHERE entry = ?"
    (newest,) = txn.one(sql, (entry,))
    if newest is not None and newest > used:
        touch(txn, entry, newest)
        return 0
    return drop_entry(txn, entry, now)
