"""What was served, in slots of five minutes: counted, written, read, and told to whom it may be."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from gateway.access.grants import Grant
from gateway.access.identity import Identity
from gateway.access.rules import EVERYONE
from gateway.commands.main import main
from gateway.config import load
from gateway.modes.public.options import PublicOptions
from gateway.servers import reporting
from gateway.services.kept_reports import KeptReports
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import InvalidRequest, NoSuchStore, Unsupported
from gateway.telemetry import reports, slot_counts
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.record import Record
from gateway.telemetry.report_file import FILE, Batch, ReportFile
from gateway.telemetry.reporter import Reporter
from gateway.telemetry.reports import (
    LENGTHS,
    Asked,
    Completeness,
    Period,
    Series,
    Size,
    Sum,
    pieces,
    report,
)
from gateway.telemetry.slot_counts import Kind, SlotCounts

DAY = 86_400
T0 = 1_700_006_400
"""A day's beginning."""
ROOT = Identity(key="root", account="root", access="admin")
OTHER = Identity(key="other", account="other", access="own")


def record(
    sid: str = "files", *, at: float = T0, status: int = 200, sent: int = 5, **more: object
) -> Record:
    one = Record("id", "GET", "/k", "192.0.2.1")
    one.mode, one.status, one.sid, one.sent, one.started = "public", status, sid, sent, at
    one.http = "1.1"
    for name, value in more.items():
        setattr(one, name, value)
    return one


class Counting:
    """A worker, as far as it counts; `services` are those that there are."""

    def __init__(self, file: ReportFile, *services: str) -> None:
        self.now, self.services = float(T0), services
        self.slots = SlotCounts({"192.0.2.1": "CH", "192.0.2.2": "DE"}.get)
        self.metrics = Metrics(clock=lambda: self.now, slots=self.slots)
        self.reporter = Reporter(file, self.metrics.take_slots, self.is_service, 5)

    def is_service(self, name: str) -> bool:
        return name in self.services

    def end(self, *records: Record) -> None:
        for one in records:
            self.metrics.begin()
            self.metrics.end(one)


