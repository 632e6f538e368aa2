"""What cannot be opened leaves no connection to its database open: nobody else would close
it, and on Windows a file that is open can be neither removed nor replaced."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.cache import Cache
from drivers.cache.marks import Marks
from drivers.indexed.space import FileSpace
from drivers.memory import Memory
from gateway.catalog import CatalogError, database, schema
from gateway.common.commit_watch import WalIndex
from gateway.storage import Context, StorageError
from gateway.storage.objects import now
from gateway.telemetry.line_spool import LineSpool, Queue
from gateway.telemetry.record import Record
from gateway.telemetry.report_file import ReportFile
from gateway.telemetry.request_list import RequestList
from gateway.testing import Server

DAMAGED = b"this is no database, however long it is" * 20


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """All to SQLite that the test opens."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def record(*arguments: Any, **options: Any) -> sqlite3.Connection:
        made.append(connect(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", record)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", record)  # where SQLAlchemy finds it
    return made


def is_closed(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018  # it asks whether it is open
    except sqlite3.ProgrammingError:
        return True
    return False


def request_list(folder: Path) -> None:
    requests = RequestList(folder)
    assert requests.page() == []
    raise OSError  # it gives up what does not work by itself, and is still open


def test_a_space_that_does_not_close_well_has_nothing_open(
    tmp_path: Path, connections: list[sqlite3.Connection], caplog: pytest.LogCaptureFixture
) -> None:
    space = FileSpace(tmp_path, now)
    space.before_close.append(lambda: int("no number"))
    with space.looking():
        pass
    space.close()
    assert len(connections) > 1
    assert all(map(is_closed, connections))
    assert "did not close well: invalid literal" in caplog.text


def test_a_test_server_that_was_stopped_has_nothing_open(
    sockets: None, connections: list[sqlite3.Connection]
) -> None:
    record = Record("0" * 16, "GET", "/", "")
    with Server() as server:
        for _ in range(2):
            server._stage.requests.add([record])
            assert len(server._stage.requests.page()) == 1
            server.reset()
    assert connections
    assert all(map(is_closed, connections))


OPENED: dict[str, Callable[[Path], object]] = {
    "requests.db": request_list,
    "access-lines.db": lambda folder: LineSpool(folder).queues(),
    "catalog.db": database.open_file,
    "index.db": lambda folder: FileSpace(folder, now),
    "marks.db": lambda folder: Marks(folder, now, lambda _: None),
    "watched.db": lambda folder: WalIndex(folder / "watched.db"),
    "cache/photos/marks/marks.db": lambda folder: Cache(source=Memory()).open(
        Context(sid="photos", folder=folder)
    ),
}


@pytest.mark.parametrize("name", OPENED)
def test_one_that_is_damaged(
    name: str, tmp_path: Path, connections: list[sqlite3.Connection]
) -> None:
    if name == "watched.db" and os.name == "nt":
        pytest.skip("POSIX's watch")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(DAMAGED)
    with pytest.raises((StorageError, CatalogError, sqlite3.Error, OSError)):
        OPENED[name](tmp_path)
    assert connections
    assert all(map(is_closed, connections))


def test_who_comes_after_the_end_opens_nothing(
    tmp_path: Path, connections: list[sqlite3.Connection]
) -> None:
    spool, file = LineSpool(tmp_path), ReportFile(tmp_path)
    spool.add(Queue("target", "queue"), 0, "line")
    for stop, late in ((spool.stop, spool.queues), (file.close, file.names)):
        late()
        stop()
        with pytest.raises(OSError, match="closed"):
            late()
    assert len(connections) == 2
    assert all(map(is_closed, connections))


def test_a_catalog_that_is_newer(
    tmp_path: Path, connections: list[sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    database.open_file(tmp_path).close()
    monkeypatch.setattr(schema, "MIGRATIONS", ())
    with pytest.raises(CatalogError, match="newer"):
        database.open_file(tmp_path)
    assert len(connections) > 2
    assert all(map(is_closed, connections))


def test_marks_without_room(
    tmp_path: Path, connections: list[sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> WalIndex:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("drivers.cache.marks.watch", full)
    with pytest.raises(OSError, match="No space"):
        Marks(tmp_path, now, lambda _: None)
    assert len(connections) == 2
    assert all(map(is_closed, connections))
