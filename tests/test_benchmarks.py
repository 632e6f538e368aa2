"""The benchmark measures what it says: its signatures, its load, its tables, its clean-up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotoCredentials

from benchmarks import __main__ as command
from benchmarks import processes, starting, walk
from benchmarks.figures import Outcome
from benchmarks.load import LoadFailed, Sample, heads, measure, parse_wrk, with_own, with_wrk
from benchmarks.report import summary_table, waits_table
from benchmarks.requests import Target, payload, put
from benchmarks.requests import get as get_request
from benchmarks.servers import SERVERS, UNDER, Server, pinned
from benchmarks.signing import Credentials, Request, checksum_headers, head
from benchmarks.starting import Missing, running
from benchmarks.workloads import WORKLOADS, Workload

KEY = Credentials(access="AKID", secret="a/secret+with=signs")
WHEN = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
HOST = "127.0.0.1:9000"

Parsed = tuple[str, str, dict[str, str]]


def parsed(request: bytes) -> Parsed:
    first, *lines = request.decode().rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.split(": ", 1) for line in lines)
    return method, target, {name.lower(): value for name, value in pairs}


def signed_names(headers: dict[str, str]) -> list[str]:
    return headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")


@pytest.mark.parametrize(
    "request_",
    [
        Request(method="GET", path="/"),
        Request(method="GET", path="/b/a key/é+~%.txt", headers={"x-amz-checksum-mode": "ENABLED"}),
        Request(method="GET", path="/b", query={"prefix": "a/ b", "list-type": "2", "x": ""}),
        put("/b/k", b"some bytes"),
    ],
    ids=lambda one: one.path,
)
def test_a_signature_is_the_one_that_botocore_makes(request_: Request) -> None:
    method, target, headers = parsed(head(request_, HOST, KEY, WHEN))
    theirs = AWSRequest(
        method=method,
        url=f"http://{HOST}{target}",
        headers={name: headers[name] for name in signed_names(headers)},
    )
    theirs.context["timestamp"] = headers["x-amz-date"]
    auth = S3SigV4Auth(BotoCredentials(KEY.access, KEY.secret), "s3", KEY.region)
    expected = auth.signature(auth.string_to_sign(theirs, auth.canonical_request(theirs)), theirs)
    assert headers["authorization"].endswith(f"Signature={expected}")


class _Sent(Exception):
    """Raised in place of sending."""


def boto_headers(call: str, **arguments: Any) -> dict[str, str]:
    sent: dict[str, str] = {}

    def capture(request: Any, **_: Any) -> None:
        for name, value in request.headers.items():
            sent[name.lower()] = value.decode() if isinstance(value, bytes) else str(value)
        raise _Sent

    client = boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}",
        region_name=KEY.region,
        aws_access_key_id=KEY.access,
        aws_secret_access_key=KEY.secret,
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send.s3", capture)
    with pytest.raises(_Sent):
        getattr(client, call)(**arguments)
    client.close()
    return sent


@pytest.mark.parametrize(
    ("workload", "call", "arguments"),
    [
        ("get-1k", "get_object", {"Bucket": "b", "Key": "k"}),
        ("put-1k", "put_object", {"Bucket": "b", "Key": "k", "Body": WORKLOADS["put-1k"].body}),
        ("list-1000", "list_objects_v2", {"Bucket": "b", "MaxKeys": 1000}),
    ],
)
def test_a_workload_sends_and_signs_the_headers_that_boto3_sends(
    workload: str, call: str, arguments: dict[str, Any]
) -> None:
    theirs = boto_headers(call, **arguments)
    one = WORKLOADS[workload]
    assert one.request is not None
    _, _, ours = parsed(head(one.request(one, 0), HOST, KEY, WHEN))
    assert set(ours) - {"accept-encoding"} == set(theirs) - {"expect"}
    assert signed_names(ours) == signed_names(theirs)
    for name in ("x-amz-content-sha256", "x-amz-checksum-crc32", "content-length"):
        assert ours.get(name) == theirs.get(name)


def test_every_request_of_a_workload_has_a_signature_of_its_own_unless_anybody_may_ask() -> None:
    target = Target(host="127.0.0.1", port=9000, credentials=KEY)
    for workload in WORKLOADS.values():
        if workload.request is not None:
            found = [parsed(one)[2].get("authorization") for one, _ in heads(workload, target)]
            expected = {None} if workload.public else set(found) - {None}
            assert set(found) == expected
            assert workload.public or len(expected) == workload.distinct


def test_a_checksum_is_the_crc_32_in_base64() -> None:
    assert checksum_headers(b"123456789")["x-amz-checksum-crc32"] == "y/Q5Jg=="


LINE = (
    "Running 2s test\n  1 threads and 4 connections\n"
    "replay: requests=30 microseconds=2000000 bytes=5000 p50=1500 p99=9000 longest=9900"
    " connect=0 read=2 write=0 timeout=0 status=3\n"
)


def test_what_wrk_prints_becomes_a_sample() -> None:
    sample = parse_wrk(LINE)
    assert sample == Sample(
        requests=30,
        seconds=2.0,
        received=5000,
        p50=1.5,
        p99=9.0,
        longest=9.9,
        errors={"read": 2, "status": 3},
    )
    assert sample.rate == 15.0


def test_wrk_without_a_result_is_a_failure_that_says_what_it_printed() -> None:
    with pytest.raises(LoadFailed, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")


class _Handler(BaseHTTPRequestHandler):
    """Answers 100 bytes; `/short` keys get none, `/missing` keys 404."""

    protocol_version = "HTTP/1.1"
    bodies: set[bytes]
    paths: set[str]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.bodies.add(body)
        self.paths.add(self.path)
        missing = "/missing" in self.path
        content = b"" if "/short" in self.path else b"x" * 100
        head = f"HTTP/1.1 {404 if missing else 200} -\r\nContent-Length: {len(content)}\r\n\r\n"
        self.wfile.write(head.encode() + content)

    do_GET = do_PUT = answer


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A generator that has ended leaves requests behind: nothing to report."""