@pytest.fixture(params=["file", "memory"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReportFile]:
    found = ReportFile(tmp_path if request.param == "file" else None)
    yield found
    found.close()


def unasked(*_: object) -> NoReturn:
    """Nobody looks for services on behalf of who manages everything."""
    raise AssertionError


def read(
    file: ReportFile,
    names: Collection[str] = ("files",),
    period: Period = Period(since=T0, until=T0 + 900, by="5min"),
    split: str = "",
    **more: object,
) -> dict[str, Series]:
    asked = Asked(names=names, split=split, **more)  # type: ignore[arg-type]
    return dict(report(asked, period, file.read(asked, period), Completeness(until=0)).series)


# reading


def test_who_asks_for_too_much_costs_nobody_what_was_counted(
    file: ReportFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Counting(file, "files")
    worker.end(*(record(status=status) for status in (200, 404, 500)))
    worker.reporter.flush()
    monkeypatch.setattr(reports, "MOST_NUMBERS", 6)  # two series of three slots
    kept = KeptReports(file, find=unasked, clock=lambda: T0 * 1000)
    period = Period(since=T0, until=T0 + 900, by="5min")
    with pytest.raises(InvalidRequest, match="at most 6 numbers"):
        kept.read(ROOT, Asked(names=["files"], split="status"), period)
    assert kept.read(ROOT, Asked(names=["files"]), period).series[""].hits == [3, 0, 0]


# counting


def test_requests_are_told_apart_in_the_slot_in_which_they_ended(file: ReportFile) -> None:
    worker = Counting(file, "files")
    worker.end(
        record(at=T0 + 299.9, duration=0.05),
        record(at=T0 + 299.9, duration=0.2, sent=7),
        record(at=T0 + 600, status=404, client="192.0.2.2", tls=True, http="2"),
        record(at=T0 + 600, status=404, client="", http=""),
        record(sid="", status=404),
    )
    assert worker.reporter.flush()
    assert read(file) == {"": Series([1, 1, 2], [5, 7, 10])}
    assert read(file, split="status") == {
        "200": Series([1, 1, 0], [5, 7, 0]),
        "404": Series([0, 0, 2], [0, 0, 10]),
    }
    assert read(file, split="country") == {
        "CH": Series([1, 1, 0], [5, 7, 0]),
        "DE": Series([0, 0, 1], [0, 0, 5]),
        "ZZ": Series([0, 0, 1], [0, 0, 5]),
    }
    assert read(file, split="tls") == {
        "plain": Series([1, 1, 1], [5, 7, 5]),
        "tls": Series([0, 0, 1], [0, 0, 5]),
    }
    assert list(read(file, split="http")) == ["", "1.1", "2"]
    only = read(file, split="status", only=["404", "500"])
    assert only == {"404": Series([0, 0, 2], [0, 0, 10]), "500": Series([0, 0, 0], [0, 0, 0])}
    assert read(file, split="tls", only=["tls"]) == {"tls": Series([0, 0, 1], [0, 0, 5])}
    assert read(file, door="s3") == {"": Series([0, 0, 0], [0, 0, 0])}
    assert read(file, door="public")[""].hits == [1, 1, 2]
    assert read(file, ["none"]) == {"": Series([0, 0, 0], [0, 0, 0])}


def test_what_a_binding_counts_under_another_name_is_apart(file: ReportFile) -> None:
    worker = Counting(file, "shared", "zone-2")
    worker.end(record("shared"), record("shared", counted_as="zone-2"))
    worker.reporter.flush()
    assert read(file, ["shared"])[""].hits == read(file, ["zone-2"])[""].hits == [1, 0, 0]
    assert read(file, ["shared", "zone-2"])[""].hits == [2, 0, 0]
    assert worker.metrics.numbers().services["shared"].requests == 2
    with pytest.raises(ValueError, match="counted_as: an id has"):
        PublicOptions(counted_as="a b")


def test_what_is_counted_since_the_start_is_the_same_with_and_without_slots(
    file: ReportFile,
) -> None:
    records = [
        record(sid, status=404 if sid == "guessed" else status, received=3)
        for status in (200, 206, 301, 404, 404, 503) * 5
        for sid in ("files", "made", "guessed")
    ]
    plain, worker = Metrics(clock=lambda: T0), Counting(file)
    for one in records:
        plain.begin()
        plain.end(one)
    worker.end(*records[:50])
    worker.reporter.flush()
    worker.end(*records[50:])
    found = worker.metrics.numbers()
    assert found == plain.numbers()
    assert "(other)" in found.services
    worker.reporter.flush()
    worker.now += 5
    assert worker.metrics.numbers().services == found.services, "what was taken still counts"


def test_names_that_are_made_up_have_none(file: ReportFile) -> None:
    worker = Counting(file, "refuses", "bound")
    worker.slots.know(["bound"])
    worker.end(
        record("guessed", status=404),
        record("refuses", status=403),
        record("bound", status=404),
        *(record(f"guess-{number}", status=404) for number in range(slot_counts.DOUBTFUL + 50)),
    )
    worker.reporter.flush()
    assert list(file.names()) == ["(other)", "bound", "refuses"]
    counted = {name: read(file, [name])[""].hits[0] for name in file.names()}
    assert counted == {"(other)": slot_counts.DOUBTFUL + 51, "bound": 1, "refuses": 1}
    assert len(worker.slots) == 0
    assert not worker.slots.doubtful


def test_where_an_address_is_is_asked_once_between_two_takings() -> None:
    where = {"192.0.2.1": "CH"}
    slots = SlotCounts(where.get)

    def countries() -> set[str]:
        return {kind.country for kind in slots.take()[0]}

    slots.row(record())
    where["192.0.2.1"] = "DE"
    slots.row(record(status=404))
    assert countries() == {"CH"}
    slots.row(record())
    assert countries() == {"DE"}


def test_memory_is_bounded_and_nothing_is_lost(
    file: ReportFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_counts, "ROWS", 20)
    monkeypatch.setattr(slot_counts, "ADDRESSES", 5)
    worker = Counting(file, "files")
    worker.end(*(record(status=status, client=f"{status}") for status in range(200, 300)))
    assert len(worker.slots) == 20 + 80
    worker.end(*(record(status=status, mode="s3") for status in range(200, 300)))
    assert len(worker.slots) == 20 + 100, "a row for each slot and status"
    worker.reporter.flush()
    assert read(file, ["files", "(other)"]) == {"": Series([200, 0, 0], [1000, 0, 0])}


# writing


def test_what_could_not_be_written_is_written_once(
    file: ReportFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Counting(file, "files")
    worker.end(record())
    add, failing = file.add, ["before", "after"]

    def fails(batch: Batch) -> None:
        if not failing:
            return add(batch)
        if failing.pop() == "after":
            add(batch)
        raise OSError("The disk is full.")

    monkeypatch.setattr(file, "add", fails)
    assert not worker.reporter.flush(), "it was written, and nobody heard of it"
    worker.end(record(sent=1000))
    assert not worker.reporter.flush()
    worker.now += 60
    assert worker.reporter.flush()
    assert read(file)[""] == Series([2, 0, 0], [1005, 0, 0])


def test_services_that_cannot_be_looked_up_have_it_wait_but_for_the_end(file: ReportFile) -> None:
    worker = Counting(file)

    def away(name: str) -> bool:
        raise OSError("The catalog is away.")

    worker.reporter._is_service = away
    worker.end(record("perhaps", status=403), record())
    assert not worker.reporter.flush()
    assert not file.names()
    worker.reporter.stop()
    assert read(file, ["perhaps", "files"])[""].hits == [2, 0, 0]


def test_each_length_of_slots_has_the_same_sums(file: ReportFile) -> None:
    """And so have the longest slots that a time is made of."""
    generator = random.Random(5)
    sums = dict[int, int]()
    for number in range(1, 40):
        rows: dict[Kind, list[int]] = {}
        for _ in range(20):
            slot = T0 + generator.randrange(4 * DAY) // 300 * 300
            sums[slot] = sums.get(slot, 0) + 1
            kind = Kind(slot, "files", "files", "s3", 200 + number, "CH", False, "1.1")
            rows[kind] = [rows.get(kind, [0])[0] + 1, 0, 7 * (rows.get(kind, [0])[0] + 1)]
        file.add(Batch("worker", number, T0, 5, rows))
    for by, length in LENGTHS.items():
        period = Period(since=T0, until=T0 + 4 * DAY, by=by)
        found = read(file, period=period)[""]
        expected = [0] * len(period.slots)
        for slot, hits in sums.items():
            expected[(slot - T0) // length] += hits
        assert found.hits == expected, by
        assert found.bytes == [7 * one for one in expected], by
        for split in ("status", "country", "http"):
            parts = read(file, period=period, split=split).values()
            assert [
                sum(each) for each in zip(*(one.hits for one in parts), strict=True)
            ] == expected
    for _ in range(200):
        since, until = sorted(generator.randrange(T0, T0 + 4 * DAY) for _ in range(2))
        first = since // 300 * 300
        hits = sum(one for slot, one in sums.items() if first <= slot < until)
        assert file.total(["files"], since, until) == Sum(hits, 7 * hits), (since, until)


def test_a_time_is_made_of_the_longest_slots() -> None:
    found = pieces(T0 + 3300, T0 + 3 * DAY + 3900)
    assert found == [
        (300, T0 + 3300, T0 + 3600),
        (3600, T0 + 3600, T0 + DAY),
        (DAY, T0 + DAY, T0 + 3 * DAY),
        (3600, T0 + 3 * DAY, T0 + 3 * DAY + 3600),
        (300, T0 + 3 * DAY + 3600, T0 + 3 * DAY + 3900),
    ]
    assert pieces(T0 + 301, T0 + 899) == [(300, T0 + 300, T0 + 900)]
    midnight = T0 + DAY
    assert pieces(midnight - 300, midnight + 300) == [
        (300, midnight - 300, midnight),
        (300, midnight, midnight + 300),
    ]


def test_it_says_until_when_it_is_complete(file: ReportFile) -> None:
    one, two = Counting(file), Counting(file)
    assert file.complete(T0) == Completeness(until=T0), "nobody counts"
    one.reporter.flush()
    two.now += 3
    two.reporter.flush()
    assert file.complete(T0 + 4) == Completeness(until=T0)
    one.now += 5
    one.reporter.flush()
    assert file.complete(T0 + 6) == Completeness(until=T0 + 3)
    one.reporter.stop()
    assert file.complete(T0 + 9) == Completeness(until=T0 + 3)
    # The other was killed: it says nothing any more.
    assert file.complete(T0 + 60) == Completeness(until=T0 + 60, lost=(T0 + 3,))
    assert not file.complete(T0 + 60, since=T0 + 4).lost
    assert not file.complete(T0 + 60, until=T0 + 3).lost


def test_a_clock_that_is_set_loses_nothing(file: ReportFile) -> None:
    worker = Counting(file)
    worker.end(record(at=T0 + 500))
    worker.reporter.flush()
    worker.now = T0 - 3600
    worker.end(record(at=T0 - 3600), record(at=T0 + 10))
    worker.reporter.flush()
    period = Period(since=T0 - 3600, until=T0 + 600)
    assert read(file, period=period)[""].hits == [1, 2]
    assert file.complete(T0 - 3600) == Completeness(until=T0 - 3600)


def test_old_slots_go(file: ReportFile) -> None:
    worker = Counting(file)
    worker.end(record("gone", at=T0), *(record(at=T0 + hours * 3600) for hours in (1, 30, 60)))
    worker.reporter.flush()
    for hours in (1, 30):
        file.measure(T0 + hours * 3600, {"files": Size(5, 1)})
    *_, removed = file.expire(T0 + 30 * 3600, T0 + 70 * 3600)
    assert removed == 2 * 2 * 3 + 1, "of each length, with its countries; and a size"
    assert list(file.names()) == ["files"]
    whole = Period(since=T0, until=T0 + 3 * DAY)
    assert sum(read(file, period=whole)[""].hits) == 2
    by_day = Period(since=T0, until=T0 + 3 * DAY, by="day")
    assert read(file, period=by_day)[""].hits == [0, 1, 1]
    assert [slot for _, slot, _ in file.sizes(["files"], whole.slots)] == [T0 + 30 * 3600]


def test_a_file_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    with closing(ReportFile(tmp_path)) as file:
        file.names()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(OSError, match="newer release"):
        ReportFile(tmp_path).names()


# reading


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"since": 10, "until": 10}, "ends after it begins"),
        ({"since": -1, "until": 10}, "ends after it begins"),
        ({"since": 0, "until": 121 * DAY * 300, "by": "5min"}, "at most 35000 slots"),
    ],
)
def test_a_period_that_is_none_is_refused(asked: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Period(**asked)  # type: ignore[arg-type]


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    tables = {"server": {"data": str(tmp_path / "data")}, "reports": {"keep": "30d"}}
    configuration = load(tables=tables, environ={})
    (tmp_path / "data").mkdir()
    file = ReportFile(tmp_path / "data")
    runtime = open_runtime(configuration, environ={}, reports=file, clock=lambda: 1000 * T0)
    runtime.catalog._clock = lambda: 1000 * T0
    yield runtime
    runtime.close()
    file.close()


def test_each_who_may_read_requests_is_told(runtime: Runtime, tmp_path: Path) -> None:
    runtime.create(ROOT, "roots")
    runtime.create(OTHER, "others", [Grant(EVERYONE, "read")])
    file = ReportFile(tmp_path / "data")
    worker = Counting(file)
    worker.end(record("roots"), record("others"), record("others"), record("gone"))
    worker.reporter.flush()
    file.measure(T0, {"others": Size(70, 7), "roots": Size(1, 1)})
    file.measure(T0 + 3600, {"others": Size(80, 8)})
    file.close()
    period, reports = Period(since=T0, until=T0 + 7200), runtime.reports
    assert reports.kept

    def seen(who: Identity, *names: str) -> list[int]:
        found = reports.read(who, Asked(names=names), period)
        assert found.slots == period.slots
        assert found.complete == Completeness(until=T0)
        total = reports.total(who, names, T0, T0 + 300)
        assert total.hits == found.series[""].hits[0]
        assert total.bytes == 5 * total.hits
        return found.series[""].hits

    assert seen(ROOT, "roots", "others", "gone", "never") == [4, 0]
    assert seen(OTHER, "others") == [2, 0]
    sizes = reports.sizes(ROOT, ["roots", "others"], period)
    assert sizes == [Size(71, 8), Size(80, 8)]
    assert reports.sizes(OTHER, ["others"], Period(since=T0, until=T0 + DAY, by="day")) == [
        Size(80, 8)
    ], "the last of the day"
    stranger = Identity(key="stranger", account="stranger")
    for who, name in ((OTHER, "roots"), (OTHER, "gone"), (stranger, "others")):
        with pytest.raises(NoSuchStore):
            reports.read(who, Asked(names=[name]), period)
        with pytest.raises(NoSuchStore):
            reports.total(who, [name], T0, T0 + 1)
    with pytest.raises(NoSuchStore):
        reports.sizes(OTHER, ["others", "roots"], period)
    with pytest.raises(InvalidRequest, match="each hour"):
        reports.sizes(ROOT, [], Period(since=0, until=1, by="5min"))


def test_what_was_another_services_of_that_name_is_not_told(
    runtime: Runtime, tmp_path: Path
) -> None:
    """But to who manages the gateway."""
    file = ReportFile(tmp_path / "data")
    worker = Counting(file)
    worker.end(record("others", at=T0), record("others", at=T0 + 3600))
    worker.reporter.flush()
    file.measure(T0, {"others": Size(70, 7)})
    file.close()
    runtime.catalog._clock = lambda: 1000 * (T0 + 3600)
    runtime.create(OTHER, "others")
    period, asked, reports = (
        Period(since=T0, until=T0 + 7200),
        Asked(names=["others"]),
        runtime.reports,
    )
    for who, hits in ((OTHER, 1), (ROOT, 2)):
        assert sum(reports.read(who, asked, period).series[""].hits) == hits
        assert reports.total(who, ["others"], T0, T0 + 7200).hits == hits
        assert sum(one.objects for one in reports.sizes(who, ["others"], period)) == 7 * (hits - 1)


def test_a_report_that_is_too_large_is_refused(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("gateway.telemetry.reports.MOST_NUMBERS", 30)
    file = ReportFile(tmp_path / "data")
    worker = Counting(file)
    worker.end(*(record(status=status, at=T0) for status in (200, 404)))
    worker.reporter.flush()
    file.close()
    asked = Asked(names=["files"], split="status")
    assert runtime.reports.read(ROOT, asked, Period(since=T0, until=T0 + 15 * 3600)).series
    with pytest.raises(InvalidRequest, match="at most 30 numbers"):
        runtime.reports.read(ROOT, asked, Period(since=T0, until=T0 + 16 * 3600))


def test_without_the_table_none_are_kept() -> None:
    runtime = open_runtime(load(tables={"server": {"memory": True}}, environ={}), environ={})
    with closing(runtime):
        assert not runtime.reports.kept
        with pytest.raises(Unsupported, match=r"\[reports\]"):
            runtime.reports.total(ROOT, [], 0, 1)


def test_what_is_in_services_is_measured(runtime: Runtime, tmp_path: Path) -> None:
    configuration = load(tables=runtime.chain.configuration.origin.tables, environ={})
    worker = reporting.Reporting.of(configuration, lambda: runtime)
    assert worker is not None
    runtime.create(OTHER, "others")
    assert worker._measure() == "1 services"
    hour = next(worker.file.sizes(["others"], range(0, 1 << 40)))
    assert (hour[0], hour[1] % 3600, hour[2]) == ("others", 0, Size(0, 0))
    worker.stop()


# gateway reports


def test_the_command_prints_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ("--data", str(tmp_path))
    assert main(["reports", *place]) == 1
    assert "No reports are kept there" in capsys.readouterr().err
    of_others = record("other", at=T0 + 3600, mode="s3")
    with closing(ReportFile(tmp_path)) as file:
        worker = Counting(file)
        worker.end(record(), record(status=404, sent=2048), of_others)
        worker.reporter.flush()
    times = ("--from", "2023-11-15", "--to", "2023-11-15T02:00")

    def run(*arguments: str) -> list[str]:
        assert main(["reports", *arguments, *times, *place]) == 0
        said = capsys.readouterr()
        assert "may be missing" in said.err, "that worker is no more"
        return said.out.splitlines()

    assert (
        run()
        == [
            "from                   hits  bytes",
            "2023-11-15T00:00:00Z    2     2053   (2.0 KiB)",
            "2023-11-15T01:00:00Z    1     5",
        ]
        or run()
    )
    assert [line.split()[1:3] for line in run("other")[1:]] == [["1", "5"]]
    assert [
        json.loads(line) for line in run("files", "--split", "status", "--json", "--by", "day")
    ] == [
        {"time": "2023-11-15T00:00:00Z", "split": "200", "hits": 1, "bytes": 5},
        {"time": "2023-11-15T00:00:00Z", "split": "404", "hits": 1, "bytes": 2048},
    ]
    assert [json.loads(line)["hits"] for line in run("--mode", "s3", "--json")] == [0, 1]
    assert main(["reports", "--from", "2023-11-15", "--to", "2023-11-15", *place]) == 1
    assert "ends after it begins" in capsys.readouterr().err
