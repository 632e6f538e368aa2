"""Who waits for changes, while another process makes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from drivers.local import Local
from gateway.storage import BytesBody, Context, Put

PATIENCE = 30.0


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Local, Local]]:
    """Two on one folder that share nothing in memory, as those of two processes."""
    stores = Local(), Local()
    for one in stores:
        one.open(Context(sid="bucket", folder=tmp_path))
    yield stores
    for one in stores:
        one.close()


def put(store: Local, key: str) -> None:
    store.put(key, BytesBody(b""), Put(size=0))


def waiting(store: Local, got: list[str]) -> Thread:
    """A reader that waits for the next change by now."""
    last = store.changes().last

    def wait() -> None:
        got.extend(one.key for one in store.changes(last, wait=10 * PATIENCE).changes)

    reader = Thread(target=wait, daemon=True)
    reader.start()
    deadline = time.monotonic() + PATIENCE
    while store.service not in store.space.watchers.wakes and time.monotonic() < deadline:
        time.sleep(0.001)
    return reader


def test_who_waits_is_told_of_another_process_s_changes(both: tuple[Local, Local]) -> None:
    here, there = both
    for turn in range(3):
        got = list[str]()
        reader = waiting(here, got)
        put(there, str(turn))
        reader.join(PATIENCE)
        assert got == [str(turn)]
    assert here.space.watchers.wakes == {}