@pytest.fixture
def server(sockets: None) -> Iterator[tuple[Target, type[_Handler]]]:
    class Handler(_Handler):
        """Remembers for one test."""

    Handler.bodies, Handler.paths = set(), set()
    listener = _Listener(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Target(host="127.0.0.1", port=listener.server_port, credentials=KEY), Handler
    listener.shutdown()
    listener.server_close()
    thread.join()


def workload(name: str = "small", method: str = "GET") -> Workload:
    def request(one: Workload, number: int) -> Request:
        path = one.path(number)
        return put(path, payload(one.size)) if method == "PUT" else get_request(path)

    least = 100 if method == "GET" else 0
    return Workload(name=name, title=name, request=request, size=100, least=least, connections=4,
                    distinct=12)  # fmt: skip


needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not on PATH")
generators = pytest.mark.parametrize(
    "generate", [pytest.param(with_wrk, marks=needs_wrk), with_own]
)


@generators
def test_load_replays_every_request_with_its_body(
    generate: Any, server: tuple[Target, type[_Handler]], tmp_path: Path
) -> None:
    target, handler = server
    put_100 = workload(method="PUT")
    sample = measure(generate, tmp_path, put_100, target, 1)
    assert sample.requests > 12
    assert not sample.errors
    assert sample.received >= 100 * sample.requests
    assert 0 < sample.p50 <= sample.p99 <= sample.longest
    assert handler.bodies == {put_100.body}
    assert handler.paths == {f"/benchmark/{put_100.key(n)}" for n in range(12)}


@generators
@pytest.mark.parametrize(("name", "kind"), [("missing", "status"), ("short", "short")])
def test_a_wrong_answer_is_an_error(
    generate: Any,
    name: str,
    kind: str,
    server: tuple[Target, type[_Handler]],
    tmp_path: Path,
) -> None:
    sample = measure(generate, tmp_path, workload(name), server[0], 0.2)
    assert sample.requests > 0
    # An answer may come after wrk has stopped counting requests, so not exactly as many.
    assert sample.errors[kind] >= sample.requests * 0.9


@pytest.mark.usefixtures("sockets")
def test_a_server_that_refuses_connections_is_an_error_and_not_a_wait(tmp_path: Path) -> None:
    target = starting.free_address(SERVERS["rclone"])
    sample = measure(with_own, tmp_path, workload(), target, 0.2)
    assert (sample.requests, sample.rate) == (0, 0.0)
    assert sample.errors["read"] > 0


def rounds(*requests: int, **errors: int) -> list[Sample]:
    return [
        Sample(requests=n, seconds=1, received=0, p50=1, p99=2, longest=3, errors=errors)
        for n in requests
    ]


def test_the_table_has_medians_spread_ratio_by_round_and_marks_errors() -> None:
    name = "get-1k"
    outcomes = [
        Outcome(name="gateway", kind="gateway", samples={name: rounds(1000, 2000, 3000)}),
        Outcome(name="good", kind="peer", samples={name: rounds(2000, 400, 1000)}),
        Outcome(name="wrong", kind="peer", samples={name: rounds(9000, 9000, 9000, status=1)}),
        Outcome(name="absent", kind="peer", missing="absent is not on PATH"),
    ]
    lines = summary_table(outcomes, [WORKLOADS[name]]).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    cells = dict(zip(rows[0], rows[2], strict=True))
    assert cells["gateway"] == "2.0 k/s ±50% (3.00×)"
    assert cells["good"] == "1.0 k/s ±80% (1.00×)"
    assert cells["wrong"] == "9.0 k/s ±0% (9.00×) !"
    assert "absent" not in cells
    assert rows[-1][:2] == ["absent", "missing: absent is not on PATH"]


def test_what_both_servers_of_the_gateway_do_is_measured_unless_others_are_named() -> None:
    usual = {name for name, one in SERVERS.items() if one.kind == "gateway" and one.usual}
    assert usual == {f"gateway-{store}-{one}" for store in ("local", "memory") for one in UNDER}


def test_waits_are_those_of_all_threads_and_counted_for_each_answer() -> None:
    one = replace(rounds(4)[0], waits=10.0)
    outcome = Outcome(name="x", kind="gateway", samples={"get-1k": [one]})
    assert (
        waits_table([outcome], [WORKLOADS["get-1k"]]).splitlines()[2].split("|")[2].strip() == "2.5"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts them")
def test_a_thread_that_sleeps_has_waited() -> None:
    me = [one for one in processes.family(os.getpid()) or () if one.pid == os.getpid()]

    def count() -> int:
        found = processes.waits(me)
        assert found is not None
        return found

    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 0).result()
        before = count()
        for _ in range(20):
            pool.submit(time.sleep, 0.001).result()
        assert count() - before >= 20


@pytest.mark.skipif(not shutil.which("taskset"), reason="taskset is not on PATH")
@pytest.mark.usefixtures("processes")
def test_a_pinned_server_may_use_one_processor() -> None:
    said = subprocess.check_output(starting.command(pinned(script("""
import os
print(len(os.sched_getaffinity(0)))
"""))))  # fmt: skip
    assert said.split() == [b"1"]


def script(text: str) -> Server:
    return Server(name="x", program=(sys.executable, "-c", text), arguments=lambda _: [])


@pytest.mark.usefixtures("sockets", "processes")
def test_a_server_that_is_not_here_or_does_not_start_is_missing(tmp_path: Path) -> None:
    absent = Server(name="x", program=("no-such-program-here",), arguments=lambda _: [])
    with pytest.raises(Missing, match="no-such-program-here is not on PATH"):
        starting.command(absent)
    broken = script("raise SystemExit('the port is taken')")
    with pytest.raises(Missing, match="the port is taken"), running(broken, tmp_path / "x"):
        pass


@pytest.mark.skipif(processes.table() is None, reason="nothing lists processes here")
@pytest.mark.usefixtures("processes")
def test_ending_a_server_ends_what_it_left_behind() -> None:
    child = "import time; time.sleep(20); print(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{child}'])"
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:  # one that has only just begun has hardly any memory yet
        while sum(one.rss > 1 << 20 for one in processes.family(process.pid) or []) < 2:
            time.sleep(0.01)
    finally:
        processes.end(process)
    with process.stdout as output:  # ends when no process holds it, and is empty if none lived on
        assert output.read() == b""


@pytest.mark.skipif(shutil.which("rclone", path=str(Path(sys.executable).parent)) is None,
                    reason="rclone is not beside this Python")  # fmt: skip
@pytest.mark.usefixtures("sockets", "processes")
def test_the_whole_command_measures_a_peer_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    data = tmp_path / "data"
    options = ["--servers", "rclone", "--only", "get-1k", "put-1k", "--load", "own"]
    options += ["--seconds", "0.2", "--rounds", "1", "--data", str(data), "--json", str(report)]
    assert command.main(options) == 0
    assert not data.exists()
    assert "| rclone" in capsys.readouterr().out
    [found] = json.loads(report.read_text())["servers"]
    assert set(found["results"]) == {"get-1k", "put-1k"}
    assert found["results"]["get-1k"]["ratio_to_best_peer"] == 1.0
    assert found["results"]["get-1k"]["errors"] == {}
    assert found["first_answer_seconds"] > 0


@pytest.mark.usefixtures("sockets")
def test_how_far_a_request_goes_is_counted() -> None:
    """The bounds are there so that nobody passes them without a look."""
    found = walk.walks()
    for method, most_calls, most_files in (("GET", 69, 23), ("PUT", 164, 34)):
        assert found[method].calls <= most_calls
        assert found[method].files <= most_files
    for one in found.values():
        assert one.files <= one.moves + 1 <= one.calls
        files = [line.partition(":")[0] for line in one.lines()]
        assert len(files) == one.moves + 1
        assert len(set(files)) == one.files
        assert files[0] == "gateway/web/app.py"
        assert not any(file.startswith("gateway/testing") for file in files)
