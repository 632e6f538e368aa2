"""The command `gateway log`, and points of a change feed by time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import load
from gateway.services import history
from gateway.services.history import pages, point_at
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, Change, ChangePage, Changes, Delete, Put
from tests.one_service import ADMIN, Clock, Run, runner

CONFIGURATION = """
[server]
data = "data"
[services.archive]
driver = "local"
[services.fleeting]
driver = "memory"
[services.origin]
driver = "http"
url = "https://origin.example"
[services.front]
driver = "cache"
source = "archive"
"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner("log", CONFIGURATION, tmp_path, monkeypatch, capsys)


@pytest.fixture
def runtime(run: Run, clock: Clock) -> Iterator[Runtime]:
    """A gateway that runs meanwhile."""
    running = open_runtime(load(environ={}), environ={}, clock=clock)
    running.create(ADMIN, "made")
    yield running
    running.close()


def change(runtime: Runtime, clock: Clock, sid: str = "archive") -> None:
    """a, then b and its end a second later, and a line's end in a key two seconds later."""
    access = runtime.access(ADMIN, sid)
    access.put("a", BytesBody(b"1"), Put(size=1))
    clock.time += 1000
    access.put("dir/b", BytesBody(b"22"), Put(size=2, cause="copy"))
    access.delete("dir/b", Delete())
    clock.time += 1000
    access.put("c\n\x1b", BytesBody(b""), Put(size=0))


def ids(lines: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines]


@pytest.mark.usefixtures("runtime")
def test_what_happened_is_a_line_each(run: Run, runtime: Runtime, clock: Clock) -> None:
    change(runtime, clock)
    code, lines, err = run("archive")
    assert (code, err, len(lines)) == (0, "", 4)
    assert lines[0].startswith(
        "       1  2026-03-01T12:00:00.000Z  put            1 B  a  version "
    )
    assert "  put            2 B  dir/b  version " in lines[1]
    assert lines[1].endswith("  (copy)")
    assert "  delete              dir/b  version " in lines[2]
    assert "c\\n\\x1b" in lines[3]


def test_since(run: Run, runtime: Runtime, clock: Clock) -> None:
    change(runtime, clock)
    for since, expected in {
        "0": [1, 2, 3, 4],
        "2": [3, 4],
        "9": [],
        "2026-03-01T12:00:00Z": [1, 2, 3, 4],
        "2026-03-01T12:00:01": [2, 3, 4],
        "2026-03-01T14:00:01+02:00": [2, 3, 4],
        "2026-03-01T12:00:01.001Z": [4],
        "2026-03-02": [],
        "1970-01-01": [1, 2, 3, 4],
    }.items():
        assert ids(run("archive", "--since", since)[1]) == expected, since


def test_of_a_prefix_and_of_a_bucket(run: Run, runtime: Runtime, clock: Clock) -> None:
    change(runtime, clock, "made")
    assert ids(run("made", "--prefix", "dir/")[1]) == [2, 3]
    assert run("archive")[:2] == (0, [])


def test_without_a_gateway(run: Run, runtime: Runtime, clock: Clock) -> None:
    change(runtime, clock)
    runtime.close()
    assert ids(run("archive")[1]) == [1, 2, 3, 4]


def test_for_programs(run: Run, runtime: Runtime, clock: Clock) -> None:
    change(runtime, clock)
    found = [json.loads(line) for line in run("archive", "--json")[1]]
    version = found[1].pop("version")
    assert found[1] == {
        "syncId": 2,
        "kind": "put",
        "time": "2026-03-01T12:00:01.000Z",
        "path": "dir/b",
        "size": 2,
        "etag": "b6d767d2f8ed5d21a44b0e5886680cb9",
        "contentType": "binary/octet-stream",
        "cause": "copy",
    }
    assert runtime.access(ADMIN, "archive").service.names_version(version)
    assert found[3]["path"] == "c\n\x1b"


@pytest.mark.usefixtures("runtime")
def test_what_has_none_is_told(run: Run) -> None:
    for sid, since, said in (
        ("none", "0", "There is no service 'none' that keeps a history here."),
        ("fleeting", "0", "is in the memory of the gateway that serves it"),
        ("origin", "0", "The service 'origin' (driver 'http') has no feed of its changes."),
        ("front", "0", "it stands in front of 'archive'. Name that."),
        ("archive", "yesterday", '"yesterday" is neither a sync id nor a time'),
        ("archive", "0001-01-01T00:00:00+10:00", "is neither a sync id nor a time"),
    ):
        code, lines, err = run(sid, "--since", since)
        assert (code, lines) == (1 if since == "0" else 2, [])
        assert said in err


def test_where_no_gateway_has_run(run: Run) -> None:
    code, _, err = run("archive")
    assert code == 1
    assert "has not run with the data folder" in err


# points by time


class Told(Changes):
    """A feed that has dropped what came before, and keeps these times."""

    def __init__(self, dropped: int, times: list[int]) -> None:
        self.kept = [
            Change(number, "put", time, "k", None, 0, "", "")
            for number, time in enumerate(times, dropped + 1)
        ]
        self.last = dropped + len(times)

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        found = [one for one in self.kept if one.sequence > after][:limit]
        begins = found[0].sequence if found else self.last + 1
        return ChangePage(changes=tuple(found), last=self.last, cut=after + 1 < begins)


@settings(deadline=None)
@given(st.integers(0, 5), st.lists(st.integers(0, 20)), st.integers(0, 20))
def test_a_point_is_behind_the_last_change_that_is_no_later(
    dropped: int, times: list[int], time: int
) -> None:
    feed = Told(dropped, sorted(times))
    assert point_at(feed, time) == dropped + sum(one <= time for one in times)


@settings(deadline=None)
@given(st.lists(st.integers(0, 20)), st.integers(0, 20))
def test_where_a_clock_was_set_back_it_is_one_of_the_moments(times: list[int], time: int) -> None:
    point = point_at(Told(0, times), time)
    assert point == 0 or times[point - 1] <= time
    assert point == len(times) or times[point] > time


@pytest.mark.parametrize(
    ("after", "until", "expected", "cut"),
    [
        (0, None, [4, 5, 6, 7, 8], True),
        (3, None, [4, 5, 6, 7, 8], False),
        (5, 7, [6, 7], False),
        (0, 2, [], True),
        (8, None, [], False),
    ],
)
def test_pages(
    monkeypatch: pytest.MonkeyPatch,
    after: int,
    until: int | None,
    expected: list[int],
    cut: bool,
) -> None:
    monkeypatch.setattr(history, "PAGE", 2)
    found = list(pages(Told(3, [0] * 5), after, until))
    assert [one.sequence for page in found for one in page.changes] == expected
    assert any(page.cut for page in found) == cut
