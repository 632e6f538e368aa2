"""What is asked of every server: the table of workloads, their data and their requests.

Each workload has many distinct signed requests, which the load generator replays
in turns. They are signed just before they are sent, for S3 refuses what is older
than 15 minutes.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from benchmarks.connection import Answer, Connection
from benchmarks.signing import Credentials, Request, checksum_headers, head

KIB, MIB = 1 << 10, 1 << 20
BUCKET = "benchmark"
LISTED = "benchmark-list"
PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server's address and the key to sign with."""

    host: str
    port: int
    credentials: Credentials

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def head(self, request: Request, age: int = 0) -> bytes:
        """The request's bytes up to its body, as if signed `age` seconds ago."""
        when = datetime.now(UTC) - timedelta(seconds=age)
        return head(request, f"{self.host}:{self.port}", self.credentials, when)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`size` is an object's, in bytes; `distinct` how many objects, hence requests."""

    name: str
    title: str
    method: str
    size: int
    connections: int
    distinct: int
    large: bool = False
    """Bytes per second say more than requests; wrk reads 8 KiB at a time and needs two threads."""

    @property
    def lists(self) -> bool:
        return self.method == "LIST"

    @property
    def body(self) -> bytes:
        return payload(self.size) if self.method == "PUT" else b""

    @property
    def least(self) -> int:
        """Bytes that the body of each answer has at least."""
        if self.lists:
            return PAGE * len("<Contents><Key></Key></Contents>")
        return self.size if self.method == "GET" else 0

    def key(self, number: int) -> str:
        return f"{self.name}/{number:06d}.bin"

    def request(self, number: int) -> Request:
        if self.lists:
            query = {"list-type": "2", "max-keys": str(PAGE), "encoding-type": "url"}
            return Request(method="GET", path=f"/{LISTED}", query=query)
        path = f"/{BUCKET}/{self.key(number)}"
        if self.method == "PUT":
            return put(path, self.body)
        return Request(method="GET", path=path, headers={"x-amz-checksum-mode": "ENABLED"})

    def heads(self, target: Target) -> list[bytes]:
        """The distinct requests, each with a signature of its own (also where keys repeat)."""
        return [target.head(self.request(n), age=n % 240) for n in range(self.distinct)]


WORKLOADS = {
    one.name: one
    for one in (
        Workload(
            name="get-1k", title="GET 1 KiB", method="GET", size=KIB, connections=16, distinct=512
        ),
        Workload(
            name="put-1k", title="PUT 1 KiB", method="PUT", size=KIB, connections=16, distinct=512
        ),
        Workload(
            name="get-8m",
            title="GET 8 MiB",
            method="GET",
            size=8 * MIB,
            connections=8,
            distinct=16,
            large=True,
        ),
        Workload(
            name="put-8m",
            title="PUT 8 MiB",
            method="PUT",
            size=8 * MIB,
            connections=4,
            distinct=16,
            large=True,
        ),
        Workload(
            name="list-1000",
            title="list 1,000 keys",
            method="LIST",
            size=0,
            connections=16,
            distinct=200,
        ),
    )
}


@cache
def payload(size: int) -> bytes:
    """`size` bytes that do not compress, the same in every run."""
    return random.Random(size).randbytes(size)


@cache
def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def put(path: str, body: bytes) -> Request:
    return Request(
        method="PUT",
        path=path,
        headers=checksum_headers(body) if body else {},
        payload_hash=_sha256(body),
        length=len(body),
    )


class Refused(Exception):
    """A server did not answer as S3 does, so measuring it would mean nothing."""


def prepare(workload: Workload, target: Target) -> None:
    """Write what the workload reads, then try each kind of request once. Raises `Refused`."""
    connection = Connection(target.address)
    try:
        for path, body in _contents(workload):
            _must(connection.exchange(target.head(put(path, body)), body, keep=True), path)
        answer = connection.exchange(target.head(workload.request(0)), workload.body, keep=True)
        _must(answer, workload.title)
        _check(workload, answer)
    except OSError as error:
        raise Refused(f"{workload.title}: {error}") from error
    finally:
        connection.close()


def create_buckets(target: Target) -> None:
    """Raises `Refused`."""
    connection = Connection(target.address)
    try:
        for bucket in (BUCKET, LISTED):
            _must(connection.exchange(target.head(put(f"/{bucket}", b"")), keep=True), bucket)
    except OSError as error:
        raise Refused(f"creating a bucket: {error}") from error
    finally:
        connection.close()


def _contents(workload: Workload) -> Iterator[tuple[str, bytes]]:
    if workload.lists:
        for number in range(PAGE):
            yield f"/{LISTED}/{workload.key(number)}", b"listed"
    elif workload.method == "GET":
        for number in range(workload.distinct):
            yield f"/{BUCKET}/{workload.key(number)}", payload(workload.size)


def _must(answer: Answer, what: str) -> None:
    if answer.status != 200:
        text = answer.body.decode("utf-8", "replace")
        raise Refused(f"{what}: answered {answer.status} {text[:300]}".strip())


def _check(workload: Workload, answer: Answer) -> None:
    if workload.lists and answer.body.count(b"<Contents>") != PAGE:
        raise Refused(f"a page has {answer.body.count(b'<Contents>')} keys, not {PAGE}")
    if workload.method == "GET" and answer.body != payload(workload.size):
        raise Refused(f"{workload.title}: other bytes than were put")


def write_replay(folder: Path, workload: Workload, target: Target) -> tuple[Path, Path]:
    """The requests (each "length NL bytes") and the body that all share, as files."""
    heads, body = folder / "requests", folder / "body"
    heads.write_bytes(b"".join(b"%d\n%b" % (len(one), one) for one in workload.heads(target)))
    body.write_bytes(workload.body)
    return heads, body


def read_replay(heads: Path) -> list[bytes]:
    """The requests that `write_replay` wrote."""
    data, at, found = heads.read_bytes(), 0, []
    while at < len(data):
        end = data.index(b"\n", at) + 1
        found.append(data[end : end + int(data[at:end])])
        at = end + int(data[at:end])
    return found
