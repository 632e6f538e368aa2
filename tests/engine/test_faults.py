"""A disk that is full or fails, at every point of every change: all or nothing, said in the
contract's words, and the next change works.

Calls of our own are made to fail one after the other, in this process. Those of
SQLite, and again ours, are made to fail by the kernel, in a process under `strace`.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from drivers.indexed.space import FileSpace
from drivers.indexed.upkeep import remove_due, remove_orphans
from drivers.local import Local
from gateway.storage import (
    BytesBody,
    Context,
    Full,
    NoSuchKey,
    PartRef,
    Put,
    StorageError,
    Unavailable,
    pieces,
)
from gateway.storage.objects import now
from gateway.testing.faults import DISK_CALLS, disk_fault, noise
from tests.e2e.crash_model import body, tag_of
from tests.e2e.tracing import cannot_trace

ROOT = Path(__file__).parents[2]
LARGE = 700_000
DAY = 24 * 3_600_000
ERRORS: dict[int, type[StorageError]] = {errno.ENOSPC: Full, errno.EIO: Unavailable}


def opened(folder: Path, clock: Callable[[], int] = now) -> Local:
    store = Local(keep_versions="off", inline_limit=4096)
    store.open(Context(sid="bucket", folder=folder, clock=clock))
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Local]:
    local = opened(tmp_path)
    yield local
    local.close()


def put(store: Local, key: str, size: int, tag: str = "tag") -> None:
    data = body(tag, size)
    store.put(key, BytesBody(data), Put(size=len(data)))


def send(store: Local, upload: str, number: int, size: int) -> PartRef:
    data = noise(size)
    part = store.put_part("k", upload, number, BytesBody(data), Put(size=size))
    return PartRef(number=number, etag=part.etag)


def files(store: Local) -> set[str]:
    assert isinstance(store.space, FileSpace)
    return {name for name, _ in store.space.files.names()}


def needed(store: Local) -> set[str]:
    with store.space.reading() as connection:
        return {name for (name,) in connection.execute("SELECT name FROM blobs WHERE name > ''")}


def picture(store: Local) -> object:
    """All that a user can see."""
    entries = store.list().entries
    contents = [tag_of(read(store, entry.key)) for entry in entries]
    uploads = store.uploads().uploads
    parts = [store.parts(one.key, one.id) for one in uploads]
    return entries, contents, uploads, parts, store.stats(), store.changes().last


def read(store: Local, key: str) -> bytes:
    with store.get(key) as found:
        return b"".join(pieces(found.body))


# our own calls, one after the other

Change = Callable[[Local, str], object]


def complete(store: Local, upload: str) -> object:
    refs = [PartRef(number=one.number, etag=one.etag) for one in store.parts("k", upload)]
    return store.complete("k", upload, refs)


CHANGES: dict[str, Change] = {
    "a small object": lambda store, _: put(store, "k", 1000, "new"),
    "a large object": lambda store, _: put(store, "k", LARGE, "new"),
    "a new object": lambda store, _: put(store, "another", LARGE, "new"),
    "a part": lambda store, upload: send(store, upload, 2, LARGE),
    "a part anew": lambda store, upload: send(store, upload, 1, LARGE),
    "a copied part": lambda store, upload: store.copy_part("k", upload, 2, store, "k"),
    "parts made one": complete,
    "a copy": lambda store, _: store.copy(store, "k", "copy"),
    "a copy of few bytes as a part": lambda store, upload: store.copy_part(
        "k", upload, 2, store, "small"
    ),
    "a removal": lambda store, _: store.delete("k"),
    "an end of an upload": lambda store, upload: store.abort("k", upload),
}
WITH_FILES = {"a large object", "a new object", "a part", "a part anew"}


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.__getitem__)
@pytest.mark.parametrize("change", CHANGES)
def test_wherever_a_call_fails_nothing_has_changed(store: Local, change: str, code: int) -> None:
    put(store, "k", LARGE)
    put(store, "small", 100)
    upload = store.begin("k").id
    data = body("of-parts", 100_000)
    store.put_part("k", upload, 1, BytesBody(data), Put(size=len(data)))
    before, failed = picture(store), set()
    for nth in count(1):
        with disk_fault(nth, code) as fault:
            try:
                CHANGES[change](store, upload)
            except ERRORS[code]:
                assert fault.fired
            else:
                break
        failed.add(fault.fired)
        assert picture(store) == before, f"the {nth}th call, {fault.fired}"
        assert files(store) == needed(store), f"the {nth}th call, {fault.fired}"
    assert not fault.fired, f"{fault.fired} failed, and it was acknowledged"
    if change in WITH_FILES:  # else the seam misses what it is for
        assert "open" in failed
        assert failed & {"write", "writev", "pwrite", "pwritev"}
        assert failed & {"fsync", "fdatasync"}
    assert picture(store) != before  # it worked, in the end
    assert [step.damage for step in store.scrub() if step.damage] == []


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.__getitem__)
def test_a_file_that_cannot_even_be_removed_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = opened(tmp_path)
    put(store, "k", LARGE)

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        for name in ("unlink", "remove"):
            patch.setattr(os, name, fail)
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, fail, raising=False)
        with pytest.raises(ERRORS[code]):
            put(store, "k", LARGE, "new")
    assert tag_of(read(store, "k")) == "tag"
    store.close()
    collected(tmp_path)


def collected(folder: Path) -> None:
    """Whatever happened: the index is sound, no byte is damaged, and after the collector
    there is no file that nothing needs."""
    database = sqlite3.connect(folder / "index.db")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    store = opened(folder, lambda: now() + DAY)
    space = store.space
    assert isinstance(space, FileSpace)
    for upload in store.uploads().uploads:
        store.abort(upload.key, upload.id)
    space.grace = 0
    remove_orphans(space, age=-1)
    while remove_due(space):
        pass
    assert files(store) == needed(store)
    assert [step.damage for step in store.scrub() if step.damage] == []
    store.close()


# the kernel's, SQLite's too: a process under strace

TURNS = 60


def work(folder: Path, seed: int, die: bool) -> None:
    """Change keys, while calls fail now and then. Ends with what each key may hold, and how
    many changes were refused; or, to `die`, by SIGKILL at the first that is uncertain."""
    store, dice = opened(folder), random.Random(seed)
    possible: dict[str, set[str | None]] = {f"k{number}": {None} for number in range(4)}
    put_until_done(store, "source")
    full = unavailable = 0
    for turn in range(TURNS):
        key = f"k{dice.randrange(4)}"
        new, change = some_change(store, dice, key, f"t{turn}")
        try:
            change()
        except Full:  # for sure not done
            full += 1
        except Unavailable:
            unavailable += 1
            possible[key].add(new)
        else:
            possible[key] = {new}
        if die and unavailable:
            say(f"{possible!r}\n0 1\n")
            os.kill(os.getpid(), signal.SIGKILL)
        found = stored(store, key)
        assert found in possible[key], (turn, key, found, possible[key])
        possible[key] = {found}
    say(f"{possible!r}\n{full} {unavailable}\n")


def put_until_done(store: Local, key: str) -> None:
    for _ in range(20):
        try:
            put(store, key, 100_000, key)
        except (Full, Unavailable):
            continue
        return
    raise AssertionError("it never works")


def some_change(
    store: Local, dice: random.Random, key: str, tag: str
) -> tuple[str | None, Callable[[], object]]:
    """What the key holds after it, and the change."""
    kind = dice.choice(["small", "large", "delete", "copy", "parts"])
    if kind == "delete":
        return None, lambda: store.delete(key)
    if kind == "copy":
        return "source", lambda: store.copy(store, "source", key)
    if kind == "parts":
        return tag, lambda: in_parts(store, key, body(tag, 20_000))
    size = 1000 if kind == "small" else 20_000
    return tag, lambda: put(store, key, size, tag)


def in_parts(store: Local, key: str, data: bytes) -> None:
    upload = store.begin(key).id
    refs = []
    for number, piece in enumerate((data[:9000], data[9000:]), 1):
        part = store.put_part(key, upload, number, BytesBody(piece), Put(size=len(piece)))
        refs.append(PartRef(number=number, etag=part.etag))
    store.complete(key, upload, refs)


def stored(store: Local, key: str) -> str | None:
    try:
        return tag_of(read(store, key))
    except NoSuchKey:
        return None


def say(text: str) -> None:
    """`write` may be the call that fails."""
    for _ in range(5):
        try:
            os.write(1, text.encode())
        except OSError:
            continue
        return


def under_faults(
    folder: Path, calls: str, error: str, when: str, *, die: bool = False
) -> tuple[dict[str, set[str | None]], int, int]:
    """What `work` said."""
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:error={error}:when={when}"]
    command += [sys.executable, __file__, str(folder), "5", "die" if die else ""]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    ended = (0, -signal.SIGKILL, 128 + signal.SIGKILL) if die else (0,)
    assert done.returncode in ended, done.stderr
    lines = done.stdout.splitlines()
    full, unavailable = map(int, lines[-1].split())
    possible: dict[str, set[str | None]] = eval(lines[-2])
    return possible, full, unavailable


traced = pytest.mark.skipif(bool(cannot_trace()), reason=cannot_trace() or "it can")
SYNCS = "fsync,fdatasync"


@traced
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("calls", ["write", "pwrite64", SYNCS], ids=["blob", "index", "sync"])
@pytest.mark.usefixtures("processes")
def test_calls_that_fail_in_the_kernel_leave_all_or_nothing(
    tmp_path: Path, calls: str, error: str
) -> None:
    opened(tmp_path).close()
    step = {"write": 3, "pwrite64": 17, SYNCS: 5}[calls]
    possible, full, unavailable = under_faults(tmp_path, calls, error, f"9+{step}")
    if error == "EIO":
        assert not full
        assert unavailable >= 5
    else:  # SQLite knows no full disk where it syncs
        assert full >= 5
        assert bool(unavailable) == (calls == SYNCS)
    store = opened(tmp_path)
    for key, states in possible.items():
        assert stored(store, key) in states
    store.close()
    collected(tmp_path)


@traced
@pytest.mark.parametrize(
    ("calls", "when"), [("pwrite64", 25), (SYNCS, 12), (SYNCS, 14), (SYNCS, 16), (SYNCS, 19)]
)
@pytest.mark.usefixtures("processes")
def test_dying_of_a_commit_that_failed_leaves_all_or_nothing(
    tmp_path: Path, calls: str, when: int
) -> None:
    """The log may hold it, and then it comes back: with all of its bytes."""
    opened(tmp_path).close()
    possible, _, _ = under_faults(tmp_path, calls, "EIO", f"{when}", die=True)
    store = opened(tmp_path)
    for key, states in possible.items():
        assert stored(store, key) in states
    store.close()
    collected(tmp_path)


# the seam itself


def test_each_call_fails_in_its_turn_and_only_once(tmp_path: Path) -> None:
    assert {"open", "write", "fsync", "replace"} <= set(DISK_CALLS)
    path, fired = tmp_path / "file", []
    for nth in count(1):
        with disk_fault(nth, errno.EIO) as fault:
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT)
                try:
                    os.write(handle, b"x")
                    os.fsync(handle)
                finally:
                    os.close(handle)
                path.replace(path)
            except OSError as error:
                assert error.errno == errno.EIO
        if not fault.fired:
            break
        fired.append(fault.fired)
    assert fired == ["open", "write", "fsync", "replace"]
    assert fault.calls == 4


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), bool(sys.argv[3]))
