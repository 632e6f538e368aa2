"""The same behaviour on granian and waitress, over real sockets."""

from __future__ import annotations

import errno
import json
import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.servers import sockets
from gateway.servers.channel_server import ChannelServer
from gateway.servers.workers import Comebacks
from tests.starting import Popen, run
from tests.tiny_mode import PIECE

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="granian and signals: POSIX"),
    pytest.mark.usefixtures("sockets", "processes"),
]
GRANIAN = pytest.param(
    "granian",
    marks=pytest.mark.skipif(sys.platform == "win32", reason="granian is not for Windows"),
)
BOTH = pytest.mark.parametrize("kind", [GRANIAN, "waitress"])
ROOT = Path(__file__).parent.parent


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


PATIENCE = 120


@dataclass
class Running:
    process: subprocess.Popen[str]
    ports: list[int]
    errors: Callable[[], str]

    @property
    def port(self) -> int:
        return self.ports[0]

    def workers(self, number: int) -> set[int]:
        """The pids that answer, when so many have been seen."""
        seen: set[int] = set()
        until = time.monotonic() + PATIENCE
        while len(seen) < number and time.monotonic() < until:
            with suppress(OSError, ValueError):
                seen.add(int(ask(self.port, b"GET /?pid HTTP/1.1\r\nHost: a\r\n\r\n").body))
        return seen


@contextmanager
def running(
    kind: str, *arguments: str, port: str = "0", env: dict[str, str] | None = None
) -> Iterator[Running]:
    process = Popen(
        [sys.executable, "-m", "tests.tiny_mode", kind, port, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )
    assert process.stdout is not None and process.stderr is not None
    lines: list[str] = []
    reader = threading.Thread(target=_collect, args=(process.stderr, lines), daemon=True)
    reader.start()

    def errors() -> str:
        return "".join(lines)

    try:
        words = process.stdout.readline().split()
        assert words[:1] == ["ready"], f"{words} {process.wait()} {errors()}"
        yield Running(process, [int(word) for word in words[1:]], errors)
    finally:
        if sys.platform == "win32":
            process.kill()
        else:
            with suppress(ProcessLookupError):  # its workers too, if they outlived it
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        reader.join()
        process.stderr.close()


def _collect(stream: object, lines: list[str]) -> None:
    for line in stream:  # type: ignore[attr-defined]  # a text stream
        lines.append(line)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Running]]:
    with running("granian") as granian, running("waitress") as waitress:
        yield {"granian": granian, "waitress": waitress}


