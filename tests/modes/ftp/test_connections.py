"""How many there may be, for how long, from where; and how a listener ends."""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.common.system import WAITED_FOR
from gateway.modes.ftp.bounds import Bound
from gateway.modes.ftp.listener import Ftp
from tests.e2e.raw import eventually
from tests.modes.ftp.served import Served, serving


def test_who_rests_holds_no_thread(served: Served) -> None:
    served.client()
    before = threading.active_count()
    clients = [served.plain().login("storage.1") for _ in range(30)]
    for one in clients:
        assert one.say("PWD")[:3] == "257"
    assert threading.active_count() < before + len(clients) // 2


def test_a_bound_counts_all_and_each() -> None:
    bound = Bound(3, 2)
    assert [bound.take(one) for one in "aaabb"] == [True, True, False, True, False]
    bound.release("a")
    assert [bound.take(one) for one in "ba"] == [True, False]


def test_no_more_connections_are_promised_than_can_be_waited_for() -> None:
    assert Ftp(connections=WAITED_FOR).connections == WAITED_FOR
    with pytest.raises(ValueError, match=f"connections: {WAITED_FOR} at most"):
        Ftp(connections=WAITED_FOR + 1)


def test_connections_and_transfers_have_bounds(tmp_path: Path, sockets: None) -> None:
    with serving(tmp_path, connections_per_address=3, transfers=2) as served:
        first, second, third = (served.plain().login("storage.1") for _ in range(3))
        assert served.plain().greeting[:3] == "421"
        data = first.data()
        assert first.say("STOR file")[:3] == "150"
        refused = second.data()
        assert second.say("STOR other")[:3] == "450"
        refused.close()
        data.close()
        assert first.reply()[:3] == "226"
        data = second.data()
        assert second.say("STOR other")[:3] == "150"
        data.close()
        assert second.reply()[:3] == "226"
        third.close()
        eventually(lambda: served.plain().greeting[:3] == "220", "there is room again")


@pytest.mark.usefixtures("seconds")
def test_who_stands_still_is_sent_away(tmp_path: Path, sockets: None) -> None:
    with serving(tmp_path, idle_timeout=1.0, transfer_timeout=1.0) as served:
        idle = served.plain().login("storage.1")
        stalled = served.plain().login("storage.1")
        data = stalled.data()
        assert stalled.say("STOR file")[:3] == "150"
        data.sendall(b"some")
        assert idle.reply()[:3] == "421"
        assert idle.reply() == ""
        assert stalled.reply() == "426 The transfer stood still for too long."
        data.close()
        assert served.read("file") is None
        served.put("large", b"x" * (32 << 20))
        data = stalled.data()
        assert stalled.say("RETR large")[:3] == "150"
        assert stalled.reply() == "426 The transfer stood still for too long."
        data.close()


def test_a_transfer_hears_abor_while_it_sends(served: Served) -> None:
    served.put("large", b"x" * (32 << 20))
    plain = served.plain().login("storage.1")
    data = plain.data()
    assert plain.say("RETR large")[:3] == "150"
    assert plain.say("ABOR")[:3] == "426"
    assert plain.reply()[:3] == "226"
    with data, pytest.raises(ConnectionResetError):
        while data.recv(1 << 20):
            pass
    assert plain.say("NOOP")[:3] == "200"
    assert served.noted[-1].aborted


def test_passive_ports_and_the_address_behind_which_they_are(tmp_path: Path, sockets: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options: dict[str, Any] = {
            "passive_ports": f"{port}-{port}",
            "passive_address": "192.0.2.7",
        }
        with serving(tmp_path, **options) as served:
            plain = served.plain().login("storage.1")
            assert plain.say("PASV")[:3] == "425"
            taken.close()
            for _ in range(3):  # one after the other, at the only port
                said = plain.say("PASV")
                numbers = f"192,0,2,7,{port >> 8},{port & 255}"
                assert said == f"227 Entering Passive Mode ({numbers})."
                with socket.create_connection(("127.0.0.1", port)) as data:
                    assert plain.say("LIST")[:3] == "150"
                    assert data.recv(100) == b""
                    assert plain.reply()[:3] == "226"


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127/8 is this machine on Linux alone")
def test_data_is_for_the_client_alone(served: Served) -> None:
    """A stranger who guesses the port gets nothing, and stops nothing."""
    served.put("file", b"bytes")
    plain = served.plain().login("storage.1")
    port = int(plain.say("EPSV").split("|")[3])
    with socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0)) as other:
        assert plain.say("RETR file")[:3] == "150"
        assert other.recv(100) == b""
    with socket.create_connection(("127.0.0.1", port)) as data:
        assert data.recv(100) == b"bytes"
    assert plain.reply()[:3] == "226"


