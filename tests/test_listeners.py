"""Several listeners on both servers, their certificates by name, and how they change."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.common.x509 import CannotUse
from gateway.servers import certificates, socket_folders
from gateway.servers.certificates import CertificateFiles, FileCertificates, by_name, described
from gateway.servers.socket_folders import socket_folder
from gateway.servers.tls_front import TLSFront
from gateway.servers.tls_socket import TLSSocket, wrapped
from gateway.testing.certificates import certificate
from tests.stopping import stop
from tests.test_servers import BOTH, PATIENCE, Reply, connect, eventually, get, receive, running
from tests.tiny_mode import PIECE

posix = pytest.mark.skipif(sys.platform == "win32", reason="granian and signals: POSIX")
not_for_windows = pytest.mark.skipif(sys.platform == "win32", reason="granian is not for Windows")
real = pytest.mark.usefixtures("sockets", "processes")


def made(folder: Path, name: str, days: int = 2) -> Path:
    """A folder with `cert.pem` and `key.pem` for that name; in place of those that are there."""
    target = folder / name.replace("*", "any")
    target.mkdir(exist_ok=True)
    files = certificate(folder, name, days)
    for file, known in zip(files, ("cert.pem", "key.pem"), strict=True):
        file.replace(target / known)
    return target


def files(folder: Path) -> CertificateFiles:
    return CertificateFiles(folder / "cert.pem", folder / "key.pem")


@contextmanager
def secure(
    port: int,
    trusted: Path,
    name: str | None,
    newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> Iterator[ssl.SSLSocket]:
    """A connection to who has that certificate, for `name`; None: none is asked for."""
    context = ssl.create_default_context(cafile=str(trusted / "cert.pem"))
    context.maximum_version = newest
    context.check_hostname = name is not None
    with context.wrap_socket(connect(port), server_hostname=name) as connection:
        yield connection


def ask(
    port: int,
    trusted: Path,
    name: str | None,
    target: str = "/n",
    newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> Reply:
    with secure(port, trusted, name, newest) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        return receive(connection)


def refused(port: int, trusted: Path, name: str | None) -> bool:
    try:
        ask(port, trusted, name)
    except ssl.SSLCertVerificationError:
        return True
    return False


# which certificate


@pytest.fixture
def table(tmp_path: Path) -> FileCertificates:
    names = ("first.test", "*.zone.test", "deep.zone.test")
    return FileCertificates([files(made(tmp_path, name)) for name in names])


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("first.test", 0),
        ("a.zone.test", 1),
        ("deep.zone.test", 2),
        ("a.deep.zone.test", 0),
        ("zone.test", 0),
        ("other.test", 0),
        ("test", 0),
        ("", 0),
    ],
)
def test_a_name_gets_its_certificate_and_any_other_the_first(
    table: FileCertificates, name: str, number: int
) -> None:
    assert table.for_name(name) is table.all[number].context


def test_a_certificate_says_its_names_and_its_end(tmp_path: Path) -> None:
    (one,) = FileCertificates([files(made(tmp_path, "first.test", days=9))]).all
    assert one.names == ("first.test",)
    assert abs(one.expires - datetime.now(UTC) - timedelta(days=9)) < timedelta(minutes=5)
    assert described(one).startswith(f"first.test until {one.expires:%Y-%m-%d} (")


def test_one_that_has_changed_is_taken_when_it_is_written_to_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "INTERVAL", 3600)  # the looks are the test's
    folder = made(tmp_path, "first.test")
    table = FileCertificates([files(folder)])
    taken: list[object] = []
    table.watch(taken.append)
    before = table.all[0]
    table.look()
    assert table.all[0] is before
    made(tmp_path, "second.test")
    (tmp_path / "second.test" / "cert.pem").replace(folder / "cert.pem")
    table.look()  # the key is still to come
    (tmp_path / "second.test" / "key.pem").replace(folder / "key.pem")
    table.look()
    assert table.all[0] is before and not caplog.records
    with caplog.at_level("INFO"):
        table.look()
    assert "has changed: second.test until" in caplog.text
    assert table.all[0].names == ("second.test",)
    assert table.for_name("second.test") is table.for_name("") is table.all[0].context
    assert taken == table.all
    table.look()
    assert len(taken) == 1


@pytest.mark.parametrize("spoil", ["other key", "no certificate", "gone"])
def test_one_that_cannot_be_used_is_said_once_and_the_one_before_it_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: str
) -> None:
    folder = made(tmp_path, "first.test")
    table = FileCertificates([files(folder)])
    before = table.all[0]
    if spoil == "other key":
        (made(tmp_path, "second.test") / "key.pem").replace(folder / "key.pem")
    elif spoil == "no certificate":
        (folder / "cert.pem").write_text("none")
    else:
        (folder / "cert.pem").unlink()
    for _ in range(4):
        table.look()
    assert table.all[0] is before
    (said,) = caplog.records
    assert "the one before it is kept" in said.message and str(folder) in said.message
    made(tmp_path, "first.test")
    table.look()
    table.look()
    assert table.all[0] is not before
    (folder / "key.pem").write_text("none")
    with pytest.raises(CannotUse, match="cannot be used with the key"):
        FileCertificates([files(folder)])


def shake_hands(server: ssl.SSLContext, trusted: Path, name: str) -> None:
    """In memory; raises what the client or the server gets."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(trusted / "cert.pem"))
    ends = (
        context.wrap_bio(back, there, server_hostname=name),
        server.wrap_bio(there, back, server_side=True),
    )
    for end in ends * 3:
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()


