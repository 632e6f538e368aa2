"""What an operator does to a running gateway: keys, health, logs, stopping.

Two workers of granian where processes matter. Nothing is measured in seconds:
waits end when what they wait for is there, and their limits are guards.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

from gateway.common.cpu_affinity import processors
from tests import stopping
from tests.e2e.conftest import (
    KEY,
    SECRET,
    SERVERS,
    Running,
    environment,
    free_port,
    wait_until_ready,
    workers_of,
)
from tests.e2e.raw import GUARD, Answer, ask, eventually, head, log_of, signed
from tests.starting import run
from tests.windows.gateways import ON_WINDOWS, start

TWO_WORKERS = ("--server", "granian", "--workers", "2")


@contextmanager
def started(
    folder: Path, *options: str, changes: Mapping[str, str | None] = {}
) -> Iterator[Running]:
    """A gateway in a group of processes of its own, killed at the end if it is still there.

    `changes` to its environment; None takes a variable away. Its temporary files
    are in `folder`/tmp, and its log in a new file each time.
    """
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = ["-m", "gateway", "serve", "--data", str(folder / "data")]
    command += ["--listen", f"127.0.0.1:{port}", *options]
    seen = {**environment(), "TMPDIR": str(folder / "tmp"), **changes}
    known = {name: value for name, value in seen.items() if value is not None}
    process = start(command, folder, known, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, port, process)
        yield Running(url, folder, process, environment())
    finally:
        if process.poll() is None:
            kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    """At once, with all its workers."""
    if ON_WINDOWS:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def stop(gateway: Running) -> None:
    stopping.stop(gateway.process)
    assert gateway.process.wait(60) == 0, log_of(gateway)


def command(gateway: Running, *words: str) -> str:
    """What `gateway …` prints, on the same data folder, from another process."""
    found = run(
        [sys.executable, "-m", "gateway", *words, "--data", str(gateway.folder / "data")],
        env=environment(),
        capture_output=True,
        text=True,
        cwd=gateway.folder,
    )
    assert found.returncode == 0, found.stderr
    return str(found.stdout)


def printed(text: str, name: str) -> list[str]:
    return re.findall(rf"^\s*{name} +(\S+)$", text, re.MULTILINE)


# keys


@pytest.fixture(
    scope="module", params=[TWO_WORKERS, ("--server", "waitress")], ids=lambda one: str(one[1])
)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    if ON_WINDOWS and "granian" in request.param:
        pytest.skip("granian is not for Windows")
    with started(tmp_path_factory.mktemp("operations"), *request.param) as running:
        yield running
        assert "Traceback" not in log_of(running)


def many(gateway: Running, key: str, secret: str, number: int = 80) -> list[Answer]:
    """Answers to requests with this key, each on a new connection: every worker gets some."""
    with ThreadPoolExecutor(8) as pool:
        return list(
            pool.map(lambda _: ask(gateway.url, "GET", "/", key=key, secret=secret), range(number))
        )


def test_a_key_works_when_it_is_printed_and_no_more_when_it_is_revoked(gateway: Running) -> None:
    text = command(gateway, "keys", "add", "--id", "printed", "--account", "guest")
    (secret,) = printed(text, "secret key")
    assert printed(text, "access key") == ["printed"]
    assert {answer.status for answer in many(gateway, "printed", secret)} == {200}
    assert {answer.code for answer in many(gateway, "printed", secret + "x")} == {
        "SignatureDoesNotMatch"
    }
    assert secret not in command(gateway, "keys", "list")
    command(gateway, "keys", "revoke", "printed")
    refused = many(gateway, "printed", secret)
    assert {(answer.status, answer.code) for answer in refused} == {(403, "InvalidAccessKeyId")}
    assert {answer.status for answer in many(gateway, KEY, SECRET, 8)} == {200}


def test_the_first_key_is_made_and_printed_once(tmp_path: Path) -> None:
    keyless = {"GATEWAY_ROOT_ACCESS_KEY": None, "GATEWAY_ROOT_SECRET_KEY": None}
    with started(tmp_path, *TWO_WORKERS_OR_ONE, changes=keyless) as first:
        eventually(lambda: "secret key" in log_of(first), "the key is printed")
        (key,), (secret,) = (
            set(printed(log_of(first), name)) for name in ("access key", "secret key")
        )
        first.client(key=key, secret=secret).create_bucket(Bucket="by-root")
        assert ask(first.url, "GET", "/").code == "InvalidAccessKeyId"
        stop(first)
    with started(tmp_path, *TWO_WORKERS_OR_ONE, changes=keyless) as second:
        eventually(lambda: "listening" in log_of(second), "the screen")
        found = second.client(key=key, secret=secret).list_buckets()["Buckets"]
        assert [one["Name"] for one in found] == ["by-root"]
        stop(second)  # and what it had to say was said
        assert secret not in log_of(second)
        assert not printed(log_of(second), "secret key")


TWO_WORKERS_OR_ONE = () if sys.platform == "win32" else TWO_WORKERS


def test_workers_keep_their_locks_on_the_databases(gateway: Running) -> None:
    """Whoever closes a database last removes its log; it must not believe to be the last.

    POSIX drops a process's locks on a file when it closes any descriptor of it: a worker
    that looks through its open files can lose them so, and then all writes that follow.
    """
    for name in ("catalog.db", "index.db"):
        path = gateway.folder / "data" / name
        log = path.with_name(f"{name}-wal")
        assert log.exists()
        program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version')"
        run([sys.executable, "-c", program, str(path)], check=True)
        assert log.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc")
def test_a_worker_that_is_replaced_serves_what_its_parent_read(tmp_path: Path) -> None:
    """Also when the files are being edited, or say something else by now."""
    file, secret = tmp_path / "gateway.toml", tmp_path / "secret"
    file.write_text('[[keys]]\nid = "kept"\nsecret_file = "secret"\naccess = "admin"\n')
    secret.write_text("as it was")
    with started(tmp_path, "--config", str(file), *TWO_WORKERS) as gateway:
        before = workers_of(gateway)
        file.write_text("[server\n")
        secret.write_text("another")
        for worker in before:
            replaced(gateway, worker)
        assert not set(before) & set(workers_of(gateway))
        assert {answer.status for answer in patient(gateway, "kept", "as it was")} == {200}
        stop(gateway)


def replaced(gateway: Running, worker: int) -> None:
    """Kill it, and wait for the one that takes its place."""
    before = set(workers_of(gateway))
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: bool(set(workers_of(gateway)) - before), "another worker")


def patient(gateway: Running, key: str, secret: str, number: int = 40) -> list[Answer]:
    """Answers, although a worker that begins may not listen yet."""

    def one(_: int) -> Answer:
        found: list[Answer] = []

        def answered() -> bool:
            with suppress(OSError, HTTPException):
                found.append(ask(gateway.url, "GET", "/", key=key, secret=secret))
            return bool(found)

        eventually(answered, "an answer")
        return found[0]

    return list(map(one, range(number)))


# health, metrics, logs


@pytest.mark.parametrize("page", ["health/live", "health/ready", "metrics"])
def test_its_own_pages_answer(gateway: Running, page: str) -> None:
    with urllib.request.urlopen(f"{gateway.url}/-/{page}") as answer:
        assert answer.status == 200
        assert answer.read()


def counted(gateway: Running, operation: str) -> int:
    with urllib.request.urlopen(f"{gateway.url}/-/metrics") as answer:
        text = answer.read().decode()
    pattern = rf'^gateway_requests_total{{.*operation="{operation}".*}} (\S+)$'
    return int(sum(float(number) for number in re.findall(pattern, text, re.MULTILINE)))


def test_metrics_count_what_all_workers_answered(gateway: Running) -> None:
    gateway.client().create_bucket(Bucket="counted")
    for _ in range(60):  # each on a new connection
        assert ask(gateway.url, "GET", "/counted?location").status == 200

    def all_counted() -> bool:
        """Whoever answers."""
        return all(counted(gateway, "GetBucketLocation") == 60 for _ in range(20))

    eventually(all_counted, "all workers know of all requests")
    if "waitress" not in str(gateway.process.args):
        files = list(gateway.folder.glob("tmp/gateway-workers-*/*.json"))
        assert len(files) == 2
        for file in files:  # so that the sum was one of two
            assert "GetBucketLocation" in file.read_text(encoding="utf-8")


def test_each_worker_knows_when_jobs_run_next(gateway: Running) -> None:
    """And adds no other's to its own."""
    pattern = r'^gateway_job_next_run_timestamp_seconds{job="orphans .*"} (\S+)$'
    for _ in range(10):  # whoever answers
        with urllib.request.urlopen(f"{gateway.url}/-/metrics") as answer:
            text = answer.read().decode()
        (found,) = re.findall(pattern, text, re.MULTILINE)
        assert 0 <= float(found) - time.time() + 60 < 7 * 3600


