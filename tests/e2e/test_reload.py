"""The configuration is read again while clients are busy: none of them notices, all workers
follow, and what is wrong is refused while the old one goes on.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.commands import control
from tests.e2e.conftest import SECRET, Running, environment, serving, workers_of
from tests.e2e.raw import GUARD, KIB, ask, eventually, log_of, signed
from tests.starting import run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, and granian")
SERVERS = [
    pytest.param(("--server", "granian", "--workers", "2"), id="granian"),
    pytest.param(("--server", "waitress"), id="waitress"),
]
BOTH = pytest.mark.parametrize("server", SERVERS)

KEY = '[[keys]]\nid = "{0}"\nsecret = "{1}"\naccess = "admin"\n'
SERVICE = '[services.{0}]\ndriver = "local"\n'
MANY = 12
"""New connections by which every worker is met: of two, each gets none once in 2,000 times."""


def write(gateway: Running, text: str) -> None:
    (gateway.folder / "gateway.toml").write_text(text, encoding="utf-8")


def command(gateway: Running, *words: str) -> tuple[int, str, str]:
    done = run(
        [sys.executable, "-m", "gateway", *words, "--config", str(gateway.folder / "gateway.toml"),
         "--data", str(gateway.folder / "data")],
        env=environment(), capture_output=True, text=True, timeout=60, cwd=gateway.folder,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def reload(gateway: Running) -> tuple[int, str, str]:
    return command(gateway, "reload")


def tell(gateway: Running) -> str:
    """The same, without a process of its own: why it was refused."""
    (said,) = control.reload(gateway.folder / "data")
    return said.reason


class Client:
    """Puts and gets on one connection, until it is told to stop; nothing may go wrong."""

    def __init__(self, gateway: Running, number: int) -> None:
        self._gateway, self._number, self.stop = gateway, number, False
        self.done, self.wrong = 0, list[str]()

    def run(self) -> None:
        connection = HTTPConnection(urlsplit(self._gateway.url).netloc, timeout=GUARD)
        connection.auto_open = 1
        try:
            while not self.stop:
                target = f"/kept/{self._number}-{self.done}"
                body = os.urandom(KIB)
                self._ask(connection, "PUT", target, body)
                if self._ask(connection, "GET", target) != body:
                    self.wrong.append(f"{target}: other bytes")
                self.done += 1
        except Exception as error:  # whatever it is, the test shows it
            self.wrong.append(repr(error))
        finally:
            connection.close()

    def _ask(
        self, connection: HTTPConnection, method: str, target: str, body: bytes = b""
    ) -> bytes:
        headers = signed(self._gateway.url, method, target, {"Content-Length": str(len(body))})
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        if answer.status != 200 or answer.will_close:
            self.wrong.append(f"{method} {target}: {answer.status} {answer.will_close}")
        return answer.read()


@contextmanager
def load(gateway: Running) -> Iterator[list[Client]]:
    """On kept connections, beside the block."""
    clients = [Client(gateway, number) for number in range(4)]
    threads = [threading.Thread(target=one.run) for one in clients]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: all(one.done > 5 or one.wrong for one in clients), "load")
        yield clients
    finally:
        for one in clients:
            one.stop = True
        for thread in threads:
            thread.join()
    assert [one.wrong for one in clients] == [[]] * len(clients)


@BOTH
def test_no_request_is_lost_and_all_workers_follow(tmp_path: Path, server: tuple[str, ...]) -> None:
    kept = SERVICE.format("kept")
    with serving(tmp_path, *server, config=kept + KEY.format("first", "secret-1")) as gateway:
        assert ask(gateway.url, "GET", "/kept", key="first", secret="secret-1").status == 200
        with load(gateway):
            for number in (2, 3):
                new = f"new-{number}"
                write(gateway, kept + SERVICE.format(new) + KEY.format(new, f"secret-{number}"))
                assert tell(gateway) == ""
                for _ in range(MANY):
                    secret = f"secret-{number}"
                    assert ask(gateway.url, "GET", f"/{new}", key=new, secret=secret).status == 200
                    before = f"new-{number - 1}" if number > 2 else "first"
                    secret = f"secret-{number - 1}"
                    gone = ask(gateway.url, "GET", "/kept", key=before, secret=secret)
                    assert (gone.status, gone.code) == (403, "InvalidAccessKeyId")
                    assert number == 2 or ask(gateway.url, "GET", f"/{before}").status == 404
        assert log_of(gateway).count("the configuration was read again") == 2


@BOTH
def test_a_bad_file_is_refused_with_all_its_problems(
    tmp_path: Path, server: tuple[str, ...]
) -> None:
    good = SERVICE.format("kept") + KEY.format("mine", "secret")

    def serves() -> bool:
        answers = [ask(gateway.url, "GET", "/kept", key="mine", secret="secret") for _ in range(6)]
        return {one.status for one in answers} == {200}

    with serving(tmp_path, *server, config=good) as gateway:
        write(gateway, '[servces.a]\n[services.kept]\ndriver = "locl"\n')
        code, out, told = reload(gateway)
        _, _, checked = command(gateway, "check")
        assert "2 problems in " in checked and 'Did you mean "local"?' in checked
        assert (code, out) == (1, "")
        assert told == checked + "The gateway goes on with the configuration that it had.\n"
        assert checked.removeprefix("gateway: ").rstrip() in log_of(gateway)
        write(gateway, "[server\n")
        assert "not TOML" in tell(gateway)
        assert serves()
        # What can only be found by opening it, in each worker.
        write(gateway, good + SERVICE.format("wrong") + 'folder = "gateway.toml/below"\n')
        assert "services.wrong: cannot be opened: " in tell(gateway)
        assert serves()
        assert ask(gateway.url, "GET", "/wrong").status == 404
        write(gateway, good + SERVICE.format("new"))
        file = gateway.folder / "gateway.toml"
        assert reload(gateway) == (
            0, f"The configuration {file} was read again, and is served now.\n", "",
        )  # fmt: skip
        assert {ask(gateway.url, "GET", "/new").status for _ in range(MANY)} == {200}
        if "granian" in server:
            who_comes_later_has_it_too(gateway)


def who_comes_later_has_it_too(gateway: Running) -> None:
    """A worker that takes a dead one's place, whatever the file says by then."""
    write(gateway, "[server\n")
    found = workers_of(gateway)
    assert len(found) == 2
    for worker in found:
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: answers(gateway), "they come back")
    assert {ask(gateway.url, "GET", "/new").status for _ in range(MANY)} == {200}


