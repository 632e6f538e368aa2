"""The Ozone mode on real servers: what only a socket, a second worker or a kill shows."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import SECRET, SERVERS, Running, serving, workers_of
from tests.e2e.kept_files import recounted
from tests.e2e.raw import Answer, ask, connect, eventually, everything, head, log_of
from tests.e2e.test_operations import TWO_WORKERS, kill, started, stop
from tests.modes.ozone.trusting import ALWAYS

ROUNDS = int(os.environ.get("GATEWAY_OZONE_ROUNDS", "1"))
LIVED = 60
"""Changes that are acknowledged before the kill."""
CONFIG = '[ozone]\nauth = "simple"\nadmins = ["root"]\n'


class Client:
    """Requests on one connection, which is made anew when it broke."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=60)

    def __call__(
        self,
        method: str,
        target: str,
        as_: str = "root",
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> Answer:
        """Raises `OSError` or `HTTPException` when there is no whole answer."""
        sent = {**ALWAYS, "authorization": f"OZONE {as_}", **headers}
        try:
            self._connection.request(method, target, body, sent)
            answer = self._connection.getresponse()
            found = Answer(answer.status, answer.read())
        except BaseException:
            self._connection.close()
            raise
        if found.status >= 400:  # granian may close it then, and says so to nobody
            self._connection.close()
        return found

    def well(self, method: str, target: str, *more: Any, **other: Any) -> Answer:
        answer = self(method, target, *more, **other)
        assert answer.status in (200, 201), (method, target, answer)
        return answer

    def volume(self, name: str, quota: str = "") -> None:
        target = f"/{name}?quota={quota}" if quota else f"/{name}"
        self.well("POST", target, headers={"x-ozone-user": "bilbo"})

    def close(self) -> None:
        self._connection.close()


def code(answer: Answer) -> str:
    return f"{answer.status} {json.loads(answer.body)['shortMessage']}"


@pytest.fixture(scope="module", params=SERVERS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    options = "--server", request.param, "--workers", "2" if request.param == "granian" else "1"
    with serving(tmp_path_factory.mktemp("ozone"), *options, config=CONFIG) as running:
        yield running
        assert "Traceback" not in log_of(running)


@pytest.fixture
def client(gateway: Running) -> Iterator[Client]:
    with closing(Client(gateway.url)) as found:
        yield found


_NUMBERS = count(1)


@pytest.fixture
def bucket(client: Client) -> str:
    """The path of one, in a volume of its own."""
    volume = f"volume-{next(_NUMBERS)}"
    client.volume(volume)
    client.well("POST", f"/{volume}/bucket", "bilbo")
    return f"/{volume}/bucket"


def raw(
    gateway: Running,
    method: str,
    target: str,
    *lines: tuple[str, str],
    body: bytes = b"",
    ends: bool = False,
) -> bytes:
    """The answer to what is sent word for word. `ends`: nothing more comes after `body`."""
    place = urlsplit(gateway.url).netloc
    given = [("Host", place), ("Connection", "close"), *ALWAYS.items(), *lines]
    with connect(gateway) as connection:
        connection.sendall(head(method, target, given) + body)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        return everything(connection)


BILBO = ("Authorization", "OZONE bilbo")


def test_an_answer_has_one_date_and_the_names_of_request_and_server(
    gateway: Running, bucket: str
) -> None:
    for method, target in (("GET", bucket), ("GET", f"{bucket}/none"), ("HEAD", "/none")):
        lines = raw(gateway, method, target, BILBO).lower().split(b"\r\n")
        for name in (b"date", b"x-ozone-request-id", b"x-ozone-server-name"):
            found = [line for line in lines if line.startswith(name + b":")]
            assert len(found) == 1, (method, target, name, lines)
        (date,) = (line for line in lines if line.startswith(b"date:"))
        assert re.fullmatch(rb"date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d gmt", date)


def test_the_documents_are_at_the_gateways_own_names(gateway: Running) -> None:
    for path, has in (("", b"<article"), ("openapi.json", b'"/{volume}/{bucket}"')):
        with urllib.request.urlopen(f"{gateway.url}/-/docs/ozone/{path}") as answer:
            assert has in answer.read()


def test_authorization_twice_is_bad(gateway: Running, bucket: str) -> None:
    answer = raw(gateway, "GET", bucket, BILBO, BILBO)
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"badAuthorization" in answer


def test_lists_of_control_on_lines_of_their_own(
    gateway: Running, client: Client, bucket: str
) -> None:
    acls = [("x-ozone-acls", f"ADD USER:{name}:rw") for name in ("frodo", "sam")]
    answer = raw(gateway, "PUT", bucket, BILBO, *acls, ("Content-Length", "0"))
    assert b" 200 " in answer.partition(b"\r\n")[0]
    found = json.loads(client.well("GET", f"{bucket}?info=bucket").body)
    assert [one["name"] for one in found["acls"]] == ["frodo", "sam"]


def test_bodies_that_end_early_or_say_no_length(
    gateway: Running, client: Client, bucket: str
) -> None:
    """Where a server shows it; waitress does not hand such a request on."""
    short = raw(
        gateway, "PUT", f"{bucket}/k", BILBO, ("Content-Length", "10"), body=b"12345", ends=True
    )
    assert b" 201 " not in short.partition(b"\r\n")[0]
    if b"shortMessage" in short:
        assert b'"incompleteBody"' in short
    chunked = ("Transfer-Encoding", "chunked")
    answer = raw(gateway, "PUT", f"{bucket}/k", BILBO, chunked, body=b"5\r\n12345\r\n0\r\n\r\n")
    if b" 201 " not in answer.partition(b"\r\n")[0]:
        assert b'"invalidRequest"' in answer
        assert code(client("GET", f"{bucket}/k", "bilbo")) == "400 invalidKey"
    else:  # waitress has read it, and knows how long it was
        assert client.well("GET", f"{bucket}/k", "bilbo").body == b"12345"


def test_a_large_key_comes_back(client: Client, bucket: str) -> None:
    data = random.Random(1).randbytes(3_000_000)
    client.well("PUT", f"{bucket}/large", "bilbo", data)
    assert client.well("GET", f"{bucket}/large", "bilbo").body == data
    part = client("GET", f"{bucket}/large", "bilbo", headers={"Range": "bytes=1000000-1999999"})
    assert (part.status, part.body) == (206, data[1_000_000:2_000_000])


def test_what_one_worker_did_all_know(gateway: Running, client: Client) -> None:
    """Each request on a connection of its own: every worker gets some."""
    if len(workers_of(gateway)) < 2:
        pytest.skip("there is one")

    def once(method: str, target: str, *more: Any, **other: Any) -> Answer:
        with closing(Client(gateway.url)) as one:
            return one(method, target, *more, **other)

    for number in range(4):
        volume = f"shared-{number}"
        client.volume(volume)
        assert once("POST", f"/{volume}/bucket", "bilbo").status == 201
        assert once("PUT", f"/{volume}/bucket/k", "bilbo", b"1").status == 201
        grant = {"x-ozone-acl": "ADD user:guest:r"}
        assert once("PUT", f"/{volume}/bucket", "bilbo", headers=grant).status == 200
        assert once("PUT", f"/{volume}", headers={"x-ozone-user": "frodo"}).status == 200
        found = {once("GET", f"/{volume}/bucket/k", "frodo").status for _ in range(4)}
        assert found == {200}
        assert {once("GET", f"/{volume}/bucket/k", "bilbo").status for _ in range(4)} == {404}
        assert once("DELETE", f"/{volume}/bucket/k", "frodo").status == 200
        assert once("DELETE", f"/{volume}/bucket", "frodo").status == 200
        assert once("DELETE", f"/{volume}", "frodo").status == 200
        assert once("GET", f"/{volume}?info=volume").status == 404


# the quota


def test_a_quota_is_exact_under_writers_by_three_doors(gateway: Running, client: Client) -> None:
    """Ten thousand bytes are ten objects of a thousand, whoever comes first: two workers on
    granian, three doors, two buckets."""
    volume = f"tight-{next(_NUMBERS)}"
    client.volume(volume, "10000BYTES")
    for bucket in ("one", "two"):
        client.well("POST", f"/{volume}/{bucket}", "root")
    data = bytes(1000)

    def by_ozone(one: Client, bucket: str, key: str) -> int:
        return one("PUT", f"/{volume}/{bucket}/{key}", "root", data).status

    def by_s3(one: Client, bucket: str, key: str) -> int:
        return ask(gateway.url, "PUT", f"/{volume}.{bucket}/{key}", body=data).status

    def by_standard(one: Client, bucket: str, key: str) -> int:
        target = f"/uploadfile?sid={volume}.{bucket}&path={key}"
        connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=60)
        with closing(connection):
            connection.request("PUT", target, data, {"x-owncdn-key": SECRET})
            answer = connection.getresponse()
            answer.read()
            return answer.status

    doors = [by_ozone, by_s3, by_standard]
    statuses: list[int] = []

    def write(number: int) -> None:
        with closing(Client(gateway.url)) as one:
            for turn in range(6):
                door = doors[(number + turn) % 3]
                statuses.append(door(one, ("one", "two")[turn % 2], f"{number}-{turn}"))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert set(statuses) <= {200, 201, 403, 413, 507}, statuses
    assert sum(status < 300 for status in statuses) == 10
    buckets = json.loads(client.well("GET", f"/{volume}").body)["buckets"]
    assert sum(one["bytesUsed"] for one in buckets) == 10_000
    assert sum(one["keyCount"] for one in buckets) == 10
    assert code(client("PUT", f"/{volume}/one/more", "root", b"1")) == "413 quotaExceeded"


# kill -9


class Life:
    """Makes and drops volumes, buckets and keys, until `stopped`; `there`: of what it has been
    told, whether it is there. None: it asked, and was not answered."""

    def __init__(self, url: str, number: int) -> None:
        self._client, self._number = Client(url), number
        self._dice = random.Random(number)
        self.there: dict[str, bool | None] = {}
        self.acknowledged = 0
        self.stopped, self.killed = threading.Event(), threading.Event()

    def run(self) -> None:
        with closing(self._client):
            while not self.stopped.is_set():
                try:
                    self._step()
                except (OSError, HTTPException):
                    assert self.killed.is_set(), "a connection broke before anything was killed"
                    time.sleep(0.01)

    def _do(self, path: str, there: bool, method: str, *more: Any, **other: Any) -> None:
        before, self.there[path] = self.there.get(path, False), None
        answer = self._client(method, path.partition("!")[0], *more, **other)
        assert answer.status in (200, 201), (method, path, answer, before)
        self.there[path] = there
        self.acknowledged += 1

    def _step(self) -> None:
        volume = f"/life-{self._number}-{self._dice.randrange(3)}"
        bucket, key = f"{volume}/bucket", f"{volume}/bucket/key"
        made, kept, stored = (self.there.get(one, False) for one in (volume, bucket, key))
        if None in (made, kept, stored):
            return time.sleep(0.01)  # nobody knows; it is looked at when all is over
        if not made:
            self._do(volume, True, "POST", headers={"x-ozone-user": "bilbo"})
        elif not kept:
            if self._dice.random() < 0.3:
                self._do(volume, False, "DELETE")
            else:
                self._do(bucket, True, "POST", "bilbo", headers={"x-ozone-acl": "user:sam:r"})
        elif not stored:
            if self._dice.random() < 0.3:
                self._do(bucket, False, "DELETE", "bilbo")
            else:
                self._do(key, True, "PUT", "bilbo", bytes(self._dice.randrange(3000)))
        elif self._dice.random() < 0.5:
            self._do(key, False, "DELETE", "bilbo")
        else:
            self._do(key, True, "PUT", "bilbo", bytes(self._dice.randrange(3000)))
        return None


def settled(client: Client, there: Mapping[str, bool | None]) -> None:
    """What was acknowledged is so; of what was not, all can be made again, and dropped."""
    for path, known in sorted(there.items()):
        target = (
            path
            if path.count("/") == 3
            else f"{path}?info={('volume', 'bucket')[path.count('/') - 1]}"
        )
        found = client("GET", target)
        above = there.get(path.rpartition("/")[0], True)
        if known is not None and above is not None:
            assert (found.status == 200) is known, (path, known, found)
    volumes = [path for path in there if path.count("/") == 1]
    for volume in volumes:
        bucket, key = f"{volume}/bucket", f"{volume}/bucket/key"
        assert client("POST", volume, headers={"x-ozone-user": "bilbo"}).status in (201, 409)
        assert client("POST", bucket).status in (201, 409)
        client.well("PUT", key, "bilbo", b"again")
        client.well("DELETE", key)
        client.well("DELETE", bucket)
        client.well("DELETE", volume)
        assert client("GET", f"{volume}?info=volume").status == 404


def load_and_kill(gateway: Running, turn: int) -> dict[str, bool | None]:
    """What the clients know to be there, or not to be."""
    lives = [Life(gateway.url, 10 * turn + number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(life.run) for life in lives]
        eventually(lambda: sum(one.acknowledged for one in lives) > LIVED, "much is done")
        for life in lives:
            life.killed.set()
        kill(gateway.process)
        for life in lives:
            life.stopped.set()
        for one in running:
            one.result()
    return {path: known for life in lives for path, known in life.there.items()}


@pytest.mark.skipif(sys.platform == "win32", reason="granian is not for Windows")
def test_kill_9_loses_no_volume_no_bucket_and_no_key(tmp_path: Path) -> None:
    file = tmp_path / "ozone.toml"
    file.write_text(CONFIG, "utf-8")
    options = (*TWO_WORKERS, "--config", str(file))
    there: dict[str, bool | None] = {}
    for turn in range(ROUNDS + 1):
        with started(tmp_path, *options) as gateway:
            with closing(Client(gateway.url)) as client:
                settled(client, there)
                listed = json.loads(client.well("GET", "/?root-scan=true").body)
                assert listed == {"volumes": []}
            recounted(str(gateway.folder / "data"))
            if turn == ROUNDS:
                stop(gateway)
                break
            there = load_and_kill(gateway, turn)
