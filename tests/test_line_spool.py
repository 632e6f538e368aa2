"""Lines that wait to be delivered: they wait for no disk, and none is lost unseen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.telemetry.line_spool import FILE, LineSpool, Queue

A, B = Queue("one", "a"), Queue("two", "b")
LINE = "x" * 10


@pytest.fixture(params=["file", "memory"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LineSpool]:
    found = LineSpool(tmp_path if request.param == "file" else None, size=72, capacity=4)
    yield found
    found.stop()


def texts(spool: LineSpool, queue: Queue) -> list[str]:
    return [one.line for one in spool.page(queue, 100)]


def test_lines_wait_in_their_queue_until_they_are_dropped(spool: LineSpool) -> None:
    assert not spool.queues()
    for number in range(3):
        spool.add(A, number, f"line {number}")
    spool.add(B, 7, "other")
    assert [*spool.queues()] == [A, B]
    first, second = spool.page(A, 2)
    assert (first.line, second.line, second.time) == ("line 0", "line 1", 1)
    spool.drop(A, second.id)
    assert texts(spool, A) == ["line 2"]
    assert texts(spool, B) == ["other"]
    assert spool.shed == 0


def test_a_page_ends_where_it_grows_too_long(spool: LineSpool) -> None:
    for line in (LINE, LINE, "y"):
        spool.add(A, 0, line)
    spool.flush()
    assert [len(spool.page(A, 9, size)) for size in (1, 19, 20, 21)] == [1, 1, 2, 3]
    last = spool.queues()[A]
    spool.add(A, 0, "later")
    spool.flush()
    assert len(spool.page(A, 9, last=last)) == 3


def test_what_is_lost_is_counted(spool: LineSpool) -> None:
    for time in range(4):
        spool.add(A, time, "line")
    spool.flush()
    assert spool.expire(A, 2) == 2
    assert spool.shed == 2
    spool.lose(A, spool.page(A, 1)[-1].id)
    assert spool.shed == 3
    spool.drop(A, spool.page(A, 1)[-1].id)
    assert (spool.shed, spool.queues()) == (3, {})


def test_it_is_bounded_in_memory_and_on_the_disk(
    spool: LineSpool, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(6):
        spool.add(A, 0, str(number))
    assert spool.shed == 2, "beyond what a worker holds"
    spool.flush()
    for _ in range(3):
        for _ in range(4):
            spool.add(A, 0, LINE)
        spool.flush()
    assert spool.shed == 11, "beyond what waits at all"
    assert texts(spool, A) == ["0", "1", "2", "3", LINE, LINE, LINE]
    assert caplog.messages == [
        "lines of access logs are dropped: more come than are written",
        "one does not take its access logs: some are dropped",
    ]


def test_a_target_that_takes_nothing_costs_others_no_lines(
    spool: LineSpool, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(12):
        spool.add(Queue("one", str(number)), 0, LINE)  # of many buckets
        spool.add(B, 0, str(number))
        assert B in spool.queues()
        spool.drop(B, spool.page(B, 1)[-1].id)
    assert spool.shed == 9
    assert len(caplog.messages) == 1, "told once"
    for queue in spool.queues():
        spool.drop(queue, 99)
    spool.add(A, 0, LINE)
    assert texts_of_all(spool) == [LINE], "there is room again"
    for _ in range(3):
        spool.add(A, 0, LINE)
    spool.flush()
    assert len(caplog.messages) == 2


def test_where_a_line_goes_takes_room_too(spool: LineSpool) -> None:
    for name in ("a" * 20, "b" * 20):
        spool.add(Queue("one", name), 0, LINE)
    assert [queue.name[0] for queue in spool.queues()] == ["a"]
    assert spool.shed == 1
    spool.drop(Queue("one", "a" * 20), 99)
    spool.add(Queue("one", "b" * 20), 0, LINE)
    assert texts_of_all(spool) == [LINE], "there is room again"


def texts_of_all(spool: LineSpool) -> list[str]:
    return [line for queue in spool.queues() for line in texts(spool, queue)]


def test_what_one_process_wrote_another_takes(tmp_path: Path) -> None:
    assert not LineSpool(tmp_path).queues()
    assert not (tmp_path / FILE).exists(), "nobody has logged anything"
    writer, taker = LineSpool(tmp_path), LineSpool(tmp_path)
    writer.start()
    writer.add(A, 0, "line")
    writer.stop()
    assert [*taker.queues()] == [A]
    assert texts(taker, A) == ["line"]
    taker.stop()


def test_a_disk_that_takes_nothing_costs_lines_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).mkdir()
    spool = LineSpool(tmp_path)
    for _ in range(2):
        spool.add(A, 0, "line")
        spool.flush()
    assert spool.shed == 2
    assert len(caplog.records) == 1, "told once"
    (tmp_path / FILE).rmdir()
    spool.add(A, 0, "line")
    assert [*spool.queues()] == [A]
    spool.stop()
