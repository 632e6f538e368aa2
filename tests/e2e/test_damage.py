"""Bytes that were changed on disk: a scrub names them beside the running gateway, and no
client gets them as a whole answer, from either server.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import SERVERS, Running, environment, serving
from tests.e2e.raw import Answer, ask, signed
from tests.starting import run

BODY = os.urandom(1_000_000)
SMALL = BODY[:5000]
BLOCK = 262_144


@pytest.fixture(scope="module", params=SERVERS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("damage")
    with serving(folder, "--server", request.param) as running:
        assert ask(running.url, "PUT", "/damage").status == 200
        for name, (data, harm) in OBJECTS.items():
            put(running, name, data)
            harm(running.folder / "data", newest(running))
        for name in ("fine", "fine-small"):
            put(running, name, SMALL if "small" in name else BODY)
        yield running


def put(gateway: Running, name: str, data: bytes) -> None:
    assert ask(gateway.url, "PUT", f"/damage/{name}", body=data).status == 200


def newest(gateway: Running) -> str:
    """The name of the last blob's file; "" when it is in the index."""
    index = sqlite3.connect(gateway.folder / "data" / "index.db")
    try:
        (name,) = index.execute("SELECT name FROM blobs ORDER BY id DESC LIMIT 1").fetchone()
    finally:
        index.close()
    return name or ""


Harm = Callable[[Path, str], None]


def flip(at: int) -> Harm:
    def harm(data: Path, name: str) -> None:
        with (data / "blobs" / name[:2] / name).open("r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 16]))

    return harm


def cut(size: int) -> Harm:
    return lambda data, name: os.truncate(data / "blobs" / name[:2] / name, size)


def lose(data: Path, name: str) -> None:
    (data / "blobs" / name[:2] / name).unlink()


def flip_inline(data: Path, name: str) -> None:
    """In the last body that the index holds."""
    assert not name
    index = sqlite3.connect(data / "index.db", isolation_level=None)
    number, body = index.execute("SELECT id, data FROM blobs ORDER BY id DESC LIMIT 1").fetchone()
    changed = body[:3000] + bytes([body[3000] ^ 16]) + body[3001:]
    index.execute("UPDATE blobs SET data = ? WHERE id = ?", (changed, number))
    index.close()


OBJECTS: dict[str, tuple[bytes, Harm]] = {
    "first-byte": (BODY, flip(0)),
    "third-block": (BODY, flip(600_000)),
    "last-byte": (BODY, flip(999_999)),
    "cut-in-a-block": (BODY, cut(700_000)),
    "cut-between-blocks": (BODY, cut(2 * BLOCK)),
    "emptied": (BODY, cut(0)),
    "lost": (BODY, lose),
    "inline": (SMALL, flip_inline),
}


def get(gateway: Running, name: str, *headers: tuple[str, str]) -> tuple[int, bytes | None]:
    """Status and body; None when there was no whole answer."""
    target = f"/damage/{name}"
    connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
    status = 0
    try:
        connection.request("GET", target, headers=signed(gateway.url, "GET", target, dict(headers)))
        answer = connection.getresponse()
        status = answer.status
        return status, answer.read()
    except (OSError, HTTPException):
        return status, None
    finally:
        connection.close()


def never_whole(found: tuple[int, bytes | None]) -> bool:
    status, body = found
    return body is None or status >= 500


@pytest.mark.parametrize("name", OBJECTS)
def test_a_damaged_object_is_never_read_as_a_whole(gateway: Running, name: str) -> None:
    assert never_whole(get(gateway, name))
    data, _ = OBJECTS[name]
    middle = 3000 if data is SMALL else 600_000
    damaged = {"first-byte": 100, "last-byte": 999_900}.get(name, middle)
    wanted = ("Range", f"bytes={damaged - 100}-{damaged + 99}")
    assert never_whole(get(gateway, name, wanted))
    assert never_whole(get(gateway, name, ("Range", "bytes=0-")))


def test_what_can_be_said_before_the_first_byte_is_an_error(gateway: Running) -> None:
    for name in ("inline", "lost", "first-byte", "emptied"):
        status, body = get(gateway, name)
        assert status == 500
        assert body is not None and b"<Code>InternalError</Code>" in body


def test_an_answer_that_broke_off_is_logged_once_and_counted(gateway: Running) -> None:
    before = (gateway.folder / "log").read_text(encoding="utf-8").splitlines()
    assert get(gateway, "third-block") == (200, None)
    assert get(gateway, "first-byte")[0] == 500
    log = gateway.folder / "log"
    said = log.read_text(encoding="utf-8").splitlines()[len(before) :]
    changed = [line for line in said if "was changed on disk" in line]
    assert [("broke off: Block 2 of" in one, "Block 0 of" in one) for one in changed] == [
        (True, False),
        (False, True),
    ]
    assert "Traceback" not in "\n".join(said)
    assert soon(lambda: counted(gateway) >= 2)


def counted(gateway: Running) -> float:
    """Answers that damage ended, by the metrics; another worker's come within a second."""
    with urllib.request.urlopen(f"{gateway.url}/-/metrics") as answer:
        text = answer.read().decode()
    return float(text.partition('gateway_corrupt_total{mode="s3"} ')[2].partition("\n")[0] or 0)


def soon(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


def test_blocks_that_are_whole_are_read(gateway: Running) -> None:
    for name, start in (("first-byte", BLOCK), ("third-block", 0), ("last-byte", BLOCK)):
        found = get(gateway, name, ("Range", f"bytes={start}-{start + 999}"))
        assert found == (206, BODY[start : start + 1000])
    assert get(gateway, "fine") == (200, BODY)
    assert get(gateway, "fine-small") == (200, SMALL)


def test_a_damaged_part_is_not_copied_as_if_it_were_whole(gateway: Running) -> None:
    """Where the copy needs the bytes; else it shares them, damage and checks."""
    headers = {
        "x-amz-copy-source": "/damage/third-block",
        "x-amz-checksum-algorithm": "SHA256",
    }
    answer: Answer = ask(gateway.url, "PUT", "/damage/copy", headers)
    assert answer.status >= 500 or b"<Error>" in answer.body
    assert ask(gateway.url, "HEAD", "/damage/copy").status == 404


def scrub(gateway: Running) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", "scrub", "damage", "--rate", "0"]
    command += ["--config", str(gateway.folder / "gateway.toml")]
    command += ["--data", str(gateway.folder / "data")]
    return run(command, env=environment(), capture_output=True, text=True)


def test_a_scrub_beside_it_names_what_is_damaged_and_nothing_else(gateway: Running) -> None:
    done = scrub(gateway)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert {line.split(": ")[1] for line in lines[:-1]} == set(OBJECTS)
    assert lines[-1].endswith(f": {len(OBJECTS)} damaged")
    assert ask(gateway.url, "PUT", "/damage/after", body=b"it goes on").status == 200
    for name, (data, _) in OBJECTS.items():
        put(gateway, name, data)  # what is put again is well again
        assert get(gateway, name) == (200, data)
    done = scrub(gateway)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(": all is well\n")
