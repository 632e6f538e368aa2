"""Bodies that lend stretches of files, through the app to a server that takes them, or does not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.storage import IteratorBody, Stretch
from gateway.web.exchange import LENT, WORTH_LENDING, Sent
from gateway.web.rates import Rate
from gateway.web.replies import Reply, send
from tests.test_app import environ, make

TAKES: dict[str, Any] = {"gateway.takes_stretches": True}


class InFile:
    """All of a file, lent from `begins` on. `next`: an iterator as those of the drivers."""

    def __init__(self, path: Path, begins: int = 0) -> None:
        self.file, self.begins = path.open("rb"), begins
        self.size, self.at = path.stat().st_size, 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.file.seek(self.at)
        piece = self.file.read(1000)
        self.at += len(piece)
        if not piece:
            raise StopIteration
        return piece

    def stretch(self, most: int, /) -> Stretch | None:
        length = min(most, self.size - self.at)
        if self.at < self.begins or not length:
            return None
        self.at += length
        return Stretch(self.file.fileno(), self.at - length, length)

    def close(self) -> None:
        self.file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(2 * LENT + 12_345))
    return path


def answering(body: InFile, length: int, rate: Rate | None = None) -> Callable[..., Any]:
    def mode(request: dict[str, Any], start: Callable[..., Any]) -> Any:
        if rate is not None:
            request["gateway.admission"](answer=True, rate=rate)
        return send(Reply(200, [], IteratorBody(body), length), request, start)

    return mode


def read(piece: bytes | Stretch) -> bytes:
    if isinstance(piece, bytes):
        return piece
    os.lseek(piece.file, piece.start, os.SEEK_SET)
    return os.read(piece.file, piece.length)


@pytest.mark.parametrize("begins", [0, 1, 3000])
def test_a_server_that_takes_stretches_gets_the_same_bytes(path: Path, begins: int) -> None:
    body = InFile(path, begins)
    app, kept = make({"one": answering(body, body.size)})
    sent = app(environ(**TAKES), lambda *_: None)
    kinds: list[type] = []
    got = b""
    for piece in sent:
        assert len(piece) <= LENT
        kinds.append(type(piece))
        got += read(piece)
    assert got == path.read_bytes()
    assert kinds[-1] is Stretch
    assert kinds.count(bytes) == -(-begins // 1000)
    assert (kept.records[0].sent, kept.records[0].aborted) == (body.size, False)
    sent.close()  # type: ignore[attr-defined]
    assert body.file.closed


def test_no_more_is_lent_than_was_announced(path: Path) -> None:
    announced = LENT + 7
    body = InFile(path)
    app, kept = make({"one": answering(body, announced)})
    got = b"".join(map(read, app(environ(**TAKES), lambda *_: None)))
    body.close()
    assert got == path.read_bytes()[:announced]
    assert kept.records[0].sent == announced


def test_who_does_not_take_stretches_gets_none(path: Path) -> None:
    """Nor is any of use for a short answer, or is one to be sent at a rate."""
    size = path.stat().st_size
    rows: list[tuple[str, dict[str, Any], int, Rate | None]] = [
        ("another server", {}, size, None),
        ("short", TAKES, WORTH_LENDING, None),
        ("at a rate", TAKES, size, Rate(1 << 30)),
    ]
    for name, said, length, rate in rows:
        body = InFile(path)
        app, _ = make({"one": answering(body, length, rate)})
        got = list(app(environ(**said), lambda *_: None))
        body.close()
        assert {type(piece) for piece in got} == {bytes}, name
        assert b"".join(got) == path.read_bytes()[:length], name


@pytest.mark.parametrize("short", [False, True])
def test_what_a_server_could_not_send_is_not_counted(path: Path, short: bool) -> None:
    body = InFile(path)
    app, kept = make({"one": answering(body, body.size)})
    request = environ(**TAKES)
    sent = app(request, lambda *_: None)
    assert isinstance(sent, Sent)
    assert request["gateway.record"].sending is sent
    stretches = [next(sent), next(sent), next(sent)]  # all of it was given
    assert sum(map(len, stretches)) == body.size
    sent.cut(345, short=short)
    sent.close()
    (record,) = kept.records
    assert (record.sent, record.aborted, record.corrupt) == (body.size - 345, True, short)
    assert body.file.closed


def test_a_client_that_goes_after_a_stretch_closes_the_body(path: Path) -> None:
    body = InFile(path)
    app, kept = make({"one": answering(body, body.size)})
    sent = app(environ(**TAKES), lambda *_: None)
    next(iter(sent))
    sent.close()  # type: ignore[attr-defined]
    assert (kept.records[0].sent, kept.records[0].aborted) == (LENT, True)
    assert body.file.closed
