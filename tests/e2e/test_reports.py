"""Reports under load: two workers count to the byte, over a restart; a kill loses seconds only.

One data folder, three gateways one after the other: the first is stopped under load, of the second
a worker is killed, the third is asked.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.telemetry.report_file import FILE, ReportFile
from gateway.telemetry.reports import Asked, Period
from tests.e2e.conftest import serving, workers_of
from tests.e2e.raw import eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="granian is not for Windows")

CONFIG = """
[server]
server = "granian"
workers = 2

[reports]
flush = "0.5s"

[services.files]
driver = "local"

[[bindings]]
host = "a.example.com"
mode = "public"
service = "files"

[[bindings]]
host = "b.example.com"
mode = "public"
service = "files"
counted_as = "other-name"
"""
SIZES = {"/small": 10, "/large": 300_000}


class Load:
    """Clients of both bindings, and what they were answered: (host, status) → hits and bytes."""

    def __init__(self, url: str) -> None:
        self._url, self._stop, self._lock = url, threading.Event(), threading.Lock()
        self.seen: dict[tuple[str, int], list[int]] = {}

    def run(self, requests: int, clients: int = 4) -> None:
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(self._client, [requests] * clients))

    def _client(self, requests: int) -> None:
        for number in range(requests):
            connection = HTTPConnection(urlsplit(self._url).netloc, timeout=30)
            host = ("a.example.com", "b.example.com")[number % 2]
            path = ("/small", "/large", "/absent", "/%00")[number % 4]
            for method in ("GET", "HEAD"):
                connection.request(method, path, headers={"Host": host})
                answer = connection.getresponse()
                size = len(answer.read())
                with self._lock:
                    counted = self.seen.setdefault((host, answer.status), [0, 0])
                    counted[0] += 1
                    counted[1] += size
            connection.close()


def reported(file: ReportFile, name: str) -> dict[int, list[int]]:
    """Status → hits and bytes, of all days."""
    day = Period(since=1, until=int(time.time()) + 86_400, by="day")
    found: dict[int, list[int]] = {}
    for _, status, hits, size in file.read(Asked(names=[name], split="status"), day):
        sums = found.setdefault(int(status), [0, 0])
        sums[0] += hits
        sums[1] += size
    return found


def expected(*loads: Load) -> dict[str, dict[int, list[int]]]:
    names = {"a.example.com": "files", "b.example.com": "other-name"}
    sums: dict[str, dict[int, list[int]]] = {name: {} for name in names.values()}
    for load in loads:
        for (host, status), (hits, size) in load.seen.items():
            counted = sums[names[host]].setdefault(status, [0, 0])
            counted[0] += hits
            counted[1] += size
    return sums


def both_count(folder: Path) -> None:
    """Wait for the second worker: one is enough to answer."""

    def begun() -> bool:
        with closing(sqlite3.connect(folder / "data" / FILE)) as connection:
            query = "SELECT count(*) FROM workers WHERE NOT ended"
            return bool(connection.execute(query).fetchone() == (2,))

    eventually(begun, "two workers count")


def test_reports_are_exact_over_workers_and_restarts_and_a_kill_loses_seconds(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, config=CONFIG) as gateway:
        client = gateway.client()
        for path, size in SIZES.items():
            client.put_object(Bucket="files", Key=path[1:], Body=b"x" * size)
        both_count(tmp_path)
        first = Load(gateway.url)
        first.run(40)
    # It was stopped at once: what was not written yet is written at its end.
    with closing(ReportFile(tmp_path / "data")) as file:

        def all_of_it() -> dict[str, dict[int, list[int]]]:
            found = {name: reported(file, name) for name in ("files", "other-name")}
            found["files"][200][0] -= len(SIZES)  # that were put
            return found

        assert all_of_it() == expected(first)
        with serving(tmp_path, config=CONFIG) as gateway:
            both_count(tmp_path)
            second = Load(gateway.url)
            second.run(20)
            known = expected(first, second)
            eventually(lambda: all_of_it() == known, "each worker writes within a second")
            assert not file.complete(time.time()).lost
            workers = workers_of(gateway)
            lost = Load(gateway.url)
            lost.run(4)
            for one in workers:
                os.kill(one, signal.SIGKILL)
        whole = expected(first, second, lost)
        for name, statuses in all_of_it().items():
            for status, sums in statuses.items():
                for place, number in enumerate(sums):
                    assert known[name][status][place] <= number <= whole[name][status][place]
        missing = len(file.complete(time.time() + 60).lost)
        assert missing == len(workers), "each that was killed is told of"
