"""The list of recent requests: bounded, shared between processes, and never in the way."""

from __future__ import annotations

import io
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from gateway.telemetry import request_list
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.record import Record
from gateway.telemetry.request_list import FILE, NEWEST, RequestList
from tests.starting import Popen


def record(number: int, sid: str = "s", key: str = "") -> Record:
    one = Record(f"{number:016X}", "GET", f"/{sid}/{key or number}", "192.0.2.1")
    one.sid, one.key = sid, key or str(number)
    one.started, one.duration, one.status = 1_700_000_000 + number, 0.0012, 200
    return one


@pytest.fixture(params=["memory", "file"])
def requests(request: pytest.FixtureRequest, tmp_path: Path) -> RequestList:
    return RequestList(tmp_path if request.param == "file" else None, rows=50, batch=20)


def paths(requests: RequestList, **wanted: object) -> list[str]:
    return [one.path for one in requests.page(**wanted)]  # type: ignore[arg-type]  # as given


def test_the_newest_come_first_and_pages_go_on(requests: RequestList) -> None:
    requests.add([record(number) for number in (2, 1, 3)])
    assert paths(requests) == ["3", "2", "1"]
    first = requests.page(limit=2)
    last = first[-1]
    assert paths(requests, before=(last.time, last.id)) == ["1"]
    assert paths(requests, before=(0, "")) == []
    requests.close()


def test_those_of_some_services(requests: RequestList, monkeypatch: pytest.MonkeyPatch) -> None:
    requests.add([record(1, "a"), record(2, "b"), record(3, "a"), record(4, "c")])
    assert paths(requests, sids=["a"]) == ["3", "1"]
    assert paths(requests, sids={"a", "b"}) == ["3", "2", "1"]
    assert paths(requests, sids=[]) == []
    requests.add([record(5, "b"), record(6, "")])
    assert requests.services() == ["b", "c", "a"]
    with monkeypatch.context() as patch:
        patch.setattr(request_list, "SERVICES", 2)
        assert requests.services() == ["b", "c"]
    requests.close()


def test_it_does_not_grow(requests: RequestList) -> None:
    for start in range(0, 400, 10):
        requests.add([record(start + number) for number in range(10)])
    found = requests.page()
    assert 50 <= len(found) <= 60
    assert [one.path for one in found[:50]] == [str(number) for number in range(399, 349, -1)]
    requests.close()


def test_of_a_flood_the_newest_are_kept_and_the_rest_counted(requests: RequestList) -> None:
    requests.add([record(number) for number in range(100)])
    assert paths(requests) == [str(number) for number in range(99, 79, -1)]
    assert requests.shed == 80
    requests.close()


def test_what_clients_send_is_cut(requests: RequestList) -> None:
    requests.add([record(1, key="x" * 100_000)])
    assert len(requests.page()[0].path) == 2048
    requests.close()


def test_a_path_without_a_service_is_the_one_asked_for(requests: RequestList) -> None:
    one = record(1)
    one.sid, one.path = "", "/\xc3\xbc"
    requests.add([one])
    assert paths(requests) == ["/ü"]
    requests.close()


def test_after_its_end_it_is_empty_and_quiet(requests: RequestList) -> None:
    requests.add([record(1)])
    requests.close()
    requests.close()
    requests.add([record(2)])
    assert requests.page(NEWEST) == []


@pytest.mark.usefixtures("processes")
def test_several_processes_write_and_read_one_list(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from gateway.telemetry.request_list import RequestList;"
        "from tests.test_request_list import record; requests = RequestList(Path(sys.argv[1]));"
        "first = int(sys.argv[2]);"
        "[requests.add([record(first + number)]) for number in range(100)];"
        "assert requests.shed == 0, requests.shed; requests.close()"
    )
    running = [
        Popen([sys.executable, "-c", program, str(tmp_path), str(first)]) for first in (0, 100, 200)
    ]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    requests = RequestList(tmp_path)
    assert paths(requests) == [str(number) for number in range(299, -1, -1)]
    requests.close()


def test_a_list_of_another_release_is_begun_anew(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("CREATE TABLE requests (other)")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    requests = RequestList(tmp_path)
    requests.add([record(1)])
    assert paths(requests) == ["1"]
    requests.close()


def test_what_cannot_be_written_is_shed_and_nobody_fails(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, however long it is" * 20)
    requests = RequestList(tmp_path)
    requests.add([record(1)])
    assert requests.shed == 1
    assert requests.page() == []
    (tmp_path / FILE).unlink()
    requests.add([record(2)])
    assert paths(requests) == ["2"]
    requests.close()


def test_the_access_log_hands_its_records_on(tmp_path: Path) -> None:
    requests, stream = RequestList(), io.StringIO()
    log = AccessLog(stream, requests=requests)
    log.start()
    for number in range(3):
        log.add(record(number))
    log.stop()
    assert paths(requests) == ["2", "1", "0"]
    assert len(stream.getvalue().splitlines()) == 3
    requests.close()


def test_what_the_list_does_not_take_costs_the_log_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    requests, stream, asked = RequestList(), io.StringIO(), threading.Semaphore(0)

    def refuse(*_: object, **__: object) -> None:
        asked.release()
        raise OverflowError("too large")

    monkeypatch.setattr(requests, "add", refuse)
    log = AccessLog(stream, requests=requests)
    log.start()
    for number in range(3):
        log.add(record(number))
        assert asked.acquire(timeout=60)
    log.stop()
    assert len(stream.getvalue().splitlines()) == 3
    assert caplog.text.count("Traceback") == 1, "it is told once"
    requests.close()
