"""What Prometheus reads, from one worker and from several."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.metrics import Metrics
from gateway.telemetry.record import Record
from gateway.telemetry.traffic import Traffic
from tests.starting import run

ROOT = Path(__file__).parent.parent


def record(
    duration: float = 0.002, status: int = 200, method: str = "GET", sid: str = ""
) -> Record:
    one = Record("id", method, "/k", "192.0.2.1")
    one.mode, one.operation, one.status, one.duration = "s3", "GetObject", status, duration
    one.received, one.sent, one.sid = 3, 5, sid
    return one


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Value by name and labels' values, in the order of the labels' names."""
    _, text = metrics.exposition()
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_mode_operation_method_and_class_of_status() -> None:
    metrics = Metrics()
    for one in (record(), record(), record(status=404), record(method="BREW")):
        metrics.begin()
        metrics.end(one)
    found = samples(metrics)
    assert found["gateway_requests_total", ("GET", "s3", "GetObject", "2xx")] == 2
    assert found["gateway_requests_total", ("GET", "s3", "GetObject", "4xx")] == 1
    assert found["gateway_requests_total", ("other", "s3", "GetObject", "2xx")] == 1
    assert found["gateway_received_bytes_total", ("s3",)] == 12
    assert found["gateway_sent_bytes_total", ("s3",)] == 20


def ended(metrics: Metrics, *records: Record) -> None:
    for one in records:
        metrics.begin()
        metrics.end(one)


