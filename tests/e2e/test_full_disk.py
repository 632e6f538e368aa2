"""A disk that is really full: 507 in S3's form, what was there stays, what was refused is not
there, and writes work again when there is space, without a restart.

A small tmpfs is mounted for it, which needs root on Linux. Elsewhere set
GATEWAY_SMALL_DISK to an empty folder on a file system of 32 to 512 MiB of its own.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.local import Local
from gateway.catalog import prepare
from gateway.config import load
from gateway.storage import Context
from tests.e2e.conftest import environment
from tests.e2e.crash_model import MIB, body, tag_of
from tests.e2e.raw import Answer
from tests.e2e.test_kill import Client, collect, named
from tests.e2e.test_operations import TWO_WORKERS, started, stop

SIZE = 24 * MIB


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """`folder` is on a small file system of its own."""
    given = os.environ.get("GATEWAY_SMALL_DISK")
    if given:
        folder.symlink_to(given, target_is_directory=True)
        yield
        return
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting needs root: or set GATEWAY_SMALL_DISK")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "gateway-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def leave(data: Path, free: int) -> None:
    """Let so many bytes be free, by a file that belongs to nobody. Others write meanwhile:
    a disk that is full before is as full as was asked."""
    left = shutil.disk_usage(data).free - free
    with (data / "ballast").open("ab", buffering=0) as ballast:
        while left > 0:
            try:
                left -= ballast.write(bytes(min(left, MIB)))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return


class Full:
    """A client of a gateway whose disk is full, and what must be there by what it was told."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.kept: dict[str, str | None] = {}
        self.refused = 0

    def ask(self, method: str, target: str, data: bytes = b"", *headers: tuple[str, str]) -> bool:
        """Whether it was done. If it was not, it was said as it should be."""
        answer = self._client(method, target, data, *headers)
        if answer.status in (200, 204):
            return True
        assert (answer.status, answer.code) == (507, "InsufficientStorage"), answer
        self.refused += 1
        return False

    def put(self, key: str, tag: str, size: int) -> bool:
        done = self.ask("PUT", f"/disk/{key}", body(tag, size))
        if done:
            self.kept[key] = tag
        else:
            self.kept.setdefault(key, None)
        return done

    def delete(self, key: str) -> bool:
        if done := self.ask("DELETE", f"/disk/{key}"):
            self.kept[key] = None
        return done

    def copy(self, source: str, key: str) -> bool:
        done = self.ask("PUT", f"/disk/{key}", b"", ("x-amz-copy-source", f"/disk/{source}"))
        if done:
            self.kept[key] = self.kept[source]
        return done

    def check(self) -> None:
        for key, tag in self.kept.items():
            answer: Answer = self._client("GET", f"/disk/{key}")
            assert answer.status == (404 if tag is None else 200), (key, tag, answer.status)
            assert tag is None or tag_of(answer.body) == tag, key


@pytest.mark.parametrize(
    "server", [TWO_WORKERS, ("--server", "waitress")], ids=lambda one: str(one[1])
)
def test_a_full_disk_refuses_and_works_again(tmp_path: Path, server: tuple[str, ...]) -> None:
    if sys.platform == "win32" and "granian" in server:
        pytest.skip("granian is not for Windows")
    data = tmp_path / "data"
    with small_disk(data):
        with started(tmp_path, *server) as gateway, Client(gateway.url) as client:
            disk = Full(client)
            client.well("PUT", "/disk")
            target = f"/disk/parts?uploadId={begin(client)}"
            document = first_part(client, target)
            assert disk.put("small", "old", 1000)
            assert disk.put("large", "old", MIB)
            fill(disk, data, target)
            disk.check()
            disk.copy("large", "copy")  # 200 or 507: a log that has room left is written
            disk.delete("k1")
            disk.ask("POST", "/disk/more?uploads=")
            assert not all(disk.ask("PUT", f"/another{number}") for number in range(300))
            urllib.request.urlopen(f"{gateway.url}/-/health/live").close()
            disk.check()
            (data / "ballast").unlink()
            assert disk.put("large", "new", 2 * MIB)
            assert disk.put("small", "new", 1000)
            assert disk.put("inline", "new", 60_000)
            assert disk.copy("large", "copy")
            assert disk.ask("POST", target, document)
            disk.kept["parts"] = "parts-of"
            assert disk.ask("PUT", "/another-one")
            assert disk.delete("small")
            disk.check()
            stop(gateway)
        with started(tmp_path, *server) as again, Client(again.url) as client:
            disk._client = client
            disk.check()
            collect(data)
            disk.check()
            stop(again)


def test_a_start_without_any_room_is_one_message(tmp_path: Path) -> None:
    """SQLite needs some tens of KiB of its own; what is there is not touched."""
    data = tmp_path / "data"
    with small_disk(data):
        prepare(load(overrides={"data": str(data)}, environ={}), {})
        store = Local()
        store.open(Context(folder=data))
        store.close()
        leave(data, 0)
        for words in (("scrub",), ("serve", "--listen", "127.0.0.1:0")):
            done = subprocess.run(
                [sys.executable, "-m", "gateway", *words, "--data", str(data)],
                env=environment(), capture_output=True, text=True, cwd=tmp_path,
            )  # fmt: skip
            assert done.returncode == 1
            assert done.stderr.startswith("gateway: "), done.stderr
            assert "Traceback" not in done.stderr


def begin(client: Client) -> str:
    return named(client.well("POST", "/disk/parts?uploads="), "UploadId")


def first_part(client: Client, target: str) -> bytes:
    """Sends it; the document that completes the upload."""
    client.well("PUT", f"{target}&partNumber=1", body("parts-of", 100_000))
    etag = named(client.well("GET", target), "ETag")
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    return f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()


def fill(disk: Full, data: Path, target: str) -> None:
    """Until files, and then the index, have no room."""
    leave(data, 2 * MIB)
    assert not disk.put("large", "refused", 4 * MIB)
    assert not disk.put("new", "refused", 4 * MIB)
    assert not disk.ask("PUT", f"{target}&partNumber=2", bytes(4 * MIB))
    assert len(list((data / "blobs").rglob("?" * 32))) == 2  # nothing half-written stays
    for turn in range(3):
        leave(data, 200_000)
        tags = (f"small.{turn}.{number}" for number in range(1000))
        assert not all(disk.put("small", tag, 60_000) for tag in tags), "it is never full"
    for number in range(20):
        disk.put(f"k{number}", f"k{number}", 50_000)
    assert disk.refused >= 5
