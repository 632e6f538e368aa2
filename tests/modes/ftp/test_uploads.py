"""An upload is there when all of it has come, or nothing of it is: whoever ends it, and how."""

from __future__ import annotations

import io
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from gateway.access.access import Access
from gateway.modes.ftp import data as data_connections
from gateway.storage import Full, Put, Readable
from tests.e2e.raw import eventually
from tests.modes.ftp.served import Plain, Served

PIECE = b"x" * 300_000


def reset(connection: socket.socket) -> None:
    form = "hh" if sys.platform == "win32" else "ii"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
    connection.close()


def died(plain: Plain, data: socket.socket) -> None:
    """As the system closes what a process had."""
    plain.close()
    data.close()


def cut(plain: Plain, data: socket.socket) -> None:
    reset(data)
    assert plain.reply()[:3] == "426"
    assert plain.say("NOOP")[:3] == "200"


def aborted(plain: Plain, data: socket.socket) -> None:
    plain.socket.sendall(b"\xff\xf4\xff\xf2ABOR\r\n")
    assert (plain.reply()[:3], plain.reply()[:3]) == ("426", "226")
    assert plain.say("NOOP")[:3] == "200"
    data.close()


def aborted_with_the_last_byte_urgent(plain: Plain, data: socket.socket) -> None:
    plain.socket.sendall(b"ABOR\r\n", socket.MSG_OOB)
    assert (plain.reply()[:3], plain.reply()[:3]) == ("426", "226")
    data.close()


def aborted_behind_others(plain: Plain, data: socket.socket) -> None:
    plain.socket.sendall(b"NOOP\r\nABOR\r\n")
    assert [plain.reply()[:3] for _ in range(3)] == ["426", "226", "200"]
    data.close()


def aborted_once_all_was_sent(plain: Plain, data: socket.socket) -> None:
    plain.send("ABOR")
    data.close()
    assert (plain.reply()[:3], plain.reply()[:3]) == ("426", "226")


ENDS: tuple[Callable[[Plain, socket.socket], None], ...] = (
    died,
    cut,
    aborted,
    aborted_with_the_last_byte_urgent,
    aborted_behind_others,
    aborted_once_all_was_sent,
)