@pytest.mark.skipif(len(processors()) < 2, reason="needs Linux and two processors")
@pytest.mark.parametrize("affinity", [True, False])
def test_each_worker_keeps_to_a_processor(tmp_path: Path, affinity: bool) -> None:
    known = sorted(processors())
    file = tmp_path / "gateway.toml"
    file.write_text(f"[server]\ncpu_affinity = {str(affinity).lower()}\n", encoding="utf-8")
    expected = [[one] for one in known] if affinity else [known] * len(known)
    with started(tmp_path, "--config", str(file), "--workers", str(len(known))) as gateway:

        def as_expected() -> bool:
            found = (os.sched_getaffinity(one) for one in workers_of(gateway))
            return sorted(map(sorted, found)) == expected

        eventually(as_expected, "workers run where they should")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("server", SERVERS)
def test_the_access_log_tells_no_secret(tmp_path: Path, server: str, form: str) -> None:
    with started(tmp_path, "--server", server, "--log-format", form) as gateway:
        client = gateway.client(config=Config(signature_version="s3v4"))
        client.create_bucket(Bucket="logged")
        client.put_object(Bucket="logged", Key="a key", Body=b"x", Metadata={"m": "metavalue"})
        url = client.generate_presigned_url(
            "get_object", Params={"Bucket": "logged", "Key": "a key"}
        )
        urllib.request.urlopen(url).close()
        client.list_objects_v2(Bucket="logged", Prefix="prefixvalue")
        headers = signed(gateway.url, "GET", "/logged/forged%0Aline", {})
        connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=GUARD)
        connection.request("GET", "/logged/forged%0Aline", headers=headers)
        connection.getresponse().read()
        connection.close()
        stop(gateway)  # it writes what waits
        text = log_of(gateway)
    signature = headers["Authorization"].rpartition("Signature=")[2]
    for hidden in (SECRET, signature, url.rpartition("X-Amz-Signature=")[2].partition("&")[0]):
        assert hidden not in text
    for hidden in ("?", "prefixvalue", "X-Amz", "AWS4-HMAC", "metavalue"):
        assert not [line for line in text.splitlines() if hidden in line and "logged" in line]
    assert ("PUT", "/logged/a%20key", 200) in entries(text, form)
    assert ("GET", "/logged/a%20key", 200) in entries(text, form)
    assert ("GET", "/logged/forged%0Aline", 404) in entries(text, form)


