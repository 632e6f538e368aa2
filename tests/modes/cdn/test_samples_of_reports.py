"""The samples of reports, sent as they stand; and that what reports show adds up to what was
counted, whichever way it is told apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from gateway.access.identity import Identity
from gateway.modes.cdn import dates
from gateway.telemetry.report_file import Batch, ReportFile
from gateway.telemetry.reports import Size
from gateway.telemetry.slot_counts import Kind
from tests.modes.cdn.cdn_gateway import Cdn, controlling, refused
from tests.modes.cdn.samples import SAMPLES, check, send

DAY, HOUR = 86_400, 3600
T0 = 1_439_337_600
"""2015-08-12, which samples ask for."""
NOW = int(time.time()) // HOUR * HOUR
ZONE = {
    "upstream": {"endpoints": [{"host": "news.example.com"}], "type": "own", "proto": "http"},
    "object_size": "small",
}
KUSANAGI, BATOU = (Identity(key=who, account=who, access="own") for who in ("kusanagi", "batou"))
countries: dict[str, Any] = SAMPLES["Countries"].answered.document["elements"]  # type: ignore[union-attr]
batches = count(1)


def served(file: ReportFile, zone: int, slot: int, hits: int, size: int, **more: Any) -> None:
    kind = Kind(slot, f"zone-{zone}", f"zone-{zone}", "public", 200, "ZZ", False, "1.1")
    rows = {kind._replace(**more): [hits, 0, size]}
    file.add(Batch("worker", next(batches), float(slot), 5.0, rows))


@pytest.fixture(scope="module")
def cdn() -> Iterator[Cdn]:
    file = ReportFile()
    with controlling(reports=file) as found:
        clock, found.runtime.catalog._clock = found.runtime.catalog._clock, lambda: T0 * 1000
        for _ in range(3):
            found.runtime.zones.make(KUSANAGI, ZONE)
        found.runtime.zones.make(BATOU, ZONE)
        storage = found.runtime.storages.make(KUSANAGI, "archive", "europe")
        other = found.runtime.storages.make(BATOU, "others", "europe")
        found.runtime.catalog._clock = clock
        file.measure(NOW - HOUR, {storage.sid: Size(2_887_995_255, 3), other.sid: Size(1, 1)})
        for country in countries:
            served(file, 1, NOW - HOUR, 7, 700, country=country)
        served(file, 1, T0, 90, 9000, tls=True, http="2")
        served(file, 1, T0 + 300, 5, 50, status=404)
        served(file, 3, T0 + HOUR, 5, 5000, tls=True)
        served(file, 3, T0 + DAY, 1, 1)
        served(file, 3, T0, 1, 1, door="s3")
        served(file, 4, T0, 1000, 1000)
        yield found
    file.close()


def elements(cdn: Cdn, path: str, **query: Any) -> Any:
    found = cdn.get(f"/reports/{path}", query={"from": "2015-08-12", "to": "2015-08-13", **query})
    return found["elements"]


def total(rows: list[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)][1:]


# as they stand


@pytest.mark.parametrize(
    "heading",
    [
        *("Usage report", "Countries", "Bytes served", "Bytes served via HTTP2", "Hits via HTTP2"),
        *("Bytes served via SSL", "Storages", "Hits", "Hits SSL", "Status codes"),
    ],
)
def test_the_sample(cdn: Cdn, heading: str) -> None:
    (asked,) = SAMPLES[heading].asked
    found = check(heading, send(cdn, asked))
    if heading == "Usage report":
        assert found == {"hits": 95, "bytes_served": 9050}
    if heading == "Bytes served":
        rows = SAMPLES[heading].answered.document["elements"]  # type: ignore[union-attr]
        assert [slot for slot, _ in found["elements"]] == [slot for slot, _ in rows]
        assert [value for _, value in found["elements"]] == [9050, 5000] + [0] * 22


# what they say


def test_each_report_adds_up(cdn: Cdn) -> None:
    assert total(elements(cdn, "hits")) == [100]
    assert total(elements(cdn, "bytes/")) == [14_050]
    assert total(elements(cdn, "hits/http2", zones="1")) == [90]
    assert total(elements(cdn, "bytes/http2")) == [9000]
    assert total(elements(cdn, "hits/ssl")) == [95]
    assert total(elements(cdn, "bytes/ssl", zones="3,1,3")) == [14_000]
    assert total(elements(cdn, "hits", zones="2")) == [0]
    assert elements(cdn, "countries") == {"ZZ": [[T0, 100, 14_050]]}
    assert elements(cdn, "countries", countries="de,zz", zones="3") == {
        "DE": [[T0, 0, 0]],
        "ZZ": [[T0, 5, 5000]],
    }
    codes = elements(cdn, "status/codes", zones="1", by="day")
    assert codes == {"200": [[T0, 90, 95]], "404": [[T0, 5, 5]]}
    assert elements(cdn, "status/codes", zones="1", by="day", code=404) == {"404": codes["404"]}
    assert elements(cdn, "status/codes", zones="1", by="day", code=500) == {"500": [[T0, 0, 0]]}


def test_slots_without_a_request_are_listed(cdn: Cdn) -> None:
    for by, length, slots in (("5min", 300, 288), ("hour", HOUR, 24), ("day", DAY, 1)):
        rows = elements(cdn, "hits", by=by)
        assert [slot for slot, _ in rows] == [T0 + number * length for number in range(slots)]
        assert total(rows) == [100]
    assert elements(cdn, "hits", by="5min")[:3] == [[T0, 90], [T0 + 300, 5], [T0 + 600, 0]]
    # The slot in which it begins is whole, and the end is not in it.
    rows = elements(cdn, "hits", **{"from": T0 + 1800, "to": T0 + HOUR})
    assert rows == [[T0, 95]]


def test_usage_of_the_account_and_of_a_zone(cdn: Cdn) -> None:
    of_day = {"date_from": "2015-08-12", "date_to": "2015-08-13"}
    whole = {"hits": 100, "bytes_served": 14_050}
    for path in ("/reports", "/reports/", "/reports/0/"):
        assert cdn.get(path, query=of_day) == whole
    assert cdn.get("/reports/3", query=of_day) == {"hits": 5, "bytes_served": 5000}
    assert cdn.get("/reports/3", query={**of_day, "date_to": T0 + DAY + 1})["hits"] == 6
    assert cdn.get("/reports/2") == {"hits": 0, "bytes_served": 0}
    assert cdn.get("/reports/", as_="batou", query=of_day)["hits"] == 1000
    hits = 7 * len(countries)
    assert cdn.get("/reports/1") == {"hits": hits, "bytes_served": 100 * hits}, "a day until now"


def test_storages_are_the_accounts_own(cdn: Cdn) -> None:
    rows = cdn.get("/reports/storages/", query={"from": NOW - DAY, "by": "hour"})["elements"]
    assert [row for row in rows if row[1]] == [[NOW - HOUR, 2_887_995_255]]
    rows = cdn.get("/reports/storages/", as_="batou")["elements"]
    assert [row for row in rows if row[1]] == [[NOW - HOUR, 1]]


# what is refused


@pytest.mark.parametrize(
    ("path", "query", "status", "word"),
    [
        ("4", {}, 404, "no zone 4"),
        ("99", {}, 404, ""),
        ("one", {}, 404, ""),
        ("1", {"date_from": "yesterday"}, 400, "date_from"),
        ("1", {"date_from": "2015-13-01"}, 400, "date_from"),
        ("1", {"date_to": "2015-08-12", "date_from": "2015-08-12"}, 400, "not before"),
        ("1", {"from": "2015-08-12"}, 400, "from"),
        ("hits", {"zones": "1,4"}, 404, ""),
        ("hits", {"zones": "1,,2"}, 400, "zones"),
        ("hits", {"zones": "all"}, 400, "zones"),
        ("hits", {"by": "week"}, 400, "by"),
        ("hits", {"from": "2001-01-01", "by": "5min"}, 400, "at most 35000 slots"),
        ("hits", {"to": "2015-08-12 25:00"}, 400, "to"),
        ("hits", {"to": "99999999999999"}, 400, "to"),
        ("hits", {"code": "404"}, 400, "code"),
        ("status/codes", {"code": "99"}, 400, "code"),
        ("status/codes", {"code": "600"}, 400, "code"),
        ("status/codes", {"code": "x"}, 400, "code"),
        ("countries", {"countries": "germany"}, 400, "countries"),
        ("countries", {"by": "hour"}, 400, "by"),
        ("storages", {"by": "day"}, 400, "by"),
        ("storages", {"zones": "1"}, 400, "zones"),
    ],
)
def test_what_is_refused(
    cdn: Cdn, path: str, query: dict[str, Any], status: int, word: str
) -> None:
    refused(cdn.ask("GET", f"/reports/{path}", query=query), status, word)


def test_where_none_are_kept_it_says_so() -> None:
    with controlling() as cdn:
        refused(cdn.ask("GET", "/reports/"), 400, "[reports]")
        assert cdn.runtime.chain.configuration.reports is not None, "a worker keeps them"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1394571600", 1_394_571_600),
        ("0", 0),
        ("2014-03-12", 1_394_582_400),
        ("2014-03-12 15:32", 1_394_638_320),
        ("2014-03-12 15:32 GMT", 1_394_638_320),
        ("2014-03-12 15:32 GMT+3", 1_394_627_520),
        ("2014-03-12 15:32 GMT 3", 1_394_627_520),
        ("2014-03-12 15:32 utc+03:00", 1_394_627_520),
        ("2014-03-12 15:32 GMT-0330", 1_394_650_920),
        ("2014-03-12T15:32:10Z", 1_394_638_330),
        ("2014-03-12 15:32+02:00", 1_394_631_120),
    ],
)
def test_times(text: str, seconds: int) -> None:
    assert dates.seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "-1", "2014-3-12", "2014-02-30", "2014-03-12 24:00", "2014-03-12 10"),
        *("2014-03-12 15:32 GMT+30", "2014-03-12 15:32 PST", "2014-03-12 15:32 Z+"),
        *("٢٠١٤-03-12", "123456789012", "2014-03-12 15:32\n"),
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).*"):
        dates.seconds(text)
