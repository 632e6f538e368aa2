"""A disk that is really full: 507 in S3's form, what was there stays, what was refused is not
there, and writes work again when there is space, without a restart.

A small tmpfs is mounted for it, which needs root on Linux. Elsewhere set
GATEWAY_SMALL_DISK to an empty folder on a file system of 32 to 512 MiB of its own.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.local import Local
from gateway.catalog import open_catalog, prepare
from gateway.config import load
from gateway.storage import BytesBody, Context, Delete, Put, Stats, Versioning
from gateway.storage import Full as Refused
from tests.e2e.conftest import environment
from tests.e2e.crash_model import MIB, body, tag_of
from tests.e2e.kept_files import collect
from tests.e2e.raw import Answer
from tests.e2e.test_kill import Client, named
from tests.e2e.test_operations import TWO_WORKERS, command, started, stop
from tests.starting import run

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
    done = run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        run(["umount", "--lazy", str(folder)], check=True)


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
            collect(str(data))
            disk.check()
            stop(again)


@pytest.mark.parametrize(
    "server", [TWO_WORKERS, ("--server", "waitress")], ids=lambda one: str(one[1])
)
def test_removing_works_when_not_a_byte_is_free(tmp_path: Path, server: tuple[str, ...]) -> None:
    """Whatever filled it: small objects, which free pages of the index only, or somebody else."""
    if sys.platform == "win32" and "granian" in server:
        pytest.skip("granian is not for Windows")
    data = tmp_path / "data"
    with small_disk(data):
        with started(tmp_path, *server) as gateway, Client(gateway.url) as client:
            disk = Full(client)
            command(gateway, "keys", "add", "--id", "lent", "--account", "guests")
            for bucket in ("disk", "gone", "kept"):
                client.well("PUT", f"/{bucket}")
            client.well("PUT", "/kept?versioning=", VERSIONED)
            client.well("PUT", "/kept/hidden", bytes(1000))
            upload = begin(client)
            first_part(client, f"/disk/parts?uploadId={upload}")
            begin(client, "gone")
            leave(data, 11 * MIB)  # the rest is free again in the end: an index never shrinks
            small = [f"small.{number}" for number in range(2000)]
            assert not all(disk.put(key, key, 50_000) for key in small), "it is never full"
            there = [key for key, tag in disk.kept.items() if tag]
            assert len(there) > 70
            leave(data, 0)
            for key in there[:30]:
                assert disk.delete(key)
            client.well("DELETE", "/kept/hidden")
            client.well("DELETE", f"/disk/parts?uploadId={upload}")
            client.well("DELETE", "/gone")
            command(gateway, "keys", "revoke", "lent")
            disk.check()
            assert delete_many(client, there[30:-30]) == len(there) - 60
            disk.kept |= dict.fromkeys(there[30:-30])
            assert disk.put("again", "again", 50_000), "pages that were freed are used"
            disk.check()
            stop(gateway)
        leave(data, 0)
        with started(tmp_path, *server) as again, Client(again.url) as client:
            disk._client = client
            leave(data, 0)
            assert not disk.put("large", "large", 2 * MIB)
            for key in there[-30:]:
                assert disk.delete(key)
            disk.check()
            (data / "ballast").unlink()
            assert disk.put("large", "large", 2 * MIB)
            assert disk.put("small", "small", 50_000)
            disk.check()
            stop(again)


def filled(bucket: Any) -> list[str | None]:
    """The versions of small objects that fill it."""
    versions: list[str | None] = []
    for number in range(2000):
        try:
            body = BytesBody(bytes(60_000))
            versions.append(bucket.put(f"k{number}", body, Put(size=60_000)).version)
        except Refused:
            return versions
    raise AssertionError("it is never full")


@pytest.mark.parametrize("versioning", ["off", "on"])
def test_removing_works_though_somebody_takes_every_byte_that_is_given_back(
    tmp_path: Path, versioning: Versioning
) -> None:
    data = tmp_path / "data"
    with small_disk(data):
        store = Local()
        store.open(Context(folder=data))
        store.set_volume("v", 1 << 40)
        store.create("bucket", volume="v")
        bucket: Any = store.bucket("bucket")
        if versioning == "on":
            bucket.set_versioning("on")
        versions = filled(bucket)
        if versioning == "on":  # markers, until there is no room for them either
            with pytest.raises(Refused):
                for number in range(len(versions)):
                    leave(data, 0)
                    bucket.delete(f"k{number}")
        for number, version in enumerate(versions):
            leave(data, 0)
            assert bucket.delete(f"k{number}", Delete(version=version)).existed
        assert bucket.stats() == Stats(objects=0, bytes=0, current=0)
        assert store.volumes()["v"].used == 0
        store.close()


def test_keys_are_revoked_though_somebody_takes_every_byte_that_is_given_back(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with small_disk(data):
        configuration = load(overrides={"data": str(data)}, environ={})
        catalog = open_catalog(configuration, {})
        keys = [catalog.add_key(id=f"key{number:03}").id for number in range(150)]
        leave(data, 0)
        (data / "catalog.reserve").unlink()
        leave(data, 0)
        with pytest.raises(Refused):
            catalog.add_key(id="one-more")
        (data / "ballast").unlink()
        catalog.add_key(id="another")
        for key in keys:
            leave(data, 0)
            catalog.revoke_key(key)
        catalog.close()
        leave(data, 0)
        catalog = open_catalog(configuration, {})
        assert [one.id for one in catalog.all_keys() if one.active] == ["another"]
        leave(data, 0)
        catalog.revoke_key("another")
        catalog.close()


VERSIONED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def delete_many(client: Client, keys: list[str]) -> int:
    """How many were deleted by one request."""
    named = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    document = f"<Delete>{named}</Delete>".encode()
    digest = base64.b64encode(hashlib.md5(document).digest()).decode()
    done = client("POST", "/disk?delete=", document, ("Content-MD5", digest))
    assert done.status == 200
    assert b"<Error>" not in done.body, done.body[:500]
    return done.body.count(b"<Deleted>")


def test_a_start_without_any_room_is_one_message(tmp_path: Path) -> None:
    """SQLite needs some tens of KiB of its own, and nothing was set aside; what is there is
    not touched."""
    data = tmp_path / "data"
    with small_disk(data):
        prepare(load(overrides={"data": str(data)}, environ={}), {})
        store = Local()
        store.open(Context(folder=data))
        store.close()
        for name in ("index", "catalog"):
            (data / f"{name}.reserve").unlink(missing_ok=True)
        leave(data, 0)
        for words in (("scrub",), ("serve", "--listen", "127.0.0.1:0")):
            done = run(
                [sys.executable, "-m", "gateway", *words, "--data", str(data)],
                env=environment(), capture_output=True, text=True, cwd=tmp_path,
            )  # fmt: skip
            assert done.returncode == 1
            assert done.stderr.startswith("gateway: "), done.stderr
            assert "Traceback" not in done.stderr


def begin(client: Client, bucket: str = "disk") -> str:
    return named(client.well("POST", f"/{bucket}/parts?uploads="), "UploadId")


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
