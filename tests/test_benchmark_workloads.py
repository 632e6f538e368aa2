"""Every workload does what it says, once and small, against a gateway that is really served."""

from __future__ import annotations

import json
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as command
from benchmarks import (
    herd,
    memory,
    own,
    picture,
    profiling,
    requests,
    scale,
    soak,
    speed,
    stages,
    starting,
)
from benchmarks.connection import Connection
from benchmarks.figures import Outcome
from benchmarks.load import Sample, measure, with_own, with_wrk
from benchmarks.meter import Gone, Meter
from benchmarks.recording import recorded
from benchmarks.requests import KIB, MIB
from benchmarks.seeding import Refused, prepare
from benchmarks.servers import SERVERS, UNDER, gateway
from benchmarks.signing import Request
from benchmarks.starting import Missing, Running
from benchmarks.steps import START, Exchange, Operation, exchange, single
from benchmarks.workloads import WORKLOADS, Filling, Workload, deep

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="granian is not on Windows"),
    pytest.mark.usefixtures("sockets", "processes"),
]


@contextmanager
def served(store: str, folder: Path) -> Iterator[Running]:
    with starting.running(gateway(store, "granian", settings="workers = 1\n"), folder) as one:
        yield one


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served("memory", tmp_path_factory.mktemp("memory") / "x") as one:
        yield replace(one, server=replace(one.server, in_memory=False))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served("local", tmp_path_factory.mktemp("local") / "x") as one:
        yield one


def small(one: Workload) -> Workload:
    """The same with little of everything."""
    size = min(one.size, MIB)
    least = min(one.least, 4 * KIB if one.size > one.least else size) if one.size else 0
    entries = min(one.entries, 20)
    if one.operation is not None and one.size:  # a part but the last has at least 5 MiB
        size = 5 * MIB + 1
    return replace(one, size=size, part=5 * MIB, least=least, entries=entries,
                   distinct=min(one.distinct, 20), connections=min(one.connections, 4))  # fmt: skip


def slice_of(one: Workload, server: Running, place: Path) -> Sample:
    prepare(one, server)
    return speed.slice_of(one, server, with_own, place, 0.05)


@pytest.mark.parametrize("name", [name for name, one in WORKLOADS.items() if one.filling is None])
def test_a_workload_runs_without_an_error(name: str, in_memory: Running, tmp_path: Path) -> None:
    one = small(WORKLOADS[name])
    sample = slice_of(one, in_memory, tmp_path)
    assert sample.requests > 0
    assert sample.errors == {}
    if one.fresh:
        assert sample.requests <= one.distinct
    if one.limit:
        assert sample.requests == one.limit


@pytest.mark.parametrize(
    "one",
    [
        replace(
            WORKLOADS["list-versions"], filling=Filling(keys=1000, versions=3), bucket="versions"
        ),
        *deep(1200),
    ],
    ids=lambda one: one.name,
)
def test_a_bucket_that_was_filled_lists_as_many_keys(
    one: Workload, local: Running, tmp_path: Path
) -> None:
    sample = slice_of(replace(one, distinct=8), local, tmp_path)
    assert sample.requests > 0
    assert sample.errors == {}


def test_a_filled_bucket_has_each_key_with_its_bytes_and_versions(local: Running) -> None:
    one = replace(
        WORKLOADS["list-versions"], filling=Filling(keys=1000, versions=3), bucket="versions-too"
    )
    prepare(one, local)
    assert one.filling is not None
    target, first, last = local.target, one.filling.key(0), one.filling.key(999)
    connection = Connection(target.address)
    got = connection.exchange(target.head(requests.get(f"/{one.bucket}/{last}")), keep=True)
    assert (got.status, got.body) == (200, requests.payload(6))
    query = {"versions": "", "prefix": last}
    listed = connection.exchange(
        target.head(Request(method="GET", path=f"/{one.bucket}", query=query)), keep=True
    )
    connection.close()
    assert listed.body.count(b"<Version>") == 3
    assert first.encode() not in listed.body


def test_the_mixture_reads_and_writes_as_it_says() -> None:
    mixed = WORKLOADS["mixed-1k"]
    assert mixed.request is not None
    methods = [mixed.request(mixed, number).method for number in range(100)]
    assert (methods.count("GET"), methods.count("PUT")) == (70, 30)


def test_a_deletion_deletes_what_was_put_for_it(in_memory: Running, tmp_path: Path) -> None:
    one = replace(small(WORKLOADS["delete"]), name="delete-all")
    prepare(one, in_memory)
    sample = speed.slice_of(one, in_memory, with_own, tmp_path, 30)
    assert sample.requests == one.distinct
    target = in_memory.target
    gone = own.run(
        target.address, [iter([single(exchange(target, requests.stat(one.path(0))))])], 5
    )
    assert "404" in gone.complaint