def test_requests_are_counted_by_service(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.know(["declared"])
    ended(metrics, *(record(status=status, sid="made") for status in (200, 206, 304, 404, 503)))
    ended(metrics, record(status=503, sid="declared"), record())
    found = samples(metrics)
    by_class = {
        labels: value for (name, labels), value in found.items()
        if name == "gateway_service_requests_total"
    }  # fmt: skip
    assert by_class == {
        ("declared", "2xx"): 0, ("declared", "5xx"): 1,
        ("made", "2xx"): 2, ("made", "3xx"): 1, ("made", "4xx"): 1, ("made", "5xx"): 1,
    }  # fmt: skip
    assert found["gateway_service_received_bytes_total", ("made",)] == 15
    assert found["gateway_service_sent_bytes_total", ("made",)] == 25
    numbers = metrics.numbers()
    assert numbers.total == Traffic(requests=7, refused=1, failed=2, received=21, sent=35)
    assert numbers.services == {
        "made": Traffic(requests=5, refused=1, failed=1, received=15, sent=25),
        "declared": Traffic(requests=1, refused=0, failed=1, received=3, sent=5),
    }
    assert numbers.in_flight == 0


def test_names_that_are_made_up_are_counted_as_one_and_many_services_as_others() -> None:
    metrics = Metrics()
    metrics.know(f"declared-{number}" for number in range(990))
    ended(metrics, *(record(status=404, sid=f"guessed-{number}") for number in range(50)))
    ended(metrics, *(record(sid=f"made-{number}") for number in range(50)))
    services = metrics.numbers().services
    assert len(services) <= 1001
    assert "made-0" in services
    assert "made-49" not in services
    assert not any(sid.startswith("guessed") for sid in services)
    made = sum(1 for sid in services if sid.startswith("made"))
    assert services["(other)"].requests == 50 + 50 - made
    assert services["(other)"].refused == 50


def test_numbers_that_many_ask_for_are_added_up_once_a_second(tmp_path: Path) -> None:
    now = [1000.0]
    metrics = Metrics(tmp_path, clock=lambda: now[0])
    before = metrics.numbers()
    ended(metrics, record())
    now[0] += 0.9
    assert metrics.numbers() is before
    now[0] += 0.2
    assert metrics.numbers().total.requests == 1
    now[0] -= 500  # a clock that was set
    assert metrics.numbers().time == now[0]


def test_what_caches_say_of_themselves_is_counted() -> None:
    metrics = Metrics()
    told = ("c; hit; ttl=3", "c; hit; ttl=-3", "c; fwd=uri-miss; stored", "c; fwd=stale; stored")
    for text in (*told, "c; fwd=uri-miss; collapsed", "c; fwd=bypass", "d; hit; ttl=0, c; hit"):
        metrics.begin()
        one = record()
        one.cache = text
        metrics.end(one)
    found = samples(metrics)
    outcomes = {"hit": 2, "stale": 1, "miss": 2, "collapsed": 1, "bypass": 1}
    for outcome, count in outcomes.items():
        assert found["gateway_cache_answers_total", ("c", outcome)] == count, outcome
    assert found["gateway_cache_answers_total", ("d", "hit")] == 1
    assert found["gateway_cache_saved_bytes_total", ("c",)] == 15


def test_durations_are_a_cumulated_histogram() -> None:
    metrics = Metrics()
    for duration in (0.0005, 0.001, 0.002, 0.3, 1000):
        metrics.begin()
        metrics.end(record(duration))
    found = samples(metrics)
    name = "gateway_request_duration_seconds"
    bounds = ("0.001", "0.0025", "0.25", "0.5", "300", "+Inf")
    counts = [found[f"{name}_bucket", tuple(sorted((bound, "s3")))] for bound in bounds]
    assert counts == [2, 3, 3, 4, 4, 5]
    assert found[f"{name}_count", ("s3",)] == 5
    assert abs(found[f"{name}_sum", ("s3",)] - 1000.3035) < 1e-6


def test_what_is_in_flight_and_what_is_watched_is_told_as_it_is() -> None:
    metrics, refused = Metrics(), [0]
    metrics.watch("gateway_refused", lambda: refused[0])
    metrics.begin()
    refused[0] = 7
    metrics.add("gateway_job_runs", 1, "scrub")
    metrics.add("gateway_job_runs", 1, "scrub")
    found = samples(metrics)
    assert found["gateway_requests_in_flight", ()] == 1
    assert found["gateway_refused_total", ()] == 7
    assert found["gateway_job_runs_total", ("scrub",)] == 2
    assert found["gateway_log_lines_shed_total", ()] == 0


def test_threads_lose_no_counts() -> None:
    metrics = Metrics()

    def work() -> None:
        for _ in range(2000):
            metrics.begin()
            metrics.end(record())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert samples(metrics)["gateway_requests_total", ("GET", "s3", "GetObject", "2xx")] == 8000
    assert metrics.in_flight == 0


@pytest.mark.usefixtures("processes")
def test_workers_add_up_and_those_that_ended_still_count(tmp_path: Path) -> None:
    work = (
        "import sys; from pathlib import Path;"
        "from gateway.telemetry.metrics import Metrics; from tests.test_metrics import record;"
        "metrics = Metrics(Path(sys.argv[1])); metrics.start();"
        "metrics.begin(); metrics.begin(); metrics.end(record(sid='photos')); metrics.stop()"
    )
    for _ in range(2):
        run([sys.executable, "-c", work, str(tmp_path)], cwd=ROOT, check=True)
    now = [0.0]
    metrics = Metrics(tmp_path, clock=lambda: now[0])
    metrics.begin()
    metrics.end(record())
    now[0] = max(file.stat().st_mtime for file in tmp_path.iterdir())
    found = samples(metrics)
    assert found["gateway_requests_total", ("GET", "s3", "GetObject", "2xx")] == 3
    assert found["gateway_requests_in_flight", ()] == 2
    assert metrics.numbers().services["photos"].requests == 2
    assert metrics.numbers().total.requests == 3
    now[0] += 60
    found = samples(metrics)
    assert found["gateway_requests_total", ("GET", "s3", "GetObject", "2xx")] == 3
    assert found["gateway_requests_in_flight", ()] == 0


def test_a_worker_counts_itself_once(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    metrics.begin()
    metrics.end(record())
    metrics.start()
    metrics.stop()
    assert (tmp_path / f"{os.getpid()}.json").exists()
    assert samples(metrics)["gateway_requests_total", ("GET", "s3", "GetObject", "2xx")] == 1


def test_a_folder_that_is_gone_does_not_stop_a_worker(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "run")
    metrics.start()
    metrics.stop()
    for file in (tmp_path / "run").iterdir():
        file.unlink()
    (tmp_path / "run").rmdir()
    metrics._write()
    assert samples(metrics)["gateway_requests_in_flight", ()] == 0


def test_a_number_that_cannot_be_read_does_not_end_the_writing_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.telemetry.metrics.FLUSH", 0.01)
    metrics, asked, broken = Metrics(tmp_path), threading.Semaphore(0), [True]

    def read() -> float:
        asked.release()
        if broken:
            raise KeyError("nowhere")
        return 3

    metrics.watch("gateway_list_lines_shed", read)
    metrics.start()
    assert all(asked.acquire(timeout=60) for _ in range(3))
    assert caplog.text.count("Traceback") == 1
    broken.clear()
    while asked.acquire(blocking=False):
        pass
    assert all(asked.acquire(timeout=60) for _ in range(2))  # it has written between them
    assert (tmp_path / f"{os.getpid()}.json").exists()
    metrics.stop()
