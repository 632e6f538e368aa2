"""Commands in and out of order, who may log in, and what is said in plain."""

from __future__ import annotations

import ftplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from gateway.catalog import Catalog, open_catalog
from gateway.modes.ftp.commands import COMMANDS
from gateway.modes.ftp.listener import Ftp
from gateway.modes.ftp.replies import MEANT, Reply, meant
from gateway.modes.ftp.signing_in import FAILURES
from gateway.services.attempts import FROM_ADDRESS
from gateway.storage import Conflict, NoSuchKey, Secret, StorageError
from tests.modes.ftp.served import Served, serving
from tests.test_documented import errors

BEFORE_LOGIN = """
USER nobody               331
PASS                      530
USER main                 331
NOOP                      200
SYST                      215
FEAT                      211
HELP                      214
OPTS UTF8 ON              200
OPTS MLST type;           200
OPTS X                    501
ACCT x                    202
ABOR                      226
AUTH TLS                  431
AUTH KERBEROS             504
PBSZ 0                    503
PROT P                    503
CWD files                 530
LIST                      530
RETR files/x              530
DELE files/x              530
PASV                      530
REST 1                    530
SITE CHMOD 777 x          502
STOU                      502
GET / HTTP/1.1            502
x                         502
"""

AFTER_LOGIN = """
PASS secret of main       503
TYPE I                    200
TYPE A N                  200
TYPE L 8                  200
TYPE E                    504
TYPE                      504
MODE S                    200
MODE B                    504
STRU F                    200
STRU R                    504
STAT                      211
STAT files                504
RNTO files/x              503
RNFR files/none           550
RNTO files/x              503
RETR files/none           550
RETR                      550
RETR files                550
STOR files/x              425
STOR                      550
APPE files/x              425
LIST                      425
MLSD                      425
MLSD files/none           550
MLST files/none           550
MLST                      250
SIZE files                550
REST x                    501
REST -1                   501
REST 99999999999999999999 501
REST 5                    350
ALLO                      501
ALLO 5 R 5                200
PORT 127,0,0,1,4          501
PORT 127,0,0,1,4,x        501
PORT 127,0,0,1,0,25       504
PORT 192,0,2,1,200,1      504
PORT 127,0,0,1,999,1      504
EPRT |1|127.0.0.1|25|     504
EPRT |1|192.0.2.1|2500|   504
EPRT |3|127.0.0.1|2500|   501
EPRT                      501
EPSV 2                    522
EPSV 1                    229
PASV                      227
EPSV ALL                  200
PASV                      425
PORT 127,0,0,1,200,1      425
CWD files                 250
CWD ../../..              250
XPWD                      257
CDUP                      250
PWD                       257
QUIT                      221
"""


def rows(text: str) -> list[tuple[str, str]]:
    found = [line.rpartition(" ") for line in text.strip().splitlines()]
    return [(command.rstrip(), code) for command, _, code in found]


def test_commands_in_any_order(served: Served) -> None:
    plain = served.plain()
    told = [(command, plain.say(command)[:3]) for command, _ in rows(BEFORE_LOGIN)]
    assert told == rows(BEFORE_LOGIN)
    plain = served.plain().login()
    told = [(command, plain.say(command)[:3]) for command, _ in rows(AFTER_LOGIN)]
    assert told == rows(AFTER_LOGIN)
    assert plain.reply() == ""


def test_all_commands_are_tried() -> None:
    tried = {command.partition(" ")[0] for command, _ in rows(BEFORE_LOGIN + AFTER_LOGIN)}
    told = COMMANDS.keys() - tried - {"NLST", "MDTM", "MKD", "RMD"}  # test_files has these
    assert told == {"XCWD", "XCUP", "XMKD", "XRMD"}