def test_each_handshake_asks_what_it_gets(tmp_path: Path) -> None:
    class Those:
        def for_name(self, name: str) -> ssl.SSLContext | None:
            return now.get(name)

    first, second = made(tmp_path, "first.test"), made(tmp_path, "second.test")
    now = {"first.test": FileCertificates([files(first)]).all[0].context}
    context = by_name(Those())
    shake_hands(context, first, "First.test")
    with pytest.raises(ssl.SSLError, match=r"(?i)callback|unrecognized"):
        shake_hands(context, second, "second.test")
    now["second.test"] = FileCertificates([files(second)]).all[0].context
    shake_hands(context, second, "second.test")


@pytest.mark.usefixtures("sockets")
def test_after_its_end_tls_neither_sends_nor_takes_plain_text(tmp_path: Path) -> None:
    """Though threads that serve may still have something to send."""
    folder = made(tmp_path, "first.test")
    trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    here, there = socket.socketpair()
    here.setblocking(False)
    server = wrapped(by_name(FileCertificates([files(folder)])), here)
    tls, got = TLSSocket(server), list[bytes]()

    def ask() -> None:
        with trust.wrap_socket(there, server_hostname="first.test") as client:
            client.sendall(b"a request")
            with client.unwrap() as plain:
                plain.sendall(b"plain text")
                while got[-1:] != [b""]:
                    got.append(plain.recv(100))

    asking = threading.Thread(target=ask)
    asking.start()
    found: list[bytes] = []

    def taken() -> bool:
        record = tls.receive()
        found.extend([] if record is None else [record])
        return record == b""

    assert eventually(taken)
    assert found == [b"a request", b""]
    tls.say_end()
    assert (tls.send(b"an answer"), tls.receive()) == (0, b"")
    tls.say_end()
    server.shutdown(socket.SHUT_WR)
    asking.join()
    server.close()
    assert got == [b""]


@contextmanager
def fronting(folder: Path) -> Iterator[tuple[TLSFront, int, socket.socket]]:
    """A front that runs, its port, and what listens behind it."""
    with socket_folder() as short, socket.socket(socket.AF_UNIX) as behind:
        path = Path(short) / "behind"
        behind.bind(str(path))
        behind.listen()
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        context = by_name(FileCertificates([files(folder)]))
        front = TLSFront(listening, context, path, patience=PATIENCE, limit=9)
        front.start()
        yield front, port, behind
        front.stop()
        assert front.ended.wait(PATIENCE)