@pytest.mark.parametrize("name", ["bare", "moto", "s3rver", "nginx", "versitygw", "minio"])
def test_a_peer_that_is_here_is_started_and_read(name: str, tmp_path: Path) -> None:
    try:
        with starting.running(SERVERS[name], tmp_path / "x") as one:
            sample = slice_of(small(WORKLOADS["get-1k"]), one, tmp_path)
    except Missing as error:
        pytest.skip(str(error))
    assert sample.requests > 0
    assert sample.errors == {}


def test_the_time_of_an_operation_begins_where_it_says(in_memory: Running) -> None:
    list_buckets = exchange(in_memory.target, Request(method="GET", path="/"))
    spent: list[float] = []

    def operation() -> Operation:
        begin = time.perf_counter()
        yield list_buckets
        spent.append(time.perf_counter() - begin)
        yield START
        yield list_buckets

    begin = time.perf_counter()
    tally = own.run(in_memory.target.address, [iter([operation()])], 5)
    whole = time.perf_counter() - begin
    assert len(tally.latencies) == 1
    assert 0 < tally.seconds == sum(tally.latencies) < whole - spent[0]


def test_an_operation_ends_with_its_first_wrong_answer(in_memory: Running) -> None:
    target, sent = in_memory.target, []

    def operation() -> Operation:
        sent.append(1)
        yield exchange(target, requests.get("/no-such-bucket/key"))
        sent.append(2)

    tally = own.run(target.address, [iter([operation(), operation()])], 5)
    assert sent == [1, 1]
    assert tally.errors == {"status": 2}
    assert "NoSuchBucket" in tally.complaint


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not on PATH")
def test_wrk_sends_a_body_only_with_the_requests_that_have_one(
    in_memory: Running, tmp_path: Path
) -> None:
    mixed = replace(small(WORKLOADS["mixed-1k"]), name="mixed-wrk")
    prepare(mixed, in_memory)
    sample = measure(with_wrk, tmp_path, mixed, in_memory.target, 1)
    assert sample.requests > 20
    assert sample.errors == {}


def test_a_workload_that_a_server_cannot_do_is_left_out_and_says_why(
    in_memory: Running, tmp_path: Path
) -> None:
    outcome = Outcome(name="x", kind="gateway")
    assert speed.ready(WORKLOADS["list-versions"], [(outcome, in_memory)]) == []
    assert "index" in outcome.left_out["list-versions"]
    outcome = Outcome(name="x", kind="gateway")
    wrong = replace(WORKLOADS["get-1k"], bucket="Not A Bucket")
    assert speed.ready(wrong, [(outcome, in_memory)]) == []
    assert "InvalidBucketName" in outcome.refused["get-1k"]


def rounds(*requests_: int, **errors: int) -> list[Sample]:
    return [
        Sample(requests=n, seconds=1, received=0, p50=1, p99=2, longest=3, errors=errors)
        for n in requests_
    ]


def test_the_picture_is_xml_that_says_ratios_and_leaves_out_what_had_errors() -> None:
    name = "get-1k"
    outcomes = [
        Outcome(name="gateway-local", kind="gateway", samples={name: rounds(3000)}),
        Outcome(name="good", kind="peer", samples={name: rounds(2000)}),
        Outcome(name="wrong", kind="peer", samples={name: rounds(9000, status=1)}),
        Outcome(name="files", kind="reference", samples={name: rounds(9000)}),
    ]
    drawn = picture.draw(outcomes, list(WORKLOADS.values()), {"system": "a <b>", "cpus": 2})
    said = [one.text for one in ElementTree.fromstring(drawn).iter() if one.text]
    assert "1.5×" in said
    assert "3.0 k/s" in said
    assert "good 2.0 k/s" in said
    titles = [text for text in said if text.startswith("GET 1 KiB: ")]
    assert [title.split()[3] for title in titles] == ["good", "files", "gateway-local"]
    assert "PUT 1 KiB" not in said


class Ticks:
    """A clock that only moves when it is told to."""

    now = 0

    def __call__(self) -> int:
        return self.now


def test_a_meter_gives_each_stage_its_own_time() -> None:
    clock = Ticks()

    def inner() -> None:
        clock.now += 5

    meter = Meter(clock)
    timed_inner = meter.wrap(inner, "inner")

    def outer() -> None:
        clock.now += 1
        timed_inner()
        timed_inner()
        clock.now += 2

    meter.wrap(outer, "outer")()
    assert meter.stages() == {"inner": 10, "outer": 3}


def test_a_meter_leaves_nothing_behind_and_names_what_is_gone() -> None:
    from gateway.modes.s3 import application

    before = (application.who, application.S3Application.answer)
    meter = Meter(Ticks())
    with meter.installed(stages.STAGES):
        assert application.who is not before[0]
        assert application.S3Application.answer is not before[1]
    assert (application.who, application.S3Application.answer) == before
    with pytest.raises(Gone, match="no_such"), meter.installed({"x": ("gateway.web.app:no_such",)}):
        pass


