"""Files that nothing needs go behind the commits, whatever one of them is like."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from drivers.indexed import removals
from drivers.indexed.removals import Removals
from drivers.indexed.space import FileSpace
from drivers.indexed.upkeep import remove_due
from drivers.local import Local
from gateway.storage import BytesBody, Context, IncompleteBody, Put, pieces
from gateway.storage.objects import now
from gateway.testing.faults import PATIENCE
from tests.held_files import held

SIZE = 1 << 20


class Files:
    """Those of `open` cannot be removed. `gone` and `left` are what became of the others."""

    def __init__(self, *is_open: str) -> None:
        self.open, self.tries = set(is_open), 0
        self.gone, self.left = list[str](), list[Sequence[str]]()

    def remove(self, name: str) -> None:
        self.tries += 1
        if name in self.open:
            raise PermissionError(name)
        if name == "odd":
            raise ValueError("embedded null byte")
        self.gone.append(name)


def until(true: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < deadline:  # type: ignore[operator]  # a function
        time.sleep(0.01)
    assert true()  # type: ignore[operator]


def test_a_file_that_cannot_be_removed_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    files = Files("open")
    removing = Removals(files.remove, files.left.append)
    removing.add(["a", "open", "odd", "b"])
    removing.add(["odd", "c"])
    removing.close()
    assert files.gone == ["a", "b", "c"]
    assert files.left == [["open"]]
    assert caplog.text.count("Traceback") == 2


def test_it_goes_when_it_can_without_another_that_comes(caplog: pytest.LogCaptureFixture) -> None:
    files = Files("a", "b")
    removing = Removals(files.remove, files.left.append, [0.01] * 1000)
    removing.add(["a", "b", "c"])
    until(lambda: files.tries > 10)
    assert files.gone == ["c"]
    files.open.clear()
    until(lambda: sorted(files.gone) == ["a", "b", "c"])
    removing.close()
    assert files.left == []
    assert caplog.text == ""


def test_what_does_not_go_is_given_back_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """And at once, where too many wait."""
    names = [str(number) for number in range(30)]
    files = Files(*names)
    monkeypatch.setattr(removals, "MOST", 10)
    removing = Removals(files.remove, files.left.append, [0.02])
    removing.add(names)
    until(lambda: sum(map(len, files.left)) == 30)
    assert sorted(one for left in files.left for one in left) == sorted(names)
    assert len(files.left) < 15
    assert files.tries == 40
    removing.close()


def test_without_a_thread_the_commit_holds_and_the_files_go_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = Files()
    removing = Removals(files.remove, files.left.append)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        removing.add(["a"])
    assert files.gone == []
    removing.add(["b"])
    removing.close()
    assert files.gone == ["a", "b"]


# with an index


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Local]:
    local = opened(tmp_path)
    yield local
    local.close()


def opened(folder: Path) -> Local:
    store = Local(keep_versions="off")
    store.open(Context(sid="bucket", folder=folder, clock=now))
    return store


def put(store: Local, letter: bytes) -> None:
    store.put("k", BytesBody(letter * SIZE), Put(size=SIZE))


def files(folder: Path) -> list[Path]:
    return sorted((folder / "blobs").glob("??/*"))


def test_what_is_overwritten_while_it_is_read_leaves_no_files(store: Local, tmp_path: Path) -> None:
    put(store, b"a")
    done, wrong = threading.Event(), list[object]()

    def keep_reading() -> None:
        try:
            while not done.is_set():
                body = b"".join(pieces(store.get("k").body))
                if body != body[:1] * SIZE:
                    wrong.append(body[:100])
        except Exception as error:
            wrong.append(error)

    readers = [threading.Thread(target=keep_reading) for _ in range(3)]
    for one in readers:
        one.start()
    try:
        for number in range(88):
            put(store, bytes([number]))
        assert len(files(tmp_path)) < 20
    finally:
        done.set()
        for one in readers:
            one.join()
    assert wrong == []
    until(lambda: len(files(tmp_path)) == 1)


def test_what_another_program_holds_goes_soon_after_it_lets_go(
    store: Local, tmp_path: Path
) -> None:
    put(store, b"a")
    (path,) = files(tmp_path)
    with held(path):
        put(store, b"b")
        time.sleep(0.1)
        assert path.exists()
    until(lambda: not path.exists())


def test_what_another_program_holds_goes_after_a_restart(store: Local, tmp_path: Path) -> None:
    put(store, b"a")
    (path,) = files(tmp_path)
    with held(path):
        store.delete("k")
        store.close()
        assert files(tmp_path) == [path]
        again = opened(tmp_path)
        assert isinstance(again.space, FileSpace)
        for _ in range(2):
            assert remove_due(again.space) == 0
    assert remove_due(again.space) == 1
    assert files(tmp_path) == []
    assert again.space.one("SELECT count(*) FROM blobs", ()) == (0,)
    again.close()


def test_a_write_that_failed_leaves_nothing_when_another_program_lets_go(
    store: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks at new files has them open as soon as they are there."""
    real, asked = store.space.blobs.remove, list[str]()

    def held_once(name: str) -> None:
        asked.append(name)
        if len(asked) == 1:
            raise PermissionError(name)
        real(name)

    monkeypatch.setattr(store.space.blobs, "remove", held_once)
    with pytest.raises(IncompleteBody):
        store.put("k", BytesBody(bytes(SIZE)), Put(size=SIZE + 1))
    until(lambda: not files(tmp_path))
    assert len(asked) == 2
