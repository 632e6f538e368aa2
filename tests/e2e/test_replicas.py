"""A replica and its source, of which now the one and now the other is killed while the source is
written to: in the end both have the same versions, and the same feed of changes.

GATEWAY_CRASH_ROUNDS=50 makes it long.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from drivers.indexed.replica.options import ReplicaOf
from drivers.local import Local
from gateway.storage import Context, Secret
from tests.e2e.conftest import SECRET, environment, free_port, wait_until_ready
from tests.e2e.raw import eventually
from tests.e2e.test_operations import kill
from tests.replicas.pair import contents
from tests.starting import Popen, run

ROUNDS = int(os.environ.get("GATEWAY_CRASH_ROUNDS", "1"))


class Gateway:
    """One that is killed and started again, at the same address and in the same folder."""

    def __init__(self, folder: Path, options: str = "") -> None:
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "gateway.toml").write_text(
            f'[server]\nlisten = "127.0.0.1:{self.port}"\ndata = "{(folder / "data").as_posix()}"\n'
            f'server = "waitress"\n[services.photos]\ndriver = "local"\n{options}',
            encoding="utf-8",
        )
        self.process: subprocess.Popen[str] | None = None

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "gateway", *words, "--config", "gateway.toml"]

    def start(self) -> None:
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            self.process = Popen(
                self.command("serve"), env=environment(), stdout=log, stderr=log, text=True,
                cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        wait_until_ready(self.url, self.port, self.process)

    def kill(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            kill(process)

    def last(self) -> object:
        """The sync id of its newest change; None while it does not say."""
        headers = {"x-owncdn-key": SECRET}
        asked = f"{self.url}/syncnext?sid=photos&syncid={1 << 61}"
        try:
            with urllib.request.urlopen(urllib.request.Request(asked, headers=headers)) as answer:
                return json.load(answer)["lastSyncId"]
        except urllib.error.HTTPError as error:
            error.close()
            return None

    def told(self) -> str:
        """What `gateway services` says of it."""
        words = self.command("services")
        done = run(
            words, env=environment(), capture_output=True, text=True, cwd=self.folder, check=True
        )
        return str(done.stdout)


class Writer(threading.Thread):
    """Writes on one connection, which is made anew when it broke. `count` of the answers."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port, self._over, self.count = port, threading.Event(), 0

    def run(self) -> None:
        number, chance = 0, random.Random(7)
        while not self._over.is_set():
            connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
            try:
                while not self._over.is_set():
                    number += 1
                    self._write(connection, number, chance)
            except (OSError, HTTPException):
                time.sleep(0.02)
            finally:
                connection.close()

    def _write(self, connection: HTTPConnection, number: int, chance: random.Random) -> None:
        method, name = ("DELETE", "deletefile") if chance.random() < 0.2 else ("PUT", "uploadfile")
        body = b"" if method == "DELETE" else b"%d " % number * chance.choice((1, 50, 30_000))
        headers = {"x-owncdn-key": SECRET, "x-meta-number": str(number)}
        path = f"/{name}?sid=photos&path=k{chance.randrange(20)}"
        connection.request(method, path, body, headers)
        connection.getresponse().read()
        self.count += 1

    def finish(self) -> None:
        self._over.set()
        self.join()


@contextmanager
def store(folder: Path, of: ReplicaOf | None = None) -> Iterator[Local]:
    found = Local(replica_of=of)
    found.open(Context(sid="photos", folder=folder / "data"))
    try:
        yield found
    finally:
        found.close()


def test_either_side_is_killed_and_nothing_is_missed_or_done_twice(tmp_path: Path) -> None:
    source = Gateway(tmp_path / "source")
    told = f'replica_of = {{ url = "{source.url}", key = "{SECRET}", sid = "photos" }}\n'
    replica = Gateway(tmp_path / "replica", told)
    writer = Writer(source.port)
    try:
        source.start()
        replica.start()
        writer.start()
        for number in range(ROUNDS):
            for one in (replica, source):
                before = writer.count
                eventually(lambda before=before: writer.count > before + 20, "writes")  # type: ignore[misc]
                time.sleep(0.05 * (number % 5))
                one.kill()
                one.start()
        writer.finish()
        eventually(lambda: replica.last() == source.last(), "all came")
        assert f"follows {source.url}, service 'photos': all up to" in replica.told()
        assert SECRET not in (replica.folder / "log").read_text(encoding="utf-8")
    finally:
        if writer.is_alive():
            writer.finish()
        source.kill()
        replica.kill()
    of = ReplicaOf(url=source.url, key=Secret(SECRET), sid="photos")
    with store(source.folder) as first, store(replica.folder, of) as second:
        assert second.position().sequence == first.changes().last
        assert first.changes().changes
        after = 0
        while page := first.changes(after).changes:
            assert second.changes(after).changes == page
            after = page[-1].sequence
        assert contents(second) == contents(first)
