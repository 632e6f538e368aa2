"""What the operating system refuses, as clients hear it: never as a mistake of ours, and
nothing is lost or kept by it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.indexed import sql_errors
from drivers.indexed.cipher import BLOCK
from drivers.local import Local
from gateway.storage import (
    Busy,
    BytesBody,
    Context,
    Full,
    PartRef,
    Put,
    StorageError,
    Unavailable,
    pieces,
    read_full,
)

BIG = os.urandom(600_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Local]:
    local = Local(keep_versions="off")
    local.open(Context(sid="bucket", folder=tmp_path))
    yield local
    local.close()


def put(store: Local, key: str, body: bytes = BIG) -> None:
    store.put(key, BytesBody(body), Put(size=len(body)))


def read(store: Local, key: str) -> bytes:
    with store.get(key) as found:
        return b"".join(pieces(found.body))


@contextmanager
def descriptors(free: int) -> Iterator[None]:
    """This process may open so many files more."""
    if sys.platform == "win32":
        pytest.skip("there is no such limit")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(free + 1)]
    for handle in held:
        os.close(handle)
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1], hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_files_to_open_the_caller_is_asked_to_come_again(store: Local) -> None:
    put(store, "big")
    with store.space.looking(), descriptors(0):  # the connection that was idle is taken
        with pytest.raises(Busy):
            store.get("big")
        with pytest.raises(Busy):
            put(store, "big", b"x" * 100_000)
        with pytest.raises(Busy):
            store.list()
    assert read(store, "big") == BIG
    put(store, "big", b"new")
    assert read(store, "big") == b"new"


@pytest.mark.parametrize("free", range(1, 4))
def test_a_connection_that_cannot_be_used_holds_no_file(store: Local, free: int) -> None:
    """It would be one more for each request that was refused, until the gateway is restarted."""
    put(store, "k", b"x")
    opened: list[Any] = store.space._opened  # type: ignore[attr-defined]  # a FileSpace
    with store.space.looking(), descriptors(free):
        before = len(opened)
        results = {_listed(store) for _ in range(5)}
        assert len(results) == 1, "each refusal leaves less for the next"
        assert len(opened) - before == (results == {"done"})
    assert _listed(store) == "done"


def _listed(store: Local) -> str:
    try:
        store.list()
    except Busy:
        return "busy"
    return "done"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((one, Full) for one in (errno.ENOSPC, errno.EDQUOT)),
        *((one, Busy) for one in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)),
        *((one, Unavailable) for one in (errno.EIO, errno.EACCES, errno.ESTALE, errno.EROFS)),
    ],
    ids=str,
)
def test_each_refusal_is_the_contracts_wherever_it_comes(
    store: Local, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[StorageError]
) -> None:
    upload = store.begin("parts").id
    put(store, "big")
    ref = store.copy_part("parts", upload, 1, store, "big")
    store.complete("parts", upload, [PartRef(number=1, etag=ref.etag)])
    found, in_parts = store.get("big"), store.get("parts")

    def fail(*arguments: object, **options: object) -> Any:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", fail)
        for opened in (found, in_parts):
            assert read_full(opened.body, BLOCK) == BIG[:BLOCK]
            with pytest.raises(kind) as error:
                opened.body.read()
            assert type(error.value) is kind
            opened.close()
        with pytest.raises(kind):
            store.get("big")
        (damage,) = {step.damage.message for step in store.scrub() if step.damage}
        assert "cannot be read" in damage
        patch.undo()
        patch.setattr("drivers.indexed.blobs.FileBlocks", fail)
        with pytest.raises(kind):
            store.get("big")
    assert read(store, "big") == read(store, "parts") == BIG


def test_a_part_whose_file_is_gone_breaks_the_answer_off(store: Local, tmp_path: Path) -> None:
    for key in ("one", "two"):
        put(store, key)
    upload = store.begin("both").id
    refs = [
        PartRef(number=number, etag=store.copy_part("both", upload, number, store, key).etag)
        for number, key in enumerate(("one", "two"), 1)
    ]
    store.complete("both", upload, refs)
    with store.space.reading() as connection:
        names = connection.execute("SELECT name FROM blobs ORDER BY id").fetchall()
    (tmp_path / "blobs" / names[1][0][:2] / names[1][0]).unlink()
    with store.get("both") as found, pytest.raises(StorageError, match="gone"):
        list(pieces(found.body))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, sql_errors.NoSpace),
        (sqlite3.SQLITE_IOERR_SHMSIZE, sql_errors.NoSpace),
        (sqlite3.SQLITE_IOERR, Unavailable),
        (sqlite3.SQLITE_CANTOPEN, Unavailable),
        (sqlite3.SQLITE_BUSY, Unavailable),
    ],
)
def test_sqlites_refusals_are_the_contracts(code: int, kind: type[StorageError]) -> None:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = code
    assert type(sql_errors.translate(error)) is kind
    with descriptors(0):
        expected = Busy if code == sqlite3.SQLITE_CANTOPEN else kind
        assert type(sql_errors.translate(error)) is expected