@pytest.fixture(params=["STOR", "APPE", "REST 5242880\r\nSTOR"])
def command(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("end", ENDS)
def test_what_breaks_off_leaves_all_as_it_was(
    served: Served, command: str, end: Callable[[Plain, socket.socket], None]
) -> None:
    before = None if command == "STOR" else b"a" * (5 << 20)
    if before is not None:
        served.put("file", before)
    plain = served.plain().login("storage.1")
    data = plain.data()
    plain.send(f"{command} file")
    if "REST" in command:
        plain.reply()
    assert plain.reply()[:3] == "150"
    data.sendall(PIECE)
    end(plain, data)
    eventually(lambda: any(one.aborted for one in served.noted), "it broke off")
    assert (served.read("file"), served.uploads()) == (before, 0)
    (record,) = (one for one in served.noted if one.aborted)
    assert (record.method, record.status, record.key) == (command[-4:], 400, "file")


def test_a_client_that_died_with_its_data_first_has_said_no_end(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_connections, "GRACE", 10.0)
    plain = served.plain().login("storage.1")
    data = plain.data()
    assert plain.say("STOR file")[:3] == "150"
    data.sendall(PIECE)
    data.close()
    time.sleep(0.1)  # it is seen, and the other one is waited for
    plain.close()
    eventually(lambda: served.noted[-1].aborted, "it broke off")
    assert served.read("file") is None


def test_fewer_bytes_than_were_announced_are_no_file(served: Served) -> None:
    plain = served.plain().login("storage.1")
    for announced, code, stored in ((4, "550", None), (3, "226", b"abc"), (2, "226", b"abc")):
        assert plain.say(f"ALLO {announced}")[:3] == "200"
        data = plain.data()
        assert plain.say("STOR file")[:3] == "150"
        data.sendall(b"abc")
        data.close()
        assert (plain.reply()[:3], served.read("file")) == (code, stored)
    data = plain.data()  # it was said of the one before
    plain.say("STOR file")
    data.close()
    assert (plain.reply()[:3], served.read("file")) == ("226", b"")


def test_an_end_by_tls_is_signed(secured: Served) -> None:
    """Whoever cuts the connection, or is cut, has not said that it was all."""
    for says_end, code, stored in ((False, "426", None), (True, "226", PIECE)):
        client = secured.secure("storage.1")
        data, _ = client.ntransfercmd("STOR file")
        assert isinstance(data, ssl.SSLSocket)
        data.sendall(PIECE)
        if says_end:
            data.unwrap()
        data.close()
        assert (client.getline()[:3], secured.read("file")) == (code, stored)


def test_a_client_that_reads_nothing_by_tls_loses_nothing(secured: Served) -> None:
    """Go's does not, and closes: had it been sent a ticket, its system would throw away what it
    has not sent yet (RFC 1122 §4.2.2.13)."""
    client, body = secured.secure("storage.1"), PIECE * 20
    host, port = client.makepasv()
    with socket.create_connection((host, port)) as data:
        assert client.sendcmd("STOR file")[:3] == "150"
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = secured.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        while tls.version() is None:
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            data.sendall(outgoing.read())
            if tls.version() is None:
                incoming.write(data.recv(1 << 16))
        tls.write(body)
        with suppress(ssl.SSLWantReadError):
            tls.unwrap()
        data.sendall(outgoing.read())
    assert (client.getline()[:3], secured.read("file")) == ("226", body)


def test_what_was_changed_meanwhile_stays(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def noted(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            begun.set()
            return change(*given, **more)

        return call

    for name in ("put", "put_part"):
        monkeypatch.setattr(Access, name, noted(getattr(Access, name)))
    for size in (10, 6 << 20):
        served.put("file", b"a" * size)
        begun.clear()
        plain = served.plain().login("storage.1")
        data = plain.data()
        assert plain.say("APPE file")[:3] == "150"
        data.sendall(b"b")
        assert begun.wait(20)  # what it goes on with was looked at
        served.put("file", b"another's")
        data.close()
        assert plain.reply()[:3] == "450"
        assert (served.read("file"), served.uploads()) == (b"another's", 0)


def test_a_store_that_is_full_says_so(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(self: Access, key: str, source: Readable, options: Put = Put()) -> None:
        source.read()
        raise Full

    monkeypatch.setattr(Access, "put", put)
    plain = served.plain().login("storage.1")
    data = plain.data()
    assert plain.say("STOR file")[:3] == "150"
    data.sendall(PIECE)
    assert plain.reply() == "452 There is no space left."
    data.close()
    assert plain.say("NOOP")[:3] == "200"
    assert (served.noted[-1].status, served.noted[-1].code) == (507, "Full")


def test_a_read_that_breaks_off_tells_its_client(served: Served) -> None:
    """In plain, too: the data connection ends by a reset, and the reply says so."""

    class Broken:
        def __init__(self) -> None:
            self._pieces: Iterator[bytes] = iter((b"half",))

        def read(self, size: int = -1, /) -> bytes:
            for piece in self._pieces:
                return piece
            raise Full("The disk is gone.")

        def close(self) -> None: ...

    served.put("file", b"half of it")
    with pytest.MonkeyPatch.context() as patch:
        get = Access.get

        def broken(self: Access, *args: object, **options: object) -> object:
            opened = get(self, *args, **options)  # type: ignore[arg-type]
            opened.body.close()
            opened.body = Broken()
            return opened

        patch.setattr(Access, "get", broken)
        plain = served.plain().login("storage.1")
        data = plain.data()
        assert plain.say("RETR file")[:3] == "150"
        with pytest.raises(ConnectionResetError):
            while data.recv(100):
                pass
        data.close()
        assert plain.reply()[:3] == "452"


def test_who_has_all_has_a_whole_file(served: Served) -> None:
    """Bodies that nobody can send at once."""
    client = served.client("storage.1")
    body = bytes(range(256)) * 40_000
    client.storbinary("STOR large", BytesFile(body))
    assert served.read("large") == body
    found = list[bytes]()
    client.retrbinary("RETR large", found.append)
    assert b"".join(found) == body
    assert (served.noted[-1].sent, served.noted[-2].received) == (len(body), len(body))


class BytesFile(io.BytesIO):
    """In pieces of an odd length."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, 4099))


def test_bytes_go_as_they_are_whatever_the_type(served: Served) -> None:
    client = served.client("storage.1")
    lines = b"one\r\ntwo\nthree\rfour\0\xff\xf4"
    client.voidcmd("TYPE A")
    data = client.transfercmd("STOR text")
    data.sendall(lines)
    data.close()
    client.voidresp()
    assert served.read("text") == lines
