"""Lines that wait to be delivered: they wait for no disk, and none is lost unseen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.telemetry.line_spool import FILE, LineSpool


@pytest.fixture(params=["file", "memory"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LineSpool]:
    found = LineSpool(tmp_path if request.param == "file" else None, rows=6, capacity=4)
    yield found
    found.stop()


def texts(spool: LineSpool, queue: str) -> list[str]:
    return [one.line for one in spool.page(queue, 100)]


def test_lines_wait_in_their_queue_until_they_are_dropped(spool: LineSpool) -> None:
    assert spool.queues() == []
    for number in range(3):
        spool.add("a", number, f"line {number}")
    spool.add("b", 7, "other")
    assert spool.queues() == ["a", "b"]
    first, second = spool.page("a", 2)
    assert (first.line, second.line, second.time) == ("line 0", "line 1", 1)
    spool.drop("a", second.id)
    assert texts(spool, "a") == ["line 2"]
    assert texts(spool, "b") == ["other"]


def test_it_is_bounded_in_memory_and_on_the_disk(spool: LineSpool) -> None:
    for number in range(6):
        spool.add("a", 0, str(number))
    assert spool.shed == 2, "beyond what a worker holds"
    spool.flush()
    for number in range(4):
        spool.add("a", 0, str(number))
    spool.flush()
    assert spool.shed == 4, "beyond what waits at all"
    assert texts(spool, "a") == ["0", "1", "2", "3", "0", "1"]


def test_a_queue_that_nobody_takes_costs_others_no_lines(spool: LineSpool) -> None:
    spool.add("stuck", 0, "old")
    for number in range(12):
        spool.add("a", 0, str(number))
        assert "a" in spool.queues()
        spool.drop("a", spool.page("a", 1)[-1].id)
    assert spool.shed == 0
    assert texts(spool, "stuck") == ["old"]


def test_what_one_process_wrote_another_takes(tmp_path: Path) -> None:
    assert LineSpool(tmp_path).queues() == []
    assert not (tmp_path / FILE).exists(), "nobody has logged anything"
    writer, taker = LineSpool(tmp_path), LineSpool(tmp_path)
    writer.start()
    writer.add("a", 0, "line")
    writer.stop()
    assert taker.queues() == ["a"]
    assert texts(taker, "a") == ["line"]
    taker.stop()


def test_a_disk_that_takes_nothing_costs_lines_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).mkdir()
    spool = LineSpool(tmp_path)
    for _ in range(2):
        spool.add("a", 0, "line")
        spool.flush()
    assert spool.shed == 2
    assert len(caplog.records) == 1, "told once"
    (tmp_path / FILE).rmdir()
    spool.add("a", 0, "line")
    assert spool.queues() == ["a"]
    spool.stop()