@posix
@pytest.mark.usefixtures("sockets")
def test_who_is_refused_gets_the_answer_whatever_is_still_sent(tmp_path: Path) -> None:
    folder = made(tmp_path, "first.test")
    with fronting(folder) as (_, port, behind), secure(port, folder, "first.test") as client:
        sent = threading.Thread(target=client.sendall, args=(bytes(16 << 20),))
        sent.start()
        inner, _ = behind.accept()
        assert inner.recv(1) == b"\0"
        inner.sendall(b"no")
        inner.close()
        sent.join()
        assert client.recv(9) == b"no"
        assert client.recv(9) == b""


@posix
@pytest.mark.usefixtures("sockets")
def test_a_request_whose_client_has_gone_is_nobodys_and_refused(tmp_path: Path) -> None:
    """It may have been read before, and be begun after."""
    folder = made(tmp_path, "first.test")
    with fronting(folder) as (front, port, behind):
        asked: list[str] = []
        said: list[str] = []

        def app(environ: dict[str, Any], start: Any) -> list[bytes]:
            asked.append(environ["REMOTE_ADDR"])
            start("200 OK", [])
            return []

        front._numbers = count(1 << 40)
        with secure(port, folder, "first.test") as client:
            client.sendall(b"GET")
            inner, _ = behind.accept()
            assert inner.recv(3) == b"GET"
            told, peer = front.told(app), inner.getpeername()
            assert len(peer) == len(behind.getsockname()) + len("-00000000")
            told({"REMOTE_ADDR": peer}, lambda status, _: said.append(status))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(OSError):  # the front has seen it already
            inner.sendall(b"an answer")
        assert eventually(lambda: not front.clients)
        told({"REMOTE_ADDR": peer}, lambda status, _: said.append(status))
        assert (asked, said) == (["127.0.0.1"], ["200 OK", "400 Bad Request"])
        inner.close()


@real
@BOTH
def test_who_shakes_no_hands_is_closed_and_not_told_of(tmp_path: Path, kind: str) -> None:
    """Neither who takes too long, nor who asks for a name that is none."""
    first, zone = made(tmp_path, "first.test"), made(tmp_path, "*.zone.test")
    said, hello = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(first / "cert.pem"))
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(said, hello, server_hostname="first.test").do_handshake()
    written = hello.read()
    environment = {"TINY_HEADER_TIMEOUT": "1"}
    with running(kind, "1", "", f"{first}+{zone}", env=environment) as server:
        with connect(server.port) as connection:
            connection.sendall(written.replace(b"first.test", b"f\xffrst.test"))
            assert connection.recv(1) != b"\x16", "a handshake went on"
        with connect(server.port) as connection:
            connection.settimeout(30)  # idle connections have 60
            connection.sendall(written[:50])
            with suppress(ConnectionResetError):
                assert connection.recv(9) == b""
        assert ask(server.port, first, "first.test").status == 200
        assert "ignored" not in server.errors()


@posix
@real
def test_a_long_path_of_temporary_files_is_left_for_a_shorter_one(tmp_path: Path) -> None:
    first, zone = made(tmp_path, "first.test"), made(tmp_path, "*.zone.test")
    long = tmp_path / ("t" * 100)
    long.mkdir()
    folders = f"{first}+{zone}"
    with running("granian", "1", "", folders, env={"TMPDIR": str(long)}) as server:
        assert ask(server.port, first, "first.test").status == 200