def test_lines_that_nobody_writes(served: Served) -> None:
    plain = served.plain().login()
    for line, code in (
        (b"NOOP\n", "200"),
        (b"noop \r\n", "200"),
        (b"\r\n", "502"),
        (b"\xff\xfe\r\n", "502"),
        (b"SIZE \xff\xfe\r\n", "550"),  # of Telnet, and then nothing is left
        (b"SIZE caf\xe9\r\n", "501"),
        (b"SIZE files/" + b"x" * 1025 + b"\r\n", "553"),
        (b"SIZE files/\0\r\n", "553"),
        (b"DELE files/%s\r\n" % ("\N{SNOWMAN}" * 300).encode(), "550"),
    ):
        assert plain.say(line)[:3] == code, line
    assert plain.say(b"SIZE " + b"x" * 5000)[:3] == "500"
    assert plain.reply() == ""
    plain = served.plain().login()  # several at once are answered one after the other
    plain.send("NOOP\r\nPWD\r\nSYST\r\nQUIT\r\nNOOP")
    assert [plain.reply()[:3] for _ in range(5)] == ["200", "257", "215", "221", ""]


def test_replies_are_lines_whatever_is_in_them(served: Served) -> None:
    assert str(Reply(550, "a\r\n200 b")) == "550 a??200 b\r\n"
    plain = served.plain().login()
    plain.say('MKD files/say "hi"')
    assert plain.say('CWD files/say "hi"')[:3] == "250"
    assert plain.say("PWD") == '257 "/files/say ""hi""" is where you are.'