def test_data_goes_to_a_client_that_listens(served: Served) -> None:
    served.put("file", b"bytes" * 100_000)
    client = served.client("storage.1")
    client.set_pasv(False)
    found = list[bytes]()
    client.retrbinary("RETR file", found.append)
    assert b"".join(found) == b"bytes" * 100_000
    plain = served.plain().login("storage.1")
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    assert plain.say(f"EPRT |1|127.0.0.1|{port}|")[:3] == "200"
    assert plain.say("RETR file")[:3] == "150"
    assert plain.reply()[:3] == "425"


def test_by_ipv6(tmp_path: Path, sockets: None) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    with serving(tmp_path, host="::1") as served:
        client = served.connected(host="::1")
        client.login("storage.1", "secret of storage.1")
        for passive in (True, False):
            client.set_pasv(passive)
            assert client.nlst() == []
        assert client.sendcmd("EPSV 2")[:3] == "229"
        for command, code in (("EPSV 1", "522"), ("PASV", "425")):
            with pytest.raises(Exception, match=rf"^{code} "):
                client.sendcmd(command)
        assert {one.client for one in served.noted} == {"::1"}


def test_by_ipv4_where_the_listener_is_for_both(tmp_path: Path, sockets: None) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no socket takes both here")
    with serving(tmp_path, host="::") as served:
        client = served.client("storage.1")
        for passive in (True, False):
            client.set_pasv(passive)
            assert client.nlst() == []
        assert client.sendcmd("PASV").startswith("227 Entering Passive Mode (127,0,0,1,")
        assert client.sendcmd("EPSV")[:3] == "229"
        assert {one.client for one in served.noted} == {"127.0.0.1"}


def test_at_its_end_who_rests_is_sent_away_and_a_transfer_ends_well(
    tmp_path: Path, sockets: None
) -> None:
    with serving(tmp_path) as served:
        resting, moving = (served.plain().login("storage.1") for _ in range(2))
        data = moving.data()
        assert moving.say("STOR file")[:3] == "150"
        ended = threading.Thread(target=served.listener.stop)
        ended.start()
        assert (resting.reply()[:3], resting.reply()) == ("421", "")
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", served.port), timeout=5).recv(1).decode()[0]
        assert ended.is_alive()
        data.sendall(b"all of it")
        data.close()
        assert (moving.reply()[:3], moving.reply()[:3]) == ("226", "421")
        ended.join(10)
        assert not ended.is_alive()
        assert served.read("file") == b"all of it"


def test_what_was_done_is_noted(served: Served) -> None:
    client = served.client()
    with Path(__file__).open("rb") as file:
        client.storbinary("STOR files/über", file)
    with pytest.raises(Exception, match=r"^550 "):
        client.size("none/x")
    client.sendcmd("NOOP")
    size = Path(__file__).stat().st_size
    login, upload, look = served.noted
    assert (login.method, login.status, login.key_id, login.path) == ("PASS", 200, "main", "")
    told = (upload.mode, upload.operation, upload.sid, upload.key, upload.status, upload.received)
    assert told == ("ftp", "STOR", "files", "über", 200, size)
    assert upload.path.encode("latin-1").decode() == "/files/über"
    assert (upload.client, upload.account, upload.key_id) == ("127.0.0.1", "root", "main")
    assert abs(upload.started - time.time()) < 60
    assert len({one.request_id for one in served.noted}) == 3
    assert (look.status, look.code, look.sid) == (404, "NoSuchStore", "none")
