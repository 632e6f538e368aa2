"""SQLite 3.40 to 3.50: the header of the shared memory of a write-ahead log (`commit_watch`).

It comes with Python, so nothing bounds it. Its format is a public one with a number of its
own (sqlite.org/walformat.html, §2.1), 3007000 since 2010; where it is another, the pragma
is asked instead.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from gateway.common import commit_watch
from gateway.common.commit_watch import DataVersion, WalIndex, watch


def made(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("CREATE TABLE t (n INTEGER)")
    return connection


@pytest.mark.skipif(os.name == "nt", reason="the pragma is asked there")
def test_the_header_of_the_shared_memory_is_as_we_know_it(tmp_path: Path) -> None:
    """Each commit changes it, whoever made it; a read and a refused write do not."""
    writer = made(tmp_path / "database")
    watching = watch(tmp_path / "database")
    assert isinstance(watching, WalIndex), "the format of -shm is another"
    seen = {watching.version()}
    for number in range(3):
        writer.execute("INSERT INTO t VALUES (?)", (number,))
        seen.add(watching.version())
    assert len(seen) == 4
    writer.execute("SELECT * FROM t").fetchall()
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (9)")
    writer.execute("ROLLBACK")
    assert watching.version() in seen
    writer.close()
    watching.close()


@pytest.mark.skipif(os.name == "nt", reason="the pragma is asked there")
def test_where_the_format_is_another_the_pragma_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = made(tmp_path / "database")
    monkeypatch.setattr(commit_watch, "_FORMAT", 3008000)
    watching = watch(tmp_path / "database")
    assert isinstance(watching, DataVersion)
    before = watching.version()
    writer.execute("INSERT INTO t VALUES (1)")
    assert watching.version() != before
    watching.close()
    writer.close()
