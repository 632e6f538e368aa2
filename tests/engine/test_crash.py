"""A process that is killed in the middle of anything loses nothing that it acknowledged.

Two writers work on one folder, as two workers of a server do, each in a bucket
of one volume. Each notes on a pipe what it is about to do, and that it was done;
then both are killed. What was done must be there; what was under way may or may
not be, but whole; and what is counted is what is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from drivers.indexed.space import FileSpace
from drivers.indexed.upkeep import remove_due, remove_orphans
from drivers.local import Local
from gateway.storage import (
    BytesBody,
    Context,
    Delete,
    NoSuchKey,
    PartRef,
    Put,
    VolumeStats,
    pieces,
)

pytestmark = pytest.mark.usefixtures("processes")

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("GATEWAY_CRASH_ROUNDS", "4"))


VOLUME, QUOTA = "v", 1 << 40


def opened(folder: Path) -> Local:
    account = Local(inline_limit=4096)
    account.open(Context(sid="", folder=folder))
    return account


def bucket(account: Local, writer: int) -> Local:
    return cast(Local, account.bucket(f"w{writer}"))


def body(seed: int) -> bytes:
    """Up to 300 kB: half are in the index, half in files."""
    size = seed % 3000 if seed % 2 else 5000 + seed % 300_000
    return random.Random(seed).randbytes(size)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# the child


def work(folder: Path, writer: int, seed: int) -> None:
    """Change keys of its own for ever, telling of each change before and after."""
    store, dice = bucket(opened(folder), writer), random.Random(seed)
    counter = 0
    while True:
        counter += 1
        key = f"w{writer}/{dice.randrange(12)}"
        action = dice.choice(["put", "put", "put", "delete", "parts", "copy"])
        content = seed * 1000 + counter
        if action == "copy" and not copyable(store, writer):
            action = "put"
        tell("begin", key, action, content)
        change(store, writer, key, action, content)
        tell("done", key, action, content)


def tell(*words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def copyable(store: Local, writer: int) -> bool:
    try:
        store.stat(f"w{writer}/source")
    except NoSuchKey:
        data = body(7)
        store.put(f"w{writer}/source", BytesBody(data), Put(size=len(data)))
        return False
    return True


def change(store: Local, writer: int, key: str, action: str, content: int) -> None:
    if action == "delete":
        store.delete(key, Delete())
    elif action == "copy":
        store.copy(store, f"w{writer}/source", key)
    elif action == "parts":
        upload = store.begin(key)
        refs = []
        for number, data in enumerate(parts(content), 1):
            part = store.put_part(key, upload.id, number, BytesBody(data), Put(size=len(data)))
            refs.append(PartRef(number=number, etag=part.etag))
        store.complete(key, upload.id, refs)
    else:
        data = body(content)
        store.put(key, BytesBody(data), Put(size=len(data)))


def parts(content: int) -> list[bytes]:
    return [body(content), body(content + 1)]


def result(action: str, content: int) -> str | None:
    """The digest of what a key holds after a change; None when it is gone."""
    if action == "delete":
        return None
    if action == "copy":
        return digest(body(7))
    return digest(b"".join(parts(content)) if action == "parts" else body(content))


# the parent


def run_and_kill(folder: Path, seed: int, seconds: float) -> list[list[Any]]:
    """What both writers told until they were killed, `seconds` after they began."""
    command = [sys.executable, __file__, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    children = [
        subprocess.Popen(
            [*command, str(writer), str(seed + writer)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for writer in range(2)
    ]
    first = [child.stdout.readline() if child.stdout else "" for child in children]
    time.sleep(seconds)
    for child in children:
        child.kill()
    told: list[list[Any]] = []
    for child, begun in zip(children, first, strict=True):
        output, _ = child.communicate()
        lines = (begun + output).splitlines(keepends=True)
        told += [json.loads(line) for line in lines if line.endswith("\n")]
    return told


def expectations(told: list[list[Any]], expected: dict[str, set[str | None]]) -> None:
    """Which contents each key may have now: the last one done, or one begun after it."""
    for word, key, action, content in told:
        after = result(action, content)
        if word == "done":
            expected[key] = {after}
        else:
            expected.setdefault(key, {None}).add(after)


@pytest.mark.skipif(sys.platform == "win32", reason="kills processes by SIGKILL")
def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    expected: dict[str, set[str | None]] = {}
    done = 0
    with closing(opened(tmp_path)) as account:
        account.set_volume(VOLUME, QUOTA)
        for writer in range(2):
            account.create(f"w{writer}", volume=VOLUME)
    for number in range(ROUNDS):
        told = run_and_kill(tmp_path, 100 * number + 1, 0.1 + 0.05 * (number % 7))
        expectations(told, expected)
        done += sum(1 for words in told if words[0] == "done")
        check(tmp_path, expected)
    assert done > ROUNDS  # the writers did get somewhere


def check(folder: Path, expected: dict[str, set[str | None]]) -> None:
    database = sqlite3.connect(folder / "index.db")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    account = opened(folder)
    space = account.space
    assert isinstance(space, FileSpace)
    stores = [bucket(account, writer) for writer in range(2)]
    counted(account, stores)
    for key, allowed in expected.items():
        found = stored(account, key)
        assert found in allowed, f"{key} is neither what was acknowledged nor what was begun"
        expected[key] = {found}
    remove_orphans(space, age=0)
    space.grace = 0
    for store in stores:
        assert [step.damage for step in store.scrub() if step.damage] == []
        for upload in store.uploads().uploads:
            store.abort(upload.key, upload.id)
    while remove_due(space):
        pass
    counted(account, stores)
    until = time.monotonic() + 10  # what was dropped just now goes in a thread of its own
    while (left := {name for name, _ in space.files.names()} - known(account)) and (
        time.monotonic() < until
    ):
        time.sleep(0.005)
    assert not left
    assert all(stored(account, key) in allowed for key, allowed in expected.items())
    account.close()


def counted(account: Local, stores: list[Local]) -> int:
    """Of the quota; what is counted is what is there."""
    assert all(store.recount().right for store in stores)
    stats = [store.stats() for store in stores]
    used = sum(one.bytes + one.waiting for one in stats)
    assert account.volumes() == {VOLUME: VolumeStats(QUOTA, used, 2)}
    return used


def stored(account: Local, key: str) -> str | None:
    """What is there: a key begins with its writer, and so its bucket."""
    try:
        with account.bucket(key.partition("/")[0]).get(key) as found:
            return digest(b"".join(pieces(found.body)))
    except NoSuchKey:
        return None


def known(account: Local) -> set[str]:
    with account.space.reading() as connection:
        return {name for (name,) in connection.execute("SELECT name FROM blobs WHERE name > ''")}


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