def test_paths_of_sockets_have_room_for_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("t" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr(socket_folders, "_USUAL", (str(tmp_path / "none"),))
    with pytest.raises(OSError, match="too long"):
        socket_folder()


# real servers


@real
@BOTH
def test_one_listener_has_tls_and_another_has_not(tmp_path: Path, kind: str) -> None:
    folder = made(tmp_path, "first.test")
    with running(kind, "1", "", f"{folder},", port="0,0") as server:
        plain = json.loads(get(server.ports[1], "/?environ").body)
        with_tls = json.loads(ask(server.ports[0], folder, "first.test", "/?environ").body)
    for found, port, scheme in (
        (with_tls, server.ports[0], "https"),
        (plain, server.ports[1], "http"),
    ):
        assert (found["SERVER_PORT"], found["wsgi.url_scheme"]) == (str(port), scheme)
        assert found["REMOTE_ADDR"] == found["gateway.client"] == "127.0.0.1"
    told = with_tls.get("gateway.tls_version"), plain.get("gateway.tls_version")
    assert told == ("1.3" if kind == "waitress" else None, None)


@real
@BOTH
def test_a_listener_shows_the_certificate_of_the_name(tmp_path: Path, kind: str) -> None:
    first, zone = made(tmp_path, "first.test"), made(tmp_path, "*.zone.test")
    with running(kind, "2", "", f"{first}+{zone},{zone}", port="0,0") as server:
        port, other = server.ports
        assert ask(port, first, "first.test").status == 200
        assert ask(port, zone, "a.zone.test").status == 200
        assert ask(port, first, None).status == 200
        assert refused(port, zone, "first.test")
        assert ask(other, zone, "b.zone.test").status == 200
        found = json.loads(ask(port, zone, "a.zone.test", "/?environ").body)
        old = ask(port, zone, "a.zone.test", "/?environ", ssl.TLSVersion.TLSv1_2)
    versions = found["gateway.tls_version"], json.loads(old.body)["gateway.tls_version"]
    assert versions == ("1.3", "1.2")
    assert (found["SERVER_PORT"], found["wsgi.url_scheme"]) == (str(port), "https")
    assert found["REMOTE_ADDR"] == found["gateway.client"] == "127.0.0.1"


SEVERAL = pytest.mark.parametrize("several", [False, True], ids=["one", "several"])


@real
@BOTH
@SEVERAL
def test_long_bodies_pass_both_ways(tmp_path: Path, kind: str, several: bool) -> None:
    first, zone = made(tmp_path, "first.test"), made(tmp_path, "*.zone.test")
    with (
        running(kind, "1", "", f"{first}+{zone}" if several else str(first)) as server,
        secure(server.port, first, "first.test") as connection,
    ):
        for pieces in (1, 100):
            size = pieces * len(PIECE)
            head = f"PUT /?read HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
            connection.sendall(head.encode())
            for _ in range(pieces):
                connection.sendall(PIECE)
            assert receive(connection).body == str(size).encode()
            connection.sendall(f"GET /?stream={pieces} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            reply = receive(connection)
            assert reply.complete and reply.body == PIECE * pieces


class Clients:
    """Some who ask one request after the other, on connections that they keep, and on new ones."""

    def __init__(self, port: int, folders: list[Path]) -> None:
        self._port, self._stop = port, threading.Event()
        self._contexts = [self._context(folders), self._context(folders)]
        self.failures: list[str] = []
        self.answers = 0
        self._threads = [
            threading.Thread(target=self._run, args=(keep,)) for keep in (True, True, False, False)
        ]

    @staticmethod
    def _context(folders: list[Path]) -> ssl.SSLContext:
        context = ssl.create_default_context()
        for one in folders:
            context.load_verify_locations(one / "cert.pem")
        context.check_hostname = False
        return context

    def __enter__(self) -> Clients:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._threads:
            one.join()

    def _run(self, keep: bool) -> None:
        while not self._stop.is_set():
            with self._contexts[0].wrap_socket(
                connect(self._port), server_hostname="first.test"
            ) as connection:
                fresh = True
                while not self._stop.wait(0.005) and (keep or fresh):
                    if not self._asked(connection):
                        if fresh:  # else it was idle, and clients begin another
                            self.failures.append("no answer")
                        break
                    fresh = False

    def _asked(self, connection: ssl.SSLSocket) -> bool:
        try:
            connection.sendall(b"GET /n HTTP/1.1\r\nHost: a\r\n\r\n")
            reply = receive(connection)
        except OSError:
            return False
        if reply.status == 0 and not reply.body:
            return False
        if not reply.complete or reply.body != b"tiny GET /n":
            self.failures.append(repr(reply))
        self.answers += 1
        return reply.headers.get("connection") != "close"


def _seen(port: int, trusted: Path, name: str, workers: set[bytes]) -> int:
    workers.add(ask(port, trusted, name, "/?pid").body)
    return len(workers)


@real
@pytest.mark.parametrize(
    ("kind", "several"),
    [
        pytest.param("granian", False, marks=not_for_windows),
        pytest.param("granian", True, marks=not_for_windows),
        ("waitress", True),  # of one it does the same
    ],
)
def test_a_certificate_is_replaced_under_load(tmp_path: Path, kind: str, several: bool) -> None:
    """And one that cannot be used is not, and said."""
    first, zone = made(tmp_path, "first.test"), made(tmp_path, "*.zone.test")
    new = made(tmp_path, "new.test")
    old = made(tmp_path, "copy.test")
    for name in ("cert.pem", "key.pem"):
        (old / name).write_bytes((first / name).read_bytes())
    folders = f"{first}+{zone}" if several else str(first)
    with (
        running(kind, "2", "", folders, env={"TINY_LOOK": "0.3"}) as server,
        Clients(server.port, [old, new]) as clients,
    ):
        workers, seen = 2 if kind == "granian" else 1, set[bytes]()
        assert eventually(lambda: _seen(server.port, old, "first.test", seen) == workers)
        (first / "cert.pem").write_text("none")
        assert eventually(lambda: server.errors().count("the one before it is kept") == workers)
        assert ask(server.port, old, "first.test").status == 200
        for name in ("cert.pem", "key.pem"):
            (first / name).write_bytes((new / name).read_bytes())
        renewed = set[bytes]()

        def by_all() -> bool:
            with suppress(ssl.SSLCertVerificationError):
                return _seen(server.port, new, "new.test", renewed) == workers
            return False

        assert eventually(by_all)
        assert refused(server.port, old, None)
        for _ in range(10):
            assert ask(server.port, new, "new.test").status == 200
        answers = clients.answers
        assert eventually(lambda: clients.answers > answers + 50)
        assert not clients.failures


@real
@BOTH
def test_a_stop_waits_for_answers_over_tls(tmp_path: Path, kind: str) -> None:
    first, zone = made(tmp_path, "first.test"), made(tmp_path, "*.zone.test")
    with running(kind, "1", "", f"{first}+{zone}") as server:
        with (
            secure(server.port, first, "first.test") as idle,
            secure(server.port, first, "first.test") as busy,
        ):
            idle.sendall(b"GET /n HTTP/1.1\r\nHost: a\r\n\r\n")
            assert receive(idle).status == 200
            busy.sendall(b"GET /?stream=400 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert busy.recv(10)
            stop(server.process)
            rest = receive_rest(busy)
            assert rest > 400 * len(PIECE)
            assert receive_rest(idle) == 0
        assert server.process.wait(PATIENCE) == 0


def receive_rest(connection: socket.socket) -> int:
    size = 0
    while piece := connection.recv(1 << 16):
        size += len(piece)
    return size


@pytest.mark.skipif(sys.platform != "linux", reason="granian's watch needs TCP_INFO")
@real
@BOTH
@SEVERAL
def test_who_stands_still_behind_tls_is_cut(tmp_path: Path, kind: str, several: bool) -> None:
    first, zone = made(tmp_path, "first.test"), made(tmp_path, "*.zone.test")
    folders, note = f"{first}+{zone}" if several else str(first), tmp_path / "note"
    with (
        running(kind, "1", "", folders, env={"TINY_BODY_TIMEOUT": "1"}) as server,
        secure(server.port, first, "first.test") as reader,
        secure(server.port, first, "first.test") as writer,
    ):
        head = f"GET /?stream=2000 HTTP/1.1\r\nHost: a\r\nX-Tiny-Note: {note}\r\n\r\n"
        reader.sendall(head.encode())
        writer.sendall(b"PUT /?read HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n" + PIECE)
        assert eventually(note.exists)
        with suppress(OSError):  # an alert, or cut in the middle of a record
            assert receive_rest(reader) < 2000 * len(PIECE)
        with suppress(ConnectionError, ssl.SSLError):
            assert receive(writer).body != b"9000000"
        assert ask(server.port, first, "first.test").status == 200
