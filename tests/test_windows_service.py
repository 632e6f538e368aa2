"""`gateway service` on Windows, with its own service manager: from `install` to `remove`.

Slow (two starts of a process), and for administrators.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from gateway.commands import main
from tests.e2e.conftest import free_port

pytestmark = [
    pytest.mark.skipif(sys.platform != "win32", reason="services of Windows"),
    pytest.mark.usefixtures("sockets", "processes", "seconds"),
]

NAME = f"gateway-test-{os.getpid()}"
SECRET = "a-secret-of-the-test"
CONFIG = f"""
[server]
listen = "127.0.0.1:%d"
data = "data"
drain = "20s"
[[keys]]
id = "tester"
secret = "{SECRET}"
access = "admin"
[services.photos]
driver = "local"
"""

Gateway = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place() -> Iterator[Path]:
    """Where an account that is nobody's may read: not in a profile, as all of pytest's are."""
    folder = Path(os.environ["PROGRAMDATA"]) / NAME
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def gateway(place: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Gateway]:
    def run(*words: str) -> tuple[int, str, str]:
        code = main.main(["service", *words, "--name", NAME])
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run
    run("remove")


def test_the_life_of_a_service(place: Path, gateway: Gateway) -> None:
    port, file = free_port(), place / "gateway.toml"
    file.write_text(CONFIG % port, encoding="utf-8")
    at_home = Path(sys.prefix).is_relative_to(Path.home())
    account = ["--account", "LocalSystem"] if at_home else []
    install = ("install", "--config", str(file), *account)

    code, said, wrong = gateway(*install)
    assert (code, wrong) == (0, "")
    assert "access key" in said  # the first one, which nobody would see later
    assert gateway(*install)[0] == 1
    assert state(gateway, 3)["state"] == "stopped"

    code, said, wrong = gateway("start")
    assert (code, wrong) == (0, "")
    assert f"http://127.0.0.1:{port}" in said
    found = state(gateway, 0)
    assert found["state"] == "running"
    assert found["pid"]
    assert found["addresses"] == [f"http://127.0.0.1:{port}"]
    urllib.request.urlopen(f"http://127.0.0.1:{port}/-/health/ready").close()

    upload = HTTPConnection("127.0.0.1", port, timeout=60)
    upload.putrequest("PUT", "/uploadfile?sid=photos&path=late.txt")
    upload.putheader("x-owncdn-key", SECRET)
    upload.putheader("Content-Length", "10")
    upload.endheaders(b"12345")
    codes: list[int] = []
    stopping = threading.Thread(target=lambda: codes.append(gateway("stop")[0]))
    stopping.start()
    stopping.join(3)
    assert stopping.is_alive()  # it waits for what is under way
    upload.send(b"67890")
    answer = upload.getresponse()
    text = answer.read()
    upload.close()
    assert answer.status == 201, text
    stopping.join()
    assert codes == [0]
    assert state(gateway, 3)["state"] == "stopped"
    log = Path(str(found["log"])).read_text("utf-8")
    assert "serves at" in log
    assert "PUT /uploadfile 201 10 " in log
    assert "has ended" in log

    file.write_text("[server]\nlisten = 7", encoding="utf-8")
    code, _, wrong = gateway("start")
    assert code == 1
    assert "server.listen: found 7" in wrong
    assert state(gateway, 3)["problem"]

    assert gateway("remove")[0] == 0
    code, _, wrong = gateway("status", "--json")
    assert code == 1
    assert f'There is no service "{NAME}"' in wrong
    assert (place / "data" / "catalog.db").exists()


def state(gateway: Gateway, expected: int) -> dict[str, object]:
    code, said, _ = gateway("status", "--json")
    assert code == expected, said
    found: dict[str, object] = json.loads(said)
    return found
