"""The plug is pulled under load: nothing that was acknowledged is lost, and nothing is torn.

`gateway serve` with granian and two workers, on Windows with waitress, and clients
that put, overwrite, delete, copy and upload in parts over real sockets. At some
moment workers, or all processes, get SIGKILL; on Windows TerminateProcess ends it.
The next gateway on that folder must have what the model allows, an index that
SQLite finds sound, and no file too many once the collector has run.

GATEWAY_CRASH_ROUNDS=300 makes it long. SIGKILL leaves the page cache alone: that
what must be synced is synced is seen in `test_order.py`.
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from drivers.local import Local
from gateway.storage import BytesBody, Context, Put
from tests.e2e.conftest import Running, workers_of
from tests.e2e.crash_model import PREFIX, Model, Write, body, tag_of
from tests.e2e.kept_files import collect
from tests.e2e.raw import Answer, eventually, exchange, log_of, signed
from tests.e2e.test_operations import TWO_WORKERS, kill, started, stop
from tests.windows.gateways import ON_WINDOWS, call

ROUNDS = int(os.environ.get("GATEWAY_CRASH_ROUNDS", "4"))
WRITERS, KEYS = 6, 5
COPIED = "copied"
"""The tag of an object of which copies are made; it is not changed."""

SERVED = ("--server", "waitress") if ON_WINDOWS else TWO_WORKERS


class Client:
    """Signed requests on one connection, which is made anew when it broke."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=30)

    def __call__(
        self, method: str, target: str, data: bytes = b"", *headers: tuple[str, str]
    ) -> Answer:
        """Raises `OSError` or `HTTPException` when there is no whole answer."""
        sent = signed(
            self._url, method, target, {"Content-Length": str(len(data)), **dict(headers)}
        )
        try:
            answer = exchange(self._connection, method, target, data, sent)
            found = Answer(answer.status, answer.read())
        except BaseException:
            self._connection.close()
            raise
        if found.status >= 400:  # granian may close it then, and says so to nobody
            self._connection.close()
        return found

    def well(
        self, method: str, target: str, data: bytes = b"", *headers: tuple[str, str]
    ) -> Answer:
        answer = self(method, target, data, *headers)
        assert 200 <= answer.status < 300, (method, target, answer)
        assert b"<Error>" not in answer.body, (method, target, answer)
        return answer

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()


class Writer:
    """Changes keys, some of its own and some of all, until `stopped`."""

    def __init__(self, gateway: Running, number: int, turn: int, model: Model) -> None:
        self._client, self._model = Client(gateway.url), model
        self._name, self._turn = f"w{number}", turn
        self._dice = random.Random(100 * turn + number)
        self.killed, self.stopped = threading.Event(), threading.Event()

    def run(self) -> None:
        with self._client:
            self._change()

    def _change(self) -> None:
        count = 0
        changes: list[Callable[[str, str], None]] = [
            self._small, self._small, self._large, self._large, self._delete, self._copy,
            self._parts,
        ]  # fmt: skip
        while not self.stopped.is_set():
            count += 1
            owner = "shared" if self._dice.random() < 0.2 else self._name
            key = f"{owner}/{self._dice.randrange(KEYS)}"
            try:
                self._dice.choice(changes)(key, f"{self._name}.{self._turn}.{count}")
            except (OSError, HTTPException):
                assert self.killed.is_set(), "a connection broke before anything was killed"
                time.sleep(0.01)

    def _write(self, key: str, state: str | None, request: Callable[[], object]) -> None:
        write: Write = self._model.begin(key, state)
        try:
            request()
        except (OSError, HTTPException):
            self._model.end(write, acknowledged=False)
            raise
        self._model.end(write, acknowledged=True)

    def _put(self, key: str, tag: str, size: int) -> None:
        data = body(tag, size)
        self._write(key, tag, lambda: self._client.well("PUT", f"/crash/{key}", data))

    def _small(self, key: str, tag: str) -> None:
        self._put(key, tag, self._dice.randrange(3000))

    def _large(self, key: str, tag: str) -> None:
        self._put(key, tag, 70_000 + self._dice.randrange(500_000))

    def _delete(self, key: str, _tag: str) -> None:
        self._write(key, None, lambda: self._client.well("DELETE", f"/crash/{key}"))

    def _copy(self, key: str, _tag: str) -> None:
        source = ("x-amz-copy-source", "/crash/copied")
        self._write(key, COPIED, lambda: self._client.well("PUT", f"/crash/{key}", b"", source))

    def _parts(self, key: str, tag: str) -> None:
        """One part of some size, or the prefix, shared, and one behind it."""
        two = self._dice.random() < 0.5
        place, data = f"/crash/{key}", body(tag, self._dice.randrange(200_000))
        begun = self._client.well("POST", f"{place}?uploads=")
        upload = named(begun, "UploadId")
        if two:
            source = ("x-amz-copy-source", "/crash/prefix")
            target = f"{place}?partNumber=1&uploadId={upload}"
            self._client.well("PUT", target, b"", source)
        self._client.well("PUT", f"{place}?partNumber={1 + two}&uploadId={upload}", data)
        listed = self._client.well("GET", f"{place}?uploadId={upload}")
        etags = re.findall(r"<ETag>(.*?)</ETag>", listed.body.decode())
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in enumerate(etags, 1)
        )
        asked = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        state = f"parts {tag}" if two else tag
        target = f"{place}?uploadId={upload}"
        self._write(key, state, lambda: self._client.well("POST", target, asked))


