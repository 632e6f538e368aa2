"""A follower's process is killed in the middle, again and again, while changes are made: none
is lost, all come in order, and what comes twice is marked."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gateway.storage import BytesBody, Put
from tests.background.following import opened
from tests.starting import Popen

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 120
ROUNDS = int(os.environ.get("GATEWAY_FOLLOWER_ROUNDS", "25"))


class Log:
    """The lines that have come so far."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("rb")
        self._rest = b""
        self.lines: list[tuple[int, bool, list[int]]] = []

    def look(self) -> None:
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        self.lines += [tuple(json.loads(line)) for line in whole]

    def await_(self, what: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        self.look()
        while not what():
            assert time.monotonic() < until, f"nobody follows: {self.lines[-3:]}"
            time.sleep(0.002)
            self.look()

    def close(self) -> None:
        self._file.close()


class Writer:
    """Makes changes until the block ends; then `last` is the newest."""

    def __init__(self, folder: Path) -> None:
        self._store = opened(folder)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.last = 0

    def _write(self) -> None:
        for number in itertools.count():
            self._store.put(f"k{number % 100}", BytesBody(b"x"), Put(size=1))
            if self._stop.wait(0.005):
                return

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self.last = self._store.changes().last
        self._store.close()


@pytest.mark.usefixtures("processes", "seconds")
def test_no_kill_loses_a_change_or_repeats_one_unmarked(tmp_path: Path) -> None:
    """There are always two, so that each kill is also a change of who leads."""
    data, place = tmp_path / "data", tmp_path / "log"
    running: dict[int, subprocess.Popen[bytes]] = {}
    numbers, chance, killed = itertools.count(), random.Random(1), []

    def begin() -> None:
        number = next(numbers)
        words = ["-m", "tests.background.following", str(data), str(place), str(number)]
        running[number] = Popen([sys.executable, *words], cwd=ROOT)

    def kill(number: int) -> None:
        child = running.pop(number)
        child.kill()
        child.wait(PATIENCE)

    with closing(Log(place)) as log:
        try:
            with Writer(data) as writer:
                begin()
                begin()
                for _ in range(ROUNDS):
                    more = len(log.lines) + chance.randint(1, 4)
                    log.await_(lambda more=more: len(log.lines) >= more)  # type: ignore[misc]
                    leader = log.lines[-1][0]
                    time.sleep(chance.uniform(0, 0.004))
                    kill(leader)
                    log.look()
                    killed.append(leader)
                    begin()
            log.await_(lambda: log.lines[-1][2][-1] >= writer.last)
        finally:
            for number in list(running):
                kill(number)

    assert len(set(killed)) == ROUNDS
    check(log.lines, writer.last)


def check(lines: Sequence[tuple[int, bool, list[int]]], last: int) -> None:
    seen, marked = 0, 0
    for _, repeated, numbers in lines:
        first = numbers[0]
        assert numbers == list(range(first, first + len(numbers))), "not in order"
        if repeated:
            assert first <= seen + 1, "some were left out"
            marked += first <= seen
        else:
            assert first == seen + 1, "some were left out, or handed again and not marked"
        seen = max(seen, numbers[-1])
    assert seen == last
    assert marked, "no kill came in the middle of anything"
