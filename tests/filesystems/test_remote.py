"""File systems behind a network: connections that die, rights, time-outs, nothing left behind."""

from __future__ import annotations

import errno
import ftplib
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import paramiko
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from drivers.fsspec import FileSystem
from drivers.fsspec.calls import Connected
from drivers.fsspec.details import found_of
from drivers.fsspec.failures import translated
from drivers.fsspec.pool import Pool
from drivers.fsspec.remote import RemoteTree
from drivers.fsspec.transfers import Spooled
from drivers.fsspec.walk import page
from gateway.storage import (
    BadKey,
    BytesBody,
    Conditions,
    Conflict,
    Context,
    Delete,
    Full,
    Get,
    ListQuery,
    NoSuchKey,
    OriginDenied,
    OriginFailed,
    Put,
    Range,
    StorageError,
    Threads,
    TimedOut,
    Unsupported,
    pieces,
)
from gateway.storage.errors import Busy
from gateway.testing.faults import Breaking, noise
from tests.filesystems.servers import FileServer, ftp, s3_options, sftp
from tests.modes.s3_gateway import Served, serving


def opened(
    url: str, options: dict[str, Any], folder: Path | None = None, **more: Any
) -> FileSystem:
    store = FileSystem(url=url, storage_options=options, **more)
    store.open(Context(folder=folder))
    return store


def read(store: FileSystem, key: str, want: Get = Get()) -> bytes:
    with store.get(key, want) as one:
        return b"".join(pieces(one.body))


@pytest.fixture(params=[sftp, ftp], ids=["sftp", "ftp"])
def server(sockets: None, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileServer]:
    (tmp_path / "served" / "tree").mkdir(parents=True)
    with request.param(tmp_path / "served") as running:
        yield running


def test_a_tree_that_is_there_is_served_in_order(server: FileServer, tmp_path: Path) -> None:
    for name in ("a.txt", "a/b", "a0"):
        at = server.folder / "tree" / name
        at.parent.mkdir(exist_ok=True)
        at.write_bytes(name.encode())
    with closing(opened(server.url, server.options)) as store:
        assert [one.key for one in store.list().entries] == ["a.txt", "a/b", "a0"]
        assert read(store, "a/b") == b"a/b"
        assert "-" in store.stat("a.txt").etag
        assert store.probe().target == server.url


def test_a_connection_that_died_is_replaced(server: FileServer) -> None:
    (server.folder / "tree" / "k").write_bytes(b"data")
    with closing(opened(server.url, server.options)) as store:
        assert read(store, "k") == b"data"
        server.cut()
        assert read(store, "k") == b"data"


def test_a_write_that_fails_leaves_nothing_there(server: FileServer, tmp_path: Path) -> None:
    with closing(opened(server.url, server.options, tmp_path / "data")) as store:
        with pytest.raises(ConnectionResetError):
            store.put("k", Breaking(noise(5 << 20), ConnectionResetError()), Put(size=9 << 20))
        (server.folder / "tree" / "folder").mkdir()
        (server.folder / "tree" / "folder" / "file").touch()
        with pytest.raises(StorageError):
            store.put("folder", BytesBody(b"x"), Put(size=1))
        left = [one.name for one in (server.folder / "tree").rglob("*") if one.is_file()]
        assert left == ["file"]
        assert not [one for one in (tmp_path / "data").rglob("*") if one.is_file()]


def test_conditions_are_refused_and_not_raced(server: FileServer) -> None:
    only = Conditions(if_none_match=("*",))
    with closing(opened(server.url, server.options)) as store:
        with pytest.raises(Unsupported):
            store.put("k", BytesBody(b""), Put(size=0, conditions=only))
        with pytest.raises(Unsupported):
            store.delete("k", Delete(conditions=only))


def test_a_wrong_password_is_the_gateways_and_never_told(server: FileServer) -> None:
    options = {**server.options, "password": "not-the-password"}
    with closing(opened(server.url, options)) as store:
        with pytest.raises((OriginDenied, OriginFailed)) as raised:
            store.stat("k")
        assert "not-the-password" not in str(raised.value)
        assert "not-the-password" not in repr(store)


@pytest.mark.usefixtures("sockets")
def test_a_server_that_hangs_is_TimedOut_or_failed_and_bounds_its_callers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ftp://127.0.0.1:{silent.getsockname()[1]}/"
        store = opened(url, {}, timeout=0.2, connections=1)
        with closing(store), pytest.raises(TimedOut):
            store.stat("k")


@pytest.mark.usefixtures("sockets")
def test_a_server_that_is_not_there_is_OriginFailed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with closing(opened(f"ftp://127.0.0.1:{port}/", {})) as store, pytest.raises(OriginFailed):
        store.stat("k")