@pytest.fixture
def port(servers: dict[str, Running], kind: str) -> int:
    return servers[kind].port


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def receive(connection: socket.socket, *, head: bool = False) -> Reply:
    """One answer; `complete` is False when the connection ended in it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = _piece(connection)
        if not piece:
            return Reply(0, {}, data, complete=False)
        data += piece
    lines, _, body = data.partition(b"\r\n\r\n")
    status, *headers = lines.decode().split("\r\n")
    found = {name.lower(): value for name, _, value in (line.partition(": ") for line in headers)}
    length = 0 if head else int(found.get("content-length", "0"))
    while len(body) < length:
        piece = _piece(connection)
        if not piece:
            break
        body += piece
    return Reply(int(status.split()[1]), found, body, complete=len(body) >= length)


def _piece(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def ask(port: int, request: bytes, *, head: bool = False) -> Reply:
    with closing(connect(port)) as connection:
        connection.sendall(request)
        return receive(connection, head=head)


def get(port: int, target: str, *headers: str) -> Reply:
    lines = "".join(f"{header}\r\n" for header in headers)
    return ask(port, f"GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())


def eventually(check: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if check():
            return True
        time.sleep(0.01)
    return False


# paths and heads


@BOTH
@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a//b", "/a//b"),
        ("//a//b/", "//a//b/"),
        ("///", "///"),
        ("/a/%2F/b", "/a///b"),
        ("/a/../b/./c", "/a/../b/./c"),
        ("/a%2e%2e/b", "/a../b"),
        ("/%252F", "/%2F"),
        ("/a+b%20c", "/a+b c"),
        ("/%c3%a4", "/ä"),
        ("//%c3%a4", "//ä"),
        ("/%zz%2", "/%zz%2"),
        ("/a;b=c", "/a;b=c"),
        ("http://other/abs//x", "/abs//x"),
        ("/%E4", "not UTF-8"),
    ],
)
def test_a_path_is_decoded_once_and_not_normalised(port: int, target: str, path: str) -> None:
    assert json.loads(get(port, f"{target}?environ").body)["path"] == path


@BOTH
def test_requests_have_ids_of_their_own(port: int) -> None:
    ids = {json.loads(get(port, "/?environ").body)["gateway.request_id"] for _ in range(5)}
    assert len(ids) == 5
    assert all(re.fullmatch("[0-9A-F]{16}", one) for one in ids)


def test_the_environment_does_not_look_like_headers() -> None:
    variables = {"HTTP_X_AMZ_ACL": "public-read", "REQUEST_URI": "/other"}
    with running("granian", env=variables) as server:
        environ = json.loads(get(server.port, "/mine?environ").body)
    assert "HTTP_X_AMZ_ACL" not in environ
    assert environ["path"] == "/mine"


# bodies


@BOTH
def test_a_chunked_body_arrives(port: int) -> None:
    reply = ask(
        port,
        b"PUT /k?read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n",
    )
    assert reply.body == b"8"


@BOTH
def test_a_client_that_expects_100_continue_gets_it(port: int) -> None:
    with closing(connect(port)) as connection:
        connection.sendall(
            b"PUT /k?read HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert receive(connection).status == 100
        connection.sendall(b"hello")
        assert receive(connection).body == b"5"


def test_granian_does_not_ask_for_a_body_that_is_refused(servers: dict[str, Running]) -> None:
    reply = ask(
        servers["granian"].port,
        b"PUT /k?refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    )
    assert reply.status == 403


def test_granian_answers_before_the_body_comes(servers: dict[str, Running]) -> None:
    reply = ask(
        servers["granian"].port,
        b"PUT /k?refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n",
    )
    assert (reply.status, reply.body) == (403, b"no")


@BOTH
@pytest.mark.parametrize("size", [5, 100_000, 5_000_000])
def test_an_early_error_reaches_a_client_that_still_sends(port: int, size: int) -> None:
    with closing(connect(port)) as connection:
        head = f"PUT /k?refuse HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
        with suppress(ConnectionError):  # closed while we send: the answer is there
            connection.sendall(head.encode() + b"x" * size)
        assert receive(connection).body == b"no"


@BOTH
def test_after_an_early_error_the_connection_serves_on_or_is_closed(port: int) -> None:
    with closing(connect(port)) as connection:
        connection.sendall(b"PUT /k?refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        assert receive(connection).status == 403
        with suppress(ConnectionError):
            connection.sendall(b"GET /n HTTP/1.1\r\nHost: a\r\n\r\n")
        after = receive(connection)
        assert after.status == 200 or after.body == b""


@pytest.mark.parametrize(
    ("number", "status"), [(errno.EMFILE, 503), (errno.ENOSPC, 507), (errno.EIO, 503)]
)
def test_a_body_that_waitress_cannot_spool_is_answered(number: int, status: int) -> None:
    answered: set[int] = set()
    with running("waitress", env={"TINY_SPOOL": str(number)}) as server:
        for _ in range(5):  # what is closed while we send may reset us before we see the answer
            with closing(connect(server.port)) as connection, suppress(ConnectionError):
                head = b"PUT /k?read HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n"
                connection.sendall(head)
                with suppress(ConnectionError):
                    connection.sendall(bytes(600_000))
                answered.add(receive(connection).status)
        assert answered - {0} == {status}
        assert get(server.port, "/n").status == 200
        said = f"a body cannot be spooled: {os.strerror(number)}"
        assert eventually(lambda: said in server.errors())  # it may come behind the answer


def test_waitress_refuses_bodies_over_the_limit(servers: dict[str, Running]) -> None:
    reply = ask(
        servers["waitress"].port,
        b"PUT /k?read HTTP/1.1\r\nHost: a\r\nContent-Length: 50000001\r\n\r\n",
    )
    assert reply.status == 413


# answers


@BOTH
def test_head_says_the_length_and_sends_nothing(port: int) -> None:
    with closing(connect(port)) as connection:
        connection.sendall(b"HEAD /k?head HTTP/1.1\r\nHost: a\r\n\r\n")
        assert receive(connection, head=True).headers["content-length"] == "12345"
        connection.sendall(b"GET /n HTTP/1.1\r\nHost: a\r\n\r\n")
        assert receive(connection).body == b"tiny GET /n"


@BOTH
@pytest.mark.parametrize("how", ["short", "break"])
def test_an_answer_that_breaks_off_does_not_look_complete(
    servers: dict[str, Running], kind: str, how: str
) -> None:
    reply = get(servers[kind].port, f"/{kind}-{how}?{how}")
    assert not reply.complete
    line = f"tiny {how} GET /{kind}-{how} 200 0 10 "
    assert eventually(lambda: line in servers[kind].errors())
    assert re.search(re.escape(line) + ".* aborted$", servers[kind].errors(), re.M)


@BOTH
def test_a_crash_is_a_500_that_says_only_its_id(servers: dict[str, Running], kind: str) -> None:
    reply = get(servers[kind].port, "/k?crash", "Authorization: geheim")
    assert reply.status == 500
    request = reply.headers["x-request-id"]
    assert reply.body.decode() == f"Something went wrong here. Request: {request}\n"
    assert eventually(lambda: f"{request}: tiny failed" in servers[kind].errors())
    assert "RuntimeError: a bug" in servers[kind].errors()
    assert "geheim" not in servers[kind].errors()


@BOTH
def test_a_body_is_closed_when_its_client_goes_away(port: int, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with closing(connect(port)) as connection:
        connection.sendall(
            f"GET /k?stream=2000 HTTP/1.1\r\nHost: a\r\nX-Tiny-Note: {note}\r\n\r\n".encode()
        )
        connection.recv(1000)
    assert eventually(note.exists)


@BOTH
def test_slow_readers_leave_threads_for_others(kind: str) -> None:
    with running(kind) as server:
        slow = [connect(server.port) for _ in range(12)]
        for connection in slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            connection.sendall(b"GET /k?stream=2000 HTTP/1.1\r\nHost: a\r\n\r\n")
        statuses = [connection.recv(12)[9:] for connection in slow]
        # Of 6 threads 4 may wait, on granian 3 of them for large ones; of one client 3 and 2.
        served = 3 if kind == "waitress" else 2
        assert statuses.count(b"200") == served
        assert statuses.count(b"503") == 12 - served
        assert get(server.port, "/n").status == 200
        for connection in slow:
            connection.close()

        def goes_on() -> bool:
            return get(server.port, "/k?stream=1").body == PIECE

        assert eventually(goes_on)


def test_slow_senders_leave_threads_for_others() -> None:
    with running("granian") as server:
        slow = [connect(server.port) for _ in range(12)]
        for connection in slow:
            connection.sendall(b"PUT /k?read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
        refused: queue.Queue[Reply] = queue.Queue()
        for connection in slow:
            threading.Thread(target=lambda one=connection: refused.put(receive(one))).start()
        replies = [refused.get(timeout=PATIENCE) for _ in range(9)]
        assert {reply.status for reply in replies} == {503}
        assert {reply.headers["retry-after"] for reply in replies} == {"1"}
        assert get(server.port, "/n").status == 200
        assert refused.empty()  # the three that were let in still wait
        for connection in slow:
            with suppress(OSError):
                connection.sendall(b"23456789")
        assert b"9" in {refused.get(timeout=PATIENCE).body for _ in range(3)}
        for connection in slow:
            connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="granian's watch needs TCP_INFO")
@BOTH
def test_what_is_worked_on_is_not_cut_with_those_who_stand_still(kind: str) -> None:
    """They come from one address, and on both connections nothing moves."""
    with (
        running(kind, env={"TINY_BODY_TIMEOUT": "1"}) as server,
        closing(connect(server.port)) as stalled,
        closing(connect(server.port)) as resting,
    ):
        resting.sendall(b"GET /k?sleep=3.5 HTTP/1.1\r\nHost: a\r\n\r\n")
        stalled.sendall(b"PUT /k?read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
        cut = receive(stalled)
        assert cut.body == (b"1" if kind == "granian" else b"")
        assert receive(resting).body == b"rested"


# processes


@BOTH
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_finishes_what_is_under_way(kind: str, name: str) -> None:
    with running(kind) as server, closing(connect(server.port)) as connection:
        with closing(connect(server.port)) as sleeping:
            connection.sendall(b"PUT /k?read HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
            sleeping.sendall(b"GET /k?sleep=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.3)
            os.killpg(server.process.pid, getattr(signal, name))
            time.sleep(0.3)
            connection.sendall(b"def")
            assert receive(connection).body == b"6"
            assert receive(sleeping).body == b"rested"
        assert server.process.wait(PATIENCE) == 0
        with pytest.raises(ConnectionError):
            connect(server.port)


@BOTH
def test_a_stop_wakes_what_waits_and_answers_it(kind: str) -> None:
    with running(kind) as server, closing(connect(server.port)) as waiting:  # the drain is long
        waiting.sendall(b"GET /k?wait HTTP/1.1\r\nHost: a\r\n\r\n")
        assert get(server.port, "/n").status == 200  # so that the other has begun
        server.process.send_signal(signal.SIGTERM)
        reply = receive(waiting)
        assert reply.body == b"woken"
        if kind == "waitress":  # granian's goes out while it gets to know that it stops
            assert reply.headers["connection"] == "close"
        assert server.process.wait(PATIENCE) == 0


@BOTH
def test_a_stop_ends_whatever_threads_do(kind: str) -> None:
    """A request, closing, a thread and an `atexit` function that never come to an end."""
    with (
        running(kind, env={"TINY_DRAIN": "0.5", "TINY_HANGS": "1"}) as server,
        closing(connect(server.port)) as hanging,
    ):
        hanging.sendall(b"GET /k?sleep=1000 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert get(server.port, "/n").status == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert "closing takes more than" in server.errors()
        assert eventually(lambda: "GET /n 200" in server.errors())  # what was answered is logged


@BOTH
def test_a_stop_waits_for_no_client_that_goes_on_asking(kind: str) -> None:
    def ask_on(port: int) -> None:
        with closing(connect(port)) as connection, suppress(OSError):
            while _once(connection):
                pass

    def _once(connection: socket.socket) -> int:
        connection.sendall(b"GET /n HTTP/1.1\r\nHost: a\r\n\r\n")
        return receive(connection).status

    with running(kind) as server:  # the drain is long
        clients = [threading.Thread(target=ask_on, args=(server.port,)) for _ in range(16)]
        for client in clients:
            client.start()
        assert eventually(lambda: server.errors().count("GET /n 200") > 100)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        for client in clients:
            client.join()


def test_a_reader_that_takes_nothing_is_let_go_of_at_the_end(tmp_path: Path) -> None:
    note = tmp_path / "note"
    asked = f"GET /k?stream=2000 HTTP/1.1\r\nHost: a\r\nX-Tiny-Note: {note}\r\n\r\n"
    with (
        running("waitress", env={"TINY_DRAIN": "0.5"}) as server,
        closing(connect(server.port)) as connection,
    ):
        connection.sendall(asked.encode())
        connection.recv(1000)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert note.read_text() == "closed"


@BOTH
def test_signals_in_a_row_end_it_too(kind: str) -> None:
    """A handler that takes a lock would wait for itself."""
    with running(kind) as server:
        for number in [signal.SIGTERM, signal.SIGINT] * 20:
            server.process.send_signal(number)
        assert server.process.wait(PATIENCE) == 0


@BOTH
def test_under_load_no_request_that_was_seen_is_lost(kind: str) -> None:
    """What the log says was answered with 200 is what clients got."""
    answered = 0
    lock = threading.Lock()

    def load(port: int) -> None:
        nonlocal answered
        with suppress(ConnectionError):
            while True:
                with closing(connect(port)) as connection:
                    for _ in range(20):
                        connection.sendall(b"GET /load HTTP/1.1\r\nHost: a\r\n\r\n")
                        reply = receive(connection)
                        if not reply.status:
                            return
                        with lock:
                            answered += 1

    with running(kind) as server:
        clients = [threading.Thread(target=load, args=(server.port,)) for _ in range(4)]
        for client in clients:
            client.start()
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join()
        assert server.process.wait(PATIENCE) == 0
    seen = len(re.findall(r"GET /load 200", server.errors()))
    assert answered > 0
    assert seen == answered


def test_a_signal_while_workers_start_ends_them(tmp_path: Path) -> None:
    with running("granian", "6", str(tmp_path)) as server:  # ready when the first is
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0  # the drain is much longer


@BOTH
def test_a_terminals_end_is_nothing_to_who_was_told_to_ignore_it(kind: str) -> None:
    with running(kind, env={"TINY_NOHUP": "1"}) as server:
        before = server.workers(1)
        server.process.send_signal(signal.SIGHUP)
        assert server.workers(1) == before
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0


def test_workers_that_die_come_back_and_those_that_take_their_places_do() -> None:
    with running("granian", "2") as server:
        seen: set[int] = set()
        for _ in range(3):
            assert eventually(lambda: len(server.workers(2) - seen) == 2)
            now = server.workers(2)
            seen.update(now)
            for worker in now:
                os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: len(server.workers(2) - seen) == 2)
        assert server.process.poll() is None
        assert "worker 1 ended (killed by SIGKILL): another takes its place now" in server.errors()
        assert "another takes its place in 1 s" in server.errors()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0


def test_a_worker_that_cannot_take_anothers_place_is_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "fails"
    with running("granian", "2", env={"TINY_FAILS": str(file)}) as server:
        first, second = server.workers(2)
        file.write_text("no room")
        os.kill(first, signal.SIGKILL)
        words = "A worker cannot start, and is tried again: no room"
        assert eventually(lambda: server.errors().count(words) == 2)
        assert server.workers(1) == {second}
        file.unlink()
        assert eventually(lambda: len(server.workers(2) - {first}) == 2)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0


def test_a_server_of_which_nobody_is_left_says_why_once(tmp_path: Path) -> None:
    file = tmp_path / "fails"
    with running("granian", "2", env={"TINY_FAILS": str(file)}) as server:
        workers = server.workers(2)
        file.write_text("no room")
        os.kill(server.process.pid, signal.SIGSTOP)  # it finds both dead when it goes on
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        os.kill(server.process.pid, signal.SIGCONT)
        assert server.process.wait(PATIENCE) == 1
        assert eventually(lambda: "CannotServe: no room\n" in server.errors())
        assert server.errors().count("CannotServe: no room") == 1


def test_workers_that_die_before_one_has_served_end_the_server(tmp_path: Path) -> None:
    (tmp_path / "fails").touch()
    done = run(
        [sys.executable, "-m", "tests.tiny_mode", "granian", "0", "2"],
        cwd=ROOT,
        env={**os.environ, "TINY_FAILS": str(tmp_path / "fails")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stderr.count("A worker ended before it could serve (exit code 7).") == 1


def test_it_comes_back_at_once_and_later_each_time() -> None:
    comebacks = Comebacks()
    assert comebacks.left(0) is None
    assert [comebacks.died(0, 1.0, 100.0) for _ in range(8)] == [0, 1, 2, 4, 8, 16, 30, 30]
    assert comebacks.died(1, 1.0, 100.0) == 0, "each place has its own"
    assert (comebacks.due(100.0), comebacks.left(100.0), comebacks.due(129.9)) == ([1], 30.0, [])
    assert (comebacks.due(130.0), comebacks.left(130.0)) == ([0], None)
    assert comebacks.died(0, 60.0, 200.0) == 0, "it had been well"
    assert comebacks.died(0, 1.0, 201.0) == 1


@BOTH
def test_connections_leave_files_for_the_stores(kind: str) -> None:
    """Of 90 that may be open a third are connections; who comes then waits for one of them."""
    with running(kind, env={"TINY_FILES": "90"}) as server:
        idle = [connect(server.port) for _ in range(120)]
        for connection in idle[:10]:
            connection.sendall(b"GET /n HTTP/1.1\r\nHost: a\r\n\r\n")
            assert receive(connection).status == 200
        for connection in idle:
            connection.close()
        assert get(server.port, "/n").status == 200
        assert os.strerror(errno.EMFILE) not in server.errors()


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [((1024, 65536), 2048), ((1 << 20, 1 << 20), 2048), ((256, 1024), 640), ((90, 90), 30)],
)
def test_how_many_connections_there_may_be(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], wanted: int
) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    assert sockets.connections(2048, 32) == wanted


def test_as_many_files_are_asked_for_as_the_system_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    given: list[tuple[int, int]] = []

    def macos(_: int, limits: tuple[int, int]) -> None:
        if limits[0] > 10240:
            raise ValueError("invalid argument")
        given.append(limits)

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", macos)
    sockets.allow_many_files()
    assert given == [(10240, resource.RLIM_INFINITY)]


def test_waitress_rests_when_nothing_can_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        full = Full(listening)
        server = ChannelServer(_never, [full], [None], threads=1, max_body=1, limit=9)  # type: ignore[list-item]
        with closing(connect(listening.getsockname()[1])):
            server.loop.turn(PATIENCE)
            assert full.asked == 1
            server.loop.turn(0)
            assert full.asked == 1, "it is ready, and is left alone"
            now[0] += 0.6
            server.loop.turn(PATIENCE)
            assert full.asked == 2
        server.close()


def _never(environ: object, start: object) -> list[bytes]:
    raise AssertionError


class Full:
    """A listening socket of which nothing can be accepted."""

    def __init__(self, listening: socket.socket) -> None:
        self.listening, self.asked = listening, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.listening, name)

    def accept(self) -> None:
        self.asked += 1
        raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("workers", ["1", "3"])
def test_workers_that_cannot_start_are_not_spawned_again(tmp_path: Path, workers: str) -> None:
    (tmp_path / "file").touch()
    done = run(
        [sys.executable, "-m", "tests.tiny_mode", "granian", "0", workers, str(tmp_path / "file")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stderr.count("A worker cannot start: ") == 1
    assert 1 <= done.stderr.count("Traceback") <= int(workers) + 1  # and the parent's
    assert "Unexpected exit" not in done.stderr


def test_workers_end_with_their_parent() -> None:
    with running("granian") as server:
        (worker,) = server.workers(1)
        server.process.kill()

        def gone() -> bool:
            with suppress(ProcessLookupError):
                os.kill(worker, 0)
                return False
            return True

        assert eventually(gone)


@BOTH
def test_a_port_that_is_taken_is_said(servers: dict[str, Running], kind: str) -> None:
    for other in servers.values():
        done = run(
            [sys.executable, "-m", "tests.tiny_mode", kind, str(other.port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode != 0
        assert f"127.0.0.1:{other.port}: something else listens there already" in done.stderr


@BOTH
def test_several_addresses_are_served(kind: str) -> None:
    with running(kind, port="0,0") as server:
        assert [get(port, "/n").status for port in server.ports] == [200, 200]


@BOTH
@pytest.mark.skipif(not _has_ipv6(), reason="no IPv6 here")
def test_all_addresses_of_both_families_are_one_listener_or_two(kind: str) -> None:
    """And a client is known by the same address, whichever it came by."""

    def client(host: str, port: int) -> str:
        with closing(socket.create_connection((host, port), timeout=PATIENCE)) as connection:
            connection.sendall(b"GET /?client HTTP/1.1\r\nHost: a\r\n\r\n")
            return receive(connection).body.decode()

    with running(kind, port="[::]:0") as server:
        assert client("127.0.0.1", server.port) == "127.0.0.1"
        assert client("::1", server.port) == "::1"
        both = server.port
    with running(kind, port=f"127.0.0.1:{both},[::]:{both}") as server:
        assert client("127.0.0.1", both) == "127.0.0.1"
        assert client("::1", both) == "::1"


def test_metrics_add_up_over_workers(tmp_path: Path) -> None:
    with running("granian", "2", str(tmp_path)) as server:
        assert len(server.workers(2)) == 2
        for _ in range(20):
            get(server.port, "/counted?refuse")
        line = 'gateway_requests_total{method="GET",mode="tiny",operation="refuse",status="4xx"} 20'
        assert eventually(lambda: line in get(server.port, "/-/metrics").body.decode())


@BOTH
def test_health_answers(port: int) -> None:
    assert get(port, "/-/health/live").body == b"ok\n"
    assert get(port, "/-/health/ready").status == 200
    assert get(port, "/-/other").status == 404


@BOTH
def test_both_speak_tls(tmp_path: Path, kind: str) -> None:
    _certificate(tmp_path)
    with running(kind, "1", "", str(tmp_path)) as server:
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        with context.wrap_socket(connect(server.port), server_hostname="localhost") as secure:
            secure.sendall(b"GET /n HTTP/1.1\r\nHost: a\r\n\r\n")
            assert receive(secure).body == b"tiny GET /n"


def _certificate(folder: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
