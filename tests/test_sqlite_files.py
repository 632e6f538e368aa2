"""How the gateway's SQLite files are opened while others make or use them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from drivers.cache.marks import Marks
from drivers.indexed.space import FileSpace
from gateway.background.cursors import Cursors
from gateway.catalog import database
from gateway.common import sqlite
from gateway.services.attempts import KeptAttempts
from gateway.storage.objects import now
from gateway.telemetry.line_spool import LineSpool
from gateway.telemetry.report_file import ReportFile
from gateway.telemetry.request_list import RequestList


def request_list(folder: Path) -> None:
    requests = RequestList(folder)
    requests.page()
    requests.close()


def attempts(folder: Path) -> None:
    found = KeptAttempts(folder, now)
    found.failed("192.0.2.1", "key")
    found.close()


def line_spool(folder: Path) -> None:
    lines = LineSpool(folder)
    lines.queues()
    lines.stop()


def cursors(folder: Path) -> None:
    found = Cursors(folder)
    found.all()
    found.close()


def reports(folder: Path) -> None:
    found = ReportFile(folder)
    found.names()
    found.close()


OPENED: dict[str, Callable[[Path], object]] = {
    "requests.db": request_list,
    "attempts.db": attempts,
    "access-lines.db": line_spool,
    "followers.db": cursors,
    "reports.db": reports,
    "catalog.db": lambda folder: database.open_file(folder).close(),
    "index.db": lambda folder: FileSpace(folder, now).close(),
    "marks.db": lambda folder: Marks(folder, now, lambda _: None).close(),
}


@pytest.mark.parametrize("name", OPENED)
def test_a_file_that_somebody_just_makes_is_waited_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself does not wait for what this pragma needs."""
    maker = sqlite3.connect(tmp_path / name, isolation_level=None, check_same_thread=False)
    maker.execute("BEGIN IMMEDIATE")
    naps = list[float]()

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if maker.in_transaction:
            maker.execute("ROLLBACK")

    monkeypatch.setattr(time, "sleep", nap)
    OPENED[name](tmp_path)
    assert naps
    maker.close()


def test_what_stays_locked_is_told_in_the_end(tmp_path: Path) -> None:
    maker = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    maker.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite.connect(tmp_path / "a.db", "FULL", timeout=0.03)
    maker.close()


def test_many_threads_open_what_none_has_made(tmp_path: Path) -> None:
    schema = ("CREATE TABLE t (n)", "INSERT INTO t VALUES (1)")
    prepare, together = sqlite.anew(("t",), 3, schema), threading.Barrier(6)
    rows = list[object]()

    def open_it(path: Path) -> None:
        together.wait()
        connection = sqlite.connect_with_tables(path, "NORMAL", prepare)
        rows.extend(connection.execute("SELECT n FROM t"))
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()

    for number in range(5):
        path = tmp_path / f"{number}.db"
        threads = [Thread(target=open_it, args=(path,)) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert rows == [(1,)] * 30