@pytest.mark.parametrize("store", ["memory", "local"])
def test_a_put_enters_every_stage_and_the_sum_is_about_the_whole(
    store: str, tmp_path: Path
) -> None:
    given = recorded(tmp_path)
    found = profiling.profile(store, tmp_path, given, stages.STAGES, batches=3)
    put = found["PUT"]
    assert set(put.wall) == set(stages.STAGES) == set(stages.MEANING)
    assert all(put.wall[stage] > 0 for stage in ("signature", "parse", "store", "index"))
    get = found["GET"]
    assert 0.2 < sum(get.cpu.values()) / get.whole_cpu < 5  # whatever else the machine does


def test_requests_of_many_credentials_are_answered_in_many_buckets(
    local: Running, tmp_path: Path
) -> None:
    scale.populate(local, 3)
    for method in ("GET", "PUT"):
        one = replace(scale.spread(method, buckets=3, keys=3), distinct=6, connections=2)
        sample = speed.slice_of(one, local, with_own, tmp_path, 0.05)
        assert sample.requests > 0
        assert sample.errors == {}
    nobody = replace(scale.spread("GET", buckets=3, keys=4), distinct=4, connections=2)
    assert speed.slice_of(nobody, local, with_own, tmp_path, 0.05).errors["status"] > 0


def test_lines_of_a_group_are_compared_with_its_first(local: Running) -> None:
    one = WORKLOADS["get-1k"]
    lines = tuple(
        scale.Line(title=title, workload=one, server=local, samples=samples)
        for title, samples in (("few", rounds(100, 200)), ("many", rounds(50, 100)), ("none", []))
    )
    group = scale.Group("GET", lines)
    assert [line.split("|")[3].strip() for line in scale.table(group).splitlines()[2:]] == [
        "1.00×",
        "0.50×",
        "–",
    ]
    assert scale.as_json(group)[1]["ratio"] == 0.5


def test_memory_is_watched_through_bodies_connections_and_many_requests(tmp_path: Path) -> None:
    options = Namespace(mib=2, multipart_mib=3, idle=20, requests=100, load="own", seconds=0.1)
    row, record = memory.measured("gateway-memory-granian", tmp_path / "x", options)
    assert row[-1] == ""
    steps = {"idle", "put", "get", "multipart", "connections", "before", "after"}
    assert steps <= set(record)
    assert all(record[step]["total"] > 10 * MIB for step in steps)
    assert "–" not in row


def test_memory_says_what_went_wrong(tmp_path: Path) -> None:
    options = Namespace(mib=2, multipart_mib=3, idle=1, requests=10, load="own", seconds=0.1)
    try:
        row, _ = memory.measured("nginx", tmp_path / "x", options)
    except Refused:
        raise AssertionError("it is to be a line of the table") from None
    assert row[-1]


def test_an_exchange_of_head_has_no_body(in_memory: Running) -> None:
    target = in_memory.target
    assert exchange(target, requests.stat("/a/b")).bodiless
    assert Exchange((b"x",)) != START


def test_a_herd_is_served_by_one_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(herd, "SIZES", ((1, 5.0),))
    monkeypatch.setattr(herd, "SETTLED", 0.2)
    options = Namespace(threads=[], clients=8, rounds=1, json=tmp_path / "found.json")
    assert herd.herd(options, tmp_path / "x") == 0
    both = json.loads(options.json.read_text("utf-8"))
    assert [one["server"] for one in both] == list(UNDER)
    for found in both:
        assert (found["served"], found["refused"], found["others"]) == (8, 0, 0)
        assert len(found["fetches"]) == 1
        assert found["last"] >= found["fetches"][0]["took"] > 0.1
    assert "1 MiB at 5 MB/s" in capsys.readouterr().out


def test_a_soak_looks_at_the_processes_after_each_slice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak, "KEYS", 21)
    options = command.arguments(["soak", "--minutes", "0.03", "--slices", "2"])
    options.json = tmp_path / "looks.json"
    (tmp_path / "place").mkdir()
    assert soak.soak(options, tmp_path / "place") == 0, capsys.readouterr().out
    looks = json.loads(options.json.read_text("utf-8"))
    assert [one["server"] for one in looks] == [*UNDER, *UNDER]
    assert [one["failed"] for one in looks] == [0] * 4
    assert all(one["rate"] > 0 and one["data"] > 0 for one in looks)
    told = (looks[0]["rss"] > 0, looks[0]["files"] or 0, looks[0]["threads"] or 0)
    assert all(told) or sys.platform != "linux"


def test_growth_is_that_of_the_last_two_thirds_in_ten_minutes() -> None:
    def look(minutes: float, mebibytes: int) -> soak.Look:
        return soak.Look(
            server="granian", minutes=minutes, rate=1, p99=1, failed=0, rss=mebibytes * MIB,
            files=None, threads=None, data=0, count=0,
        )  # fmt: skip

    filling = [look(number, 50 * number) for number in range(10)]
    assert soak.slope([*filling, *(look(10 + n, 500) for n in range(20))]) == pytest.approx(0)
    leaking = [look(10 + number, 500 + number) for number in range(20)]
    assert soak.slope([*filling, *leaking]) == pytest.approx(10)