def named(answer: Answer, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", answer.body.decode())
    assert found is not None, answer
    return found[1]


# one round


def load_and_kill(gateway: Running, number: int, model: Model) -> None:
    """Load, and SIGKILL: for all processes at the end, for single workers before, or for none."""
    dice = random.Random(number)
    writers = [Writer(gateway, n, number, model) for n in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        running = [pool.submit(writer.run) for writer in writers]
        workers = workers_of(gateway)
        for worker in dice.sample(workers, min(dice.choice([0, 1, 2]), len(workers))):
            time.sleep(dice.uniform(0.1, 0.5))
            for writer in writers:
                writer.killed.set()
            os.kill(worker, signal.SIGKILL)
        time.sleep(dice.uniform(0.05, 0.8))
        for writer in writers:
            writer.killed.set()
        kill(gateway.process)
        for writer in writers:
            writer.stopped.set()
        for one in running:
            one.result()


@pytest.mark.skipif(ROUNDS < 1, reason="GATEWAY_CRASH_ROUNDS says so")
def test_kill_9_under_load_loses_nothing_and_tears_nothing(tmp_path: Path) -> None:
    model = Model()
    with started(tmp_path, *SERVED) as first:
        with Client(first.url) as client:
            client.well("PUT", "/crash")
            client.well("PUT", "/crash/copied", body(COPIED, 90_000))
            client.well("PUT", "/crash/prefix", PREFIX)
        kill(first.process)
    for number in range(ROUNDS + 1):
        with started(tmp_path, *SERVED) as gateway:
            with Client(gateway.url) as client:
                check(gateway, client, model)
            if number == ROUNDS:
                stop(gateway)
                break
            load_and_kill(gateway, number, model)
    print(f"{ROUNDS} rounds: {model.acknowledged} acknowledged, {model.unanswered} unanswered")
    assert model.acknowledged > ROUNDS * WRITERS  # the writers did get somewhere
    assert model.unanswered > 0  # and were interrupted


# what must hold after it


def check(gateway: Running, client: Client, model: Model) -> None:
    data = str(gateway.folder / "data")
    call("tests.e2e.kept_files.sound", data)
    call("tests.e2e.kept_files.recounted", data)
    drop_uploads(client)
    call("tests.e2e.kept_files.collect", data)
    present = {"copied", "prefix"}
    for key in model.names():
        model.settle(key, state := stored(client, key))
        if state is not None:
            present.add(key)
    assert stored(client, "copied") == COPIED
    assert client.well("GET", "/crash/prefix").body == PREFIX
    listed = client.well("GET", "/crash?list-type=2").body.decode()
    assert set(re.findall("<Key>(.*?)</Key>", listed)) == present
    assert "Traceback" not in log_of(gateway)


def stored(client: Client, key: str) -> str | None:
    answer = client("GET", f"/crash/{key}")
    if answer.status == 404:
        assert answer.code == "NoSuchKey"
        return None
    assert answer.status == 200, answer
    return tag_of(answer.body)


def drop_uploads(client: Client) -> None:
    """Those that the dead left."""
    listed = client.well("GET", "/crash?uploads=").body.decode()
    for key, upload in re.findall("<Key>(.*?)</Key>.*?<UploadId>(.*?)</UploadId>", listed, re.S):
        client.well("DELETE", f"/crash/{key}?uploadId={upload}")


# the model itself


def test_the_model_knows_what_is_possible() -> None:
    model = Model()
    one, other = model.begin("k", "one"), model.begin("k", "other")
    model.end(one, acknowledged=True)
    model.end(other, acknowledged=True)
    assert model.possible("k") == {"one", "other"}
    model.end(model.begin("k", "third"), acknowledged=True)
    assert model.possible("k") == {"third"}
    model.end(model.begin("k", None), acknowledged=False)
    assert model.possible("k") == {"third", None}
    with pytest.raises(AssertionError, match="k holds one"):
        model.settle("k", "one")
    model.settle("k", None)
    assert model.possible("k") == {None}


@pytest.mark.parametrize("size", [0, 1000, 100_000])
def test_a_torn_body_is_known(size: int) -> None:
    data = body("tag", size)
    assert tag_of(data) == "tag"
    assert tag_of(PREFIX + data) == "parts tag"
    for torn in (data[:-1], data + b"x", b"", PREFIX, data[: len(data) // 2] + bytes(len(data))):
        with pytest.raises(AssertionError, match="torn"):
            tag_of(torn)


def test_the_check_of_files_sees_one_too_few_and_the_collector_takes_one_too_many(
    tmp_path: Path,
) -> None:
    store = Local(inline_limit=0)
    store.open(Context(sid="s", folder=tmp_path))
    store.put("k", BytesBody(b"x"), Put(size=1))
    store.close()
    (needed,) = (path for path in (tmp_path / "blobs").rglob("*") if path.is_file())
    stray = tmp_path / "blobs" / "ab" / ("ab" * 16)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"left by the dead")
    eventually(lambda: stray.stat().st_mtime < time.time(), "it is older than now")
    collect(str(tmp_path))
    assert needed.exists()
    assert not stray.exists()
    needed.unlink()
    with pytest.raises(AssertionError):
        collect(str(tmp_path))