def answers(gateway: Running) -> bool:
    try:
        return ask(gateway.url, "GET", "/new").status == 200
    except OSError:
        return False


@BOTH
def test_what_is_in_memory_stays(tmp_path: Path, server: tuple[str, ...]) -> None:
    """There is no data folder by which it could be found: it is told by a signal."""
    scratch = '[services.scratch]\ndriver = "memory"\n'
    with serving(tmp_path, "--memory", *server, config=scratch + KEY.format("a", "s")) as gateway:
        assert ask(gateway.url, "PUT", "/made").status == 200
        for target in ("/made/k", "/scratch/k"):
            assert ask(gateway.url, "PUT", target, body=b"kept").status == 200
        write(gateway, scratch + 'quota = "1MiB"\n' + SERVICE.format("new"))
        hang_up(gateway, "the configuration was read again")
        assert ask(gateway.url, "GET", "/new").status == 200
        assert ask(gateway.url, "GET", "/scratch/k", key="a", secret="s").status == 403
        for target in ("/made/k", "/scratch/k"):
            assert ask(gateway.url, "GET", target).body == b"kept"
        write(gateway, "[server]\nthreads = 5\n")
        hang_up(gateway, "server.threads: it was changed, which needs a restart")
        assert ask(gateway.url, "GET", "/made/k").body == b"kept"
        done = run(
            [sys.executable, "-m", "gateway", "reload"],
            env=environment() | {"GATEWAY_CONFIG": os.devnull, "HOME": str(tmp_path)},
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1 and "No gateway runs with the data folder" in done.stderr


def hang_up(gateway: Running, words: str) -> None:
    before = log_of(gateway).count(words)
    gateway.process.send_signal(signal.SIGHUP)
    eventually(lambda: log_of(gateway).count(words) > before, words)


@BOTH
def test_what_has_begun_ends_well_and_who_waits_is_answered(
    tmp_path: Path, server: tuple[str, ...]
) -> None:
    """Of a service that is there no more, and by a key that is."""
    text = SERVICE.format("gone") + KEY.format("mine", SECRET)
    size = 24 << 20
    with serving(tmp_path, *server, config=text) as gateway:
        assert ask(gateway.url, "PUT", "/gone/k", body=bytes(size)).status == 200
        reading = HTTPConnection(urlsplit(gateway.url).netloc, timeout=GUARD)
        reading.request("GET", "/gone/k", headers=signed(gateway.url, "GET", "/gone/k"))
        answer = reading.getresponse()
        waiting = HTTPConnection(urlsplit(gateway.url).netloc, timeout=GUARD)
        target = "/syncnext?sid=gone&syncid=1&wait=60"
        waiting.request("GET", target, headers={"x-owncdn-key": SECRET})
        write(gateway, "")
        assert tell(gateway) == ""
        assert waiting.getresponse().status == 200
        waiting.close()
        assert {ask(gateway.url, "GET", "/gone/k").status for _ in range(MANY)} == {404}
        assert len(answer.read()) == size
        reading.close()


@BOTH
def test_the_end_of_its_terminal_is_a_stop(tmp_path: Path, server: tuple[str, ...]) -> None:
    """And SIGHUP before that is not."""
    import pty  # not on Windows

    (tmp_path / "gateway.toml").write_text("")
    words = [sys.executable, "-m", "gateway", "serve", "--memory", "--listen", "127.0.0.1:0"]
    child, terminal = pty.fork()
    if not child:
        os.chdir(tmp_path)
        os.execve(sys.executable, [*words, *server], environment())
    said = Said(terminal)
    eventually(lambda: "listening" in said.text, "it listens")
    os.kill(child, signal.SIGHUP)
    eventually(lambda: "the configuration was read again" in said.text, "it was read again")
    said.close()
    ended: list[int] = []

    def gone() -> bool:
        pid, status = os.waitpid(child, os.WNOHANG)
        ended.append(status)
        return pid == child

    eventually(gone, "it ends")
    assert ended[-1] == 0


class Said:
    """What comes at a terminal. It is closed by who reads it: else that keeps it open."""

    def __init__(self, terminal: int) -> None:
        self.text, self._terminal, self._closing = "", terminal, False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._thread.join()

    def _read(self) -> None:
        while not self._closing:
            if select.select([self._terminal], [], [], 0.05)[0]:
                try:
                    self.text += os.read(self._terminal, 4096).decode(errors="replace")
                except OSError:  # nobody has it open any more
                    break
        os.close(self._terminal)


def test_a_process_that_died_leaves_nothing_that_is_in_the_way(tmp_path: Path) -> None:
    with serving(tmp_path, "--server", "waitress", config=SERVICE.format("kept")) as gateway:
        folder = gateway.folder / "data" / "control"
        (folder / "left").write_text("1 token")
        assert tell(gateway) == ""
        assert len([*folder.iterdir()]) == 1
    assert [*folder.iterdir()] == []
    code, _, told = reload(gateway)
    assert code == 1
    assert re.match(r"gateway: No gateway runs with the data folder \S+\. Did you", told)