def entries(text: str, form: str) -> list[tuple[str, str, int]]:
    """Method, path and status of each line of the access log."""
    if form == "json":
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [(one["method"], one["path"], one["status"]) for one in lines if "method" in one]
    pattern = r"^\d{4}-\S+Z [0-9A-F]{16} \S+ \S+ \S+ (\S+) (\S+) (\d{3}) "
    return [(one[0], one[1], int(one[2])) for one in re.findall(pattern, text, re.MULTILINE)]


# stopping


def slow_upload(gateway: Running, target: str, size: int) -> HTTPConnection:
    """A PUT whose body the server waits for."""
    headers = {"Content-Length": str(size), "Expect": "100-continue"}
    connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=60)
    connection.connect()
    connection.sock.sendall(head("PUT", target, signed(gateway.url, "PUT", target, headers)))
    assert connection.sock.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sock.sendall(b"x" * (size // 2))
    return connection


@pytest.mark.skipif(sys.platform == "win32", reason="there SIGTERM ends a process at once")
@pytest.mark.parametrize(
    "server", [TWO_WORKERS, ("--server", "waitress")], ids=lambda one: str(one[1])
)
def test_sigterm_under_load_loses_no_accepted_write(
    tmp_path: Path, server: tuple[str, ...]
) -> None:
    acknowledged: dict[str, bytes] = {}
    refused: list[int] = []
    with started(tmp_path, *server) as gateway:
        gateway.client().create_bucket(Bucket="load")
        slow = [slow_upload(gateway, f"/load/slow{number}", 200_000) for number in range(3)]
        stopped = threading.Event()

        def put(writer: int) -> None:
            number = 0
            while not stopped.is_set():
                number += 1
                key, body = f"{writer}-{number}", os.urandom(random.randrange(100_000))
                try:
                    answer = ask(gateway.url, "PUT", f"/load/{key}", body=body)
                except (OSError, HTTPException):  # it listens no more
                    continue
                if answer.status == 200:
                    acknowledged[key] = body
                else:
                    refused.append(answer.status)

        writers = [threading.Thread(target=put, args=(writer,)) for writer in range(4)]
        for one in writers:
            one.start()
        eventually(lambda: len(acknowledged) > 50, "some writes")
        stopping.stop(gateway.process)
        eventually(lambda: not listening(gateway), "the socket is closed")
        for connection in slow:  # these were accepted, and are waited for
            connection.sock.sendall(b"y" * 100_000)
            assert connection.sock.recv(4096).startswith(b"HTTP/1.1 200 ")
            connection.close()
        assert gateway.process.wait(60) == 0
        stopped.set()
        for one in writers:
            one.join()
        assert "Traceback" not in log_of(gateway)
    assert not refused
    with started(tmp_path, *server) as again:
        client = again.client()
        for key, body in acknowledged.items():
            assert client.get_object(Bucket="load", Key=key)["Body"].read() == body
        for number in range(3):
            found = client.get_object(Bucket="load", Key=f"slow{number}")["Body"].read()
            assert found == b"x" * 100_000 + b"y" * 100_000
        stop(again)


def listening(gateway: Running) -> bool:
    try:
        urllib.request.urlopen(f"{gateway.url}/-/health/live").close()
    except OSError:
        return False
    return True
