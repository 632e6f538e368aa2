"""Listeners that do not speak HTTP: the one of plugins.md, as a plugin that is installed."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from gateway.testing.certificates import certificate
from tests.code_blocks import blocks
from tests.e2e.conftest import SERVERS, free_port, serving
from tests.e2e.plugin_site import plugin_site
from tests.e2e.raw import GUARD, eventually, log_of
from tests.e2e.test_reload import reload

MOODY = '''
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gateway.hookspecs import hookimpl
from line_listener import Line


@dataclass(eq=False)
class Moody(Line):
    """`fails`: how often; it counts in the file `counts`."""

    protocol: ClassVar[str] = "moody"
    fails: str = ""
    counts: str = ""

    def start(self, gateway, listening, tls):
        if self.counts:
            with Path(self.counts).open("ab") as file:
                file.write(b"x")
                number = file.tell()
            if str(number) in self.fails:
                raise OSError("it is in no mood")
        super().start(gateway, listening, tls)


@hookimpl
def gateway_listeners():
    return [Moody]
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (code,) = [one.code for one in blocks("plugins.md") if "(ProtocolListener)" in one.code]
    folder = tmp_path_factory.mktemp("line")
    plugin_site(folder, "moody_listener", MOODY)
    return plugin_site(folder, "line_listener", code)


def config(ports: tuple[int, int], files: tuple[Path, Path], account: str = "root") -> str:
    tls = f"tls = {{ certificate = '{files[0]}', key = '{files[1]}' }}"
    return f"""
[server]
workers = 2
[[listeners]]
protocol = "line"
address = "127.0.0.1:{ports[0]}"
account = "{account}"
[[listeners]]
protocol = "line"
address = "127.0.0.1:{ports[1]}"
{tls}
[services.things]
driver = "local"
"""


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path)


def line(port: int, text: str, trusted: Path | None = None) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=GUARD) as plain:
        if trusted is None:
            return said(plain, text)
        context = ssl.create_default_context(cafile=str(trusted))
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return said(secure, text)


def said(connection: socket.socket, text: str) -> bytes:
    with connection.makefile("rwb") as lines:
        lines.write(f"{text}\n".encode())
        lines.flush()
        return lines.read()


@pytest.mark.parametrize("server", SERVERS)
def test_another_protocol_reads_through_access_and_follows_a_reload(
    site: Path, tmp_path: Path, ports: tuple[int, int], files: tuple[Path, Path], server: str
) -> None:
    text = config(ports, files)
    with serving(tmp_path, "--server", server, config=text, site=site) as gateway:
        gateway.client().put_object(Bucket="things", Key="a key", Body=b"by another door")
        at = f"line://127.0.0.1:{ports[0]}"
        eventually(lambda: at in log_of(gateway), "it says where it listens")
        for _ in range(4):
            assert line(ports[0], "things a key") == b"by another door"
        assert line(ports[1], "things a key", files[0]) == b"by another door"
        assert line(ports[0], "things no key").startswith(b"error: ")
        assert line(ports[0], "nothing a key").startswith(b"error: ")

        again = config(ports, files, account="stranger") + "[[accounts]]\nid = 'stranger'\n"
        (tmp_path / "gateway.toml").write_text(again, encoding="utf-8")
        assert reload(gateway)[0] == 0
        for _ in range(8):
            eventually(lambda: line(ports[0], "things a key")[:7] == b"error: ", "another account")
            assert line(ports[1], "things a key", files[0]) == b"by another door"
        (tmp_path / "gateway.toml").write_text(config((ports[1], ports[0]), files), "utf-8")
        code, _, said = reload(gateway)
        assert (code, "listeners" in said, "needs a restart" in said) == (1, True, True)
        assert "Traceback" not in log_of(gateway)


@pytest.mark.parametrize("server", SERVERS)
def test_one_that_cannot_begin_at_the_start_ends_the_gateway(
    site: Path, tmp_path: Path, server: str
) -> None:
    text = f"""
[[listeners]]
protocol = "moody"
address = "127.0.0.1:{free_port()}"
fails = "1"
counts = '{tmp_path / "counts"}'
"""
    with (
        pytest.raises(AssertionError, match="ended before it was ready"),
        serving(tmp_path, "--server", server, "--memory", config=text, site=site),
    ):
        pass
    said = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert said[-1] == "gateway: A listener of moody cannot be started: OSError, see the log."


@pytest.mark.parametrize("server", SERVERS)
def test_one_that_does_not_begin_is_refused_and_one_that_does_not_in_time_replaced(
    site: Path, tmp_path: Path, server: str
) -> None:
    port = free_port()

    def config(fails: str, counts: str = "") -> str:
        return f"""
[server]
workers = 2
[[listeners]]
protocol = "moody"
address = "127.0.0.1:{port}"
account = "{"stranger" if fails else "root"}"
fails = "{fails}"
counts = '{counts and tmp_path / counts}'
[[accounts]]
id = "stranger"
[services.things]
driver = "local"
"""

    with serving(tmp_path, "--server", server, config=config(""), site=site) as gateway:
        gateway.client().put_object(Bucket="things", Key="k", Body=b"by another door")
        for _ in range(2):
            (tmp_path / "gateway.toml").write_text(config("123456789", "always"), "utf-8")
            code, _, said = reload(gateway)
            assert (code, "A listener of moody cannot be started: OSError" in said) == (1, True)
            assert (tmp_path / "always").stat().st_size < 3, "the first one told what is wrong"
            for _ in range(8):
                assert line(port, "things k") == b"by another door"
        if server == "granian":
            (tmp_path / "gateway.toml").write_text(config("2", "the second"), "utf-8")
            assert reload(gateway)[0] == 0
            eventually(lambda: (tmp_path / "the second").stat().st_size == 3, "another is there")
            words = "a worker is replaced, for it does not serve what was read"
            eventually(lambda: words in log_of(gateway), "it is told")
            for _ in range(8):
                eventually(lambda: line(port, "things k")[:7] == b"error: ", "another account")