def test_every_error_has_a_code() -> None:
    kinds = {one.__name__: one for one in MEANT}
    assert meant(NoSuchKey()) == MEANT[kinds["NotFound"]]
    assert meant(Conflict()).code == 450
    assert set(kinds) <= set(errors())
    assert all(400 <= one.code < 600 and one.status // 100 in (3, 4, 5) for one in MEANT.values())
    client_caused = {"Full", "QuotaExceeded", "Unsupported", "Corrupt", StorageError.__name__}
    for name, kind in kinds.items():
        of_the_gateway = "Unavailable" in {one.__name__ for one in kind.__mro__}
        assert (MEANT[kind].status < 500) is not (of_the_gateway or name in client_caused), name


# who may log in


def test_a_wrong_secret_is_told_nothing_and_three_are_the_end(served: Served) -> None:
    plain = served.plain()
    said = set[str]()
    for key, secret in (("main", "wrong"), ("nobody", "secret of main"), ("main", "")):
        plain.say(f"USER {key}")
        said.add(plain.say(f"PASS {secret}"))
    assert FAILURES == len(said) + 1 == 3
    assert sorted(one[:3] for one in said) == ["421", "530"]
    assert plain.reply() == ""
    assert [(one.status, one.code) for one in served.noted] == [
        (401, "Unauthorized"),
        (401, "Unauthorized"),
        (401, "Unauthorized"),
    ]
    for one in served.noted:
        assert "wrong" not in repr(one)


def test_attempts_are_bounded_for_an_address(tmp_path: Path, sockets: None) -> None:
    with serving(tmp_path) as served:
        served.client("storage.1")
        for number in range(FROM_ADDRESS):
            plain = served.plain()
            plain.say(f"USER key-{number}")
            plain.say("PASS wrong")
        plain = served.plain()
        plain.say("USER main")
        assert plain.say("PASS secret of main")[:27] == "421 Too many attempts. Try "
        assert (served.noted[-1].status, served.noted[-1].key_id) == (429, "")
        assert plain.reply() == ""


def test_a_key_counts_as_it_is_now_whoever_changes_it(tmp_path: Path, sockets: None) -> None:
    """Another process, here: what it may is asked at each command, and so is its secret."""
    with serving(tmp_path, data="data") as served, beside(served) as catalog:
        made = catalog.add_credential(
            user_name="",
            account="root",
            id="made",
            secret=Secret("secret of made"),
            access={"files": "write"},
            manages=False,
            description="",
        )
        client = served.client("made")
        assert client.nlst() == []
        number = made.info.number
        catalog.change_credential(number, access={"files": "read", "more": "read"})
        with pytest.raises(ftplib.error_perm, match=r"^550 Access denied"):
            client.mkd("folder")
        rotated = catalog.rotate_credential(number)
        with pytest.raises(ftplib.error_temp, match=r"^421 "):
            client.sendcmd("CWD /")
        with pytest.raises(ftplib.error_perm, match=r"^530 "):
            served.client("made")
        other = served.connected()
        other.login("made", rotated.secret.reveal())
        assert other.nlst() == ["files", "more"]
        catalog.remove_credential(number)
        with pytest.raises(ftplib.error_temp, match=r"^421 "):
            other.sendcmd("PWD")


@contextmanager
def beside(served: Served) -> Iterator[Catalog]:
    """The same catalog, opened once more."""
    configuration = served.runtime.chain.configuration
    with closing(open_catalog(configuration, {})) as catalog:
        yield catalog


# by TLS


def test_nobody_logs_in_and_no_data_goes_in_plain_where_there_is_a_certificate(
    secured: Served,
) -> None:
    plain = secured.plain()
    assert plain.say("USER main")[:3] == plain.say("PASS secret of main")[:3] == "530"
    assert plain.say("AUTH SSLv2")[:3] == "504"
    client = secured.secure("storage.1")
    assert client.sendcmd("STAT").splitlines()[1][:6] == " TLS 1"
    assert client.sendcmd("FEAT").splitlines()[1] == " AUTH TLS"
    with pytest.raises(ftplib.error_perm, match=r"^503 "):
        client.sendcmd("AUTH TLS")
    for command in ("PROT C", "PROT S"):
        with pytest.raises(ftplib.error_perm, match=r"^53[46] "):
            client.sendcmd(command)
    secured.put("file", b"bytes" * 100_000)
    found = list[bytes]()
    client.retrbinary("RETR file", found.append)
    assert b"".join(found) == b"bytes" * 100_000
    assert client.nlst() == ["file"]
    assert {one.tls for one in secured.noted if one.key_id} == {True}
    fresh = ftplib.FTP_TLS(context=secured.context())
    fresh.connect("127.0.0.1", secured.port)
    fresh.host = "localhost"
    secured.opened.callback(fresh.close)
    fresh.login("main", "secret of main")  # no PROT P was said
    with pytest.raises(ftplib.error_perm, match=r"^521 "):
        fresh.nlst()


def test_plain_is_for_who_chose_it(tmp_path: Path, sockets: None) -> None:
    from gateway.testing.certificates import certificate

    with serving(tmp_path, certificate=certificate(tmp_path), require_tls=False) as served:
        assert served.client("storage.1").nlst() == []
        assert served.secure("storage.1").nlst() == []
    with (
        pytest.raises(ValueError, match="require_tls: there is no certificate"),
        serving(tmp_path, require_tls=True),
    ):
        pass


def test_what_came_in_plain_behind_auth_does_not_count(secured: Served) -> None:
    """Somebody on the way could have put it there."""
    plain = secured.plain()
    plain.send("AUTH TLS\r\nUSER main\r\nPASS secret of main")
    assert plain.reply()[:3] == "234"
    assert plain.reply() == ""
    assert secured.noted == []


def test_a_handshake_that_is_none_is_the_end_and_one_that_waits_holds_nobody(
    secured: Served,
) -> None:
    waiting = secured.plain()
    assert waiting.say("AUTH TLS")[:3] == "234"
    plain = secured.plain()
    assert plain.say("AUTH TLS")[:3] == "234"
    plain.send("USER main")
    with suppress(ConnectionError):
        while plain.socket.recv(100):
            pass
    assert secured.secure("storage.1").nlst() == []
    context = secured.context()
    with context.wrap_socket(waiting.socket, server_hostname="localhost") as late:
        late.sendall(b"NOOP\r\n")
        assert late.recv(100)[:3] == b"200"


def test_a_data_connection_without_its_tls_is_none(secured: Served) -> None:
    client = secured.secure("storage.1")
    host, port = client.makepasv()
    with socket.create_connection((host, port)) as data:
        assert client.sendcmd("STOR file")[:3] == "150"
        data.sendall(b"no handshake\r\n\r\n")
        assert client.getline()[:3] == "426"
    assert secured.read("file") is None
    assert isinstance(client.sock, ssl.SSLSocket)


def test_options_that_are_none() -> None:
    for options, why in (
        ({"passive_ports": "1-2"}, "passive_ports"),
        ({"passive_ports": "50010-50000"}, "passive_ports"),
        ({"passive_ports": "50000"}, "passive_ports"),
        ({"passive_address": "ftp.example.com"}, "passive_address"),
        ({"passive_address": "::1"}, "passive_address"),
        ({"idle_timeout": 0.0}, "idle_timeout"),
        ({"transfer_timeout": 0.5}, "transfer_timeout"),
    ):
        with pytest.raises(ValueError, match=why):
            Ftp(**options)