def test_an_object_store_that_hangs_is_TimedOut(upstream: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {
            **s3_options(upstream),
            "endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        store = opened("s3://files", options, timeout=0.5)
        with closing(store), pytest.raises(TimedOut):
            store.stat("k")


def test_who_waits_too_long_for_a_connection_is_told_that_it_is_busy() -> None:
    pool = Pool(object, size=1, patience=0.05, together=False)
    inside, leave = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        inside.set()
        leave.wait(60)

    holder = threading.Thread(target=pool.call, args=(hold,), kwargs={"again": False})
    holder.start()
    try:
        assert inside.wait(60)
        with pytest.raises(Busy):
            pool.call(lambda _: None, again=False)
    finally:
        leave.set()
        holder.join()
    assert pool.call(lambda _: "free", again=False) == "free"


def test_those_who_wait_for_a_file_system_are_a_part_of_the_threads() -> None:
    """The others are refused at once, though they might wait for an hour."""
    threads = Threads(4)
    pool = Pool(object, size=1, patience=3600, together=False, threads=threads)
    inside, leave = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        inside.set()
        leave.wait(60)

    waiting = [
        threading.Thread(target=pool.call, args=(hold,), kwargs={"again": False}) for _ in range(3)
    ]
    try:
        for one in waiting:
            one.start()
        assert inside.wait(60)
        for _ in range(6000):
            if pool._part._held == 3:
                break
            leave.wait(0.01)
        with pytest.raises(Busy) as busy:
            pool.call(lambda _: None, again=False)
        assert busy.value.retry_after == 1
    finally:
        leave.set()
        for one in waiting:
            one.join()
    assert pool.call(lambda _: "free", again=False) == "free"
    assert pool._part._held == 0


# s3:// by s3fs, on a gateway


@pytest.fixture(scope="module")
def upstream(sockets: None) -> Iterator[Served]:
    with serving() as served:
        served.client().create_bucket(Bucket="files")
        yield served


@pytest.fixture
def bucket(upstream: Served, tmp_path: Path) -> Iterator[FileSystem]:
    with closing(opened("s3://files", s3_options(upstream), tmp_path)) as store:
        yield store


def test_an_upload_in_parts_is_whole_or_not_there(bucket: FileSystem, upstream: Served) -> None:
    data = noise(17 << 20)
    info = bucket.put("large", BytesBody(data), Put(size=len(data)))
    assert info.etag.endswith("-3")
    assert (
        read(bucket, "large", Get(range=Range(9 << 20, 9 << 20))) == data[9 << 20 : (9 << 20) + 1]
    )
    assert read(bucket, "large") == data
    with pytest.raises(ConnectionResetError):
        bucket.put("half", Breaking(noise(10 << 20), ConnectionResetError()), Put(size=17 << 20))
    assert not bucket.delete("half").existed
    assert "Uploads" not in upstream.client().list_multipart_uploads(Bucket="files")


def test_an_upload_that_breaks_half_way_is_not_left_upstream(
    bucket: FileSystem, upstream: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Spooled._upload

    def breaking(self: Spooled, fs: Any, at: str) -> None:
        self._file.close()
        self._file = BrokenDisk()  # type: ignore[assignment]  # it has what is used of a file
        upload(self, fs, at)

    monkeypatch.setattr(Spooled, "_upload", breaking)
    with pytest.raises(OriginFailed):
        bucket.put("half", BytesBody(noise(17 << 20)), Put(size=17 << 20))
    assert not bucket.delete("half").existed
    assert "Uploads" not in upstream.client().list_multipart_uploads(Bucket="files")


class BrokenDisk:
    """Gives 12 MiB: more than a part."""

    def __init__(self) -> None:
        self._given = 0

    def seek(self, to: int) -> None:
        """It has not begun."""

    def read(self, size: int) -> bytes:
        self._given += size
        if self._given > 12 << 20:
            raise OSError(errno.EIO, "broken")
        return bytes(size)

    def close(self) -> None:
        """Nothing is open."""


def test_an_object_replaced_while_it_is_read_breaks_off(bucket: FileSystem) -> None:
    bucket.put("k", BytesBody(noise(9 << 20)), Put(size=9 << 20))
    with bucket.get("k") as one:
        assert one.body.read()
        bucket.put("k", BytesBody(noise(9 << 20, "other")), Put(size=9 << 20))
        with pytest.raises(Conflict):
            list(pieces(one.body))


def test_the_ETag_of_an_object_store_is_its_own(bucket: FileSystem, upstream: Served) -> None:
    info = bucket.put("k.txt", BytesBody(b"data"), Put(size=4))
    assert info.etag == "8d777f385d3dfec8815d20f7496026dc"
    head = upstream.client().head_object(Bucket="files", Key="k.txt")
    assert head["ETag"] == f'"{info.etag}"'


def test_a_key_is_never_taken_for_a_version_of_another(bucket: FileSystem) -> None:
    bucket.put("k", BytesBody(b"data"), Put(size=4))
    with pytest.raises(NoSuchKey):
        bucket.get("k?versionId=null")


def test_an_upstream_that_denies_the_gateway_is_OriginDenied(upstream: Served) -> None:
    options = {**s3_options(upstream), "secret": "wrong"}
    with closing(opened("s3://files", options)) as store, pytest.raises(OriginDenied):
        store.stat("k")


class InItself(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Each folder has itself in it, as where a server's links lead back."""

    cachable = False
    looks = 0

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[dict[str, Any]]:
        InItself.looks += 1
        return [{"name": f"{path.rstrip('/')}/{'again' * 40}", "type": "directory", "size": 0}]


def test_a_list_of_folders_that_are_in_themselves_ends() -> None:
    tree = RemoteTree(
        Pool(lambda: Connected(InItself(), ""), size=1, patience=1, together=False),
        way=None,
        timeout=None,
        spool=None,
    )
    assert page(tree, ListQuery()).items == []
    assert 0 < InItself.looks < 50


# what fsspec raises and says


class ReadTimeoutError(Exception):
    """As botocore's, which is no `TimeoutError`."""


ReadTimeoutError.__module__ = "botocore.exceptions"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (FileNotFoundError(), NoSuchKey),
        (PermissionError(errno.EACCES, "no"), OriginDenied),
        (OSError(errno.EROFS, "read-only"), OriginDenied),
        (OSError(errno.ENOSPC, "full"), Full),
        (OSError(errno.EDQUOT, "quota"), Full),
        (OSError(errno.EIO, "broken"), OriginFailed),
        (OSError(errno.ENAMETOOLONG, "long"), BadKey),
        (NotADirectoryError(), BadKey),
        (TimeoutError(), TimedOut),
        (ReadTimeoutError(), TimedOut),
        (EOFError(), OriginFailed),
        (paramiko.SSHException("dropped"), OriginFailed),
        (ftplib.error_perm("550 No such file"), NoSuchKey),
        (ftplib.error_perm("550 Permission denied"), OriginDenied),
        (ftplib.error_perm("552 Quota exceeded"), Full),
        (ftplib.error_temp("421 Too many"), OriginFailed),
        (NotImplementedError(), Unsupported),
    ],
)
def test_what_is_raised_becomes_the_contracts_error_without_its_text(
    raised: Exception, kind: type[StorageError]
) -> None:
    with pytest.raises(kind) as found, translated("k"):
        raise raised
    assert type(found.value) is kind
    assert found.value.key == "k"
    assert found.value.__cause__ is raised
    assert not str(raised) or str(raised) not in str(found.value)


def test_a_mistake_of_ours_is_not_taken_for_a_failure_of_theirs() -> None:
    with pytest.raises(ZeroDivisionError), translated("k"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("said", "etag", "modified"),
    [
        ({"ETag": '"d41d8cd98f00b204e9800998ecf8427e"'}, "d41d8cd98f00b204e9800998ecf8427e", 0),
        ({"ETag": '"abc-2"'}, "abc-2", 0),
        ({"etag": "0x8DC"}, "0x8DC-0", 0),
        (
            {"md5Hash": "1B2M2Y8AsgTpgAmY7PhCfg==", "etag": "x"},
            "d41d8cd98f00b204e9800998ecf8427e",
            0,
        ),
        ({"mtime": 1.5}, "16e360-1", 1500),
        ({"modify": "19700101000002.250"}, "225510-1", 2250),
        ({"updated": "1970-01-01T00:00:03Z"}, "2dc6c0-1", 3000),
    ],
)
def test_ETags_and_times_are_read_as_each_file_system_writes_them(
    said: dict[str, Any], etag: str, modified: int
) -> None:
    found = found_of({"name": "k", "type": "file", "size": 1, **said})
    assert found is not None
    assert (found.etag, found.modified) == (etag, modified)


def test_a_file_of_which_nothing_is_known_has_an_ETag_that_is_no_MD5() -> None:
    found = found_of({"name": "k", "type": "file", "size": 1})
    assert found is not None
    assert "-" in found.etag
    assert found_of({"name": "k", "type": "directory", "size": 0}) is None
