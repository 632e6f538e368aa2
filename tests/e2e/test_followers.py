"""Followers of change feeds in a gateway with two workers: one of them has it, and when that
one is killed the other goes on where it was.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.conftest import Running, serving, workers_of
from tests.e2e.plugin_site import plugin_site
from tests.e2e.raw import eventually
from tests.modes.webhook_receiver import Receiver

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="granian is not for Windows")

PLUGIN = '''
import json, os, threading
from gateway.hookspecs import hookimpl

LOG = os.environ["FOLLOWER_LOG"]


class Following:
    """Notes what it is handed, and never ends with the first that has a key "stuck"."""

    name = "following"

    def claims(self, environ):
        return False

    def app(self, gateway):
        gateway.followers.follow("noted", gateway.feed("files"), self.note, batch=3)
        return lambda environ, start: []

    def note(self, delivery):
        assert delivery.reset is None
        changes = [[one.sequence, one.key] for one in delivery.changes]
        line = json.dumps([os.getpid(), delivery.repeated, changes]) + "\\\\n"
        to = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(to, line.encode())
        os.close(to)
        if not delivery.repeated and "stuck" in [key for _, key in changes]:
            threading.Event().wait()


@hookimpl
def gateway_modes():
    return [Following()]
'''.replace("\\\\n", "\\n")
CONFIG = '[services.files]\ndriver = "local"\n'


class Noted(NamedTuple):
    pid: int
    repeated: bool
    keys: list[str]
    numbers: list[int]


def noted(log: Path) -> list[Noted]:
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return [
        Noted(pid, repeated, [key for _, key in changes], [number for number, _ in changes])
        for pid, repeated, changes in map(json.loads, lines)
    ]


def put(running: Running, *keys: str) -> None:
    client = running.client()
    for key in keys:
        client.put_object(Bucket="files", Key=key, Body=b"x")


def test_one_worker_follows_and_the_other_when_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, site = tmp_path / "log-of-changes", tmp_path / "site"
    site.mkdir()
    plugin_site(site, "following", PLUGIN)
    monkeypatch.setenv("FOLLOWER_LOG", str(log))
    options = ("--server", "granian", "--workers", "2")
    with serving(tmp_path / "gateway", *options, config=CONFIG, site=site) as running:
        put(running, *(f"before-{number}" for number in range(7)))
        eventually(lambda: sum(len(one.keys) for one in noted(log)) == 7, "all that was put")
        put(running, "stuck")
        eventually(lambda: noted(log)[-1].keys == ["stuck"], "the one that takes long")
        (first,) = {one.pid for one in noted(log)}
        assert first != running.process.pid
        put(running, "behind-1", "behind-2")
        os.kill(first, signal.SIGKILL)
        eventually(lambda: noted(log)[-1].keys[-1:] == ["behind-2"], "the rest, by another")
        put(running, "after")
        eventually(lambda: noted(log)[-1].keys == ["after"], "what comes later")
        told = noted(log)
        again = next(place for place, one in enumerate(told) if one.pid != first)
        assert [one.repeated for one in told] == [place == again for place in range(len(told))]
        assert told[again].keys == told[again - 1].keys == ["stuck"]
        assert {one.pid for one in told[again:]} == {told[again].pid}, "one, from then on"
        handled = [number for place, one in enumerate(told) if place != again - 1
                   for number in one.numbers]  # fmt: skip
        assert handled == list(range(handled[0], handled[0] + 11)), "each once, in order"
        keys = [key for place, one in enumerate(told) if place != again - 1 for key in one.keys]
        before = [f"before-{number}" for number in range(7)]
        assert keys == [*before, "stuck", "behind-1", "behind-2", "after"]


def test_webhooks_are_told_all_though_workers_are_killed_while_they_tell(tmp_path: Path) -> None:
    receiver, other = Receiver(), Receiver()
    said = "<Queue>arn:gateway:sqs:::hook</Queue><Event>s3:ObjectCreated:*</Event>"
    document = (
        f"<NotificationConfiguration><QueueConfiguration>{said}</QueueConfiguration>"
        "</NotificationConfiguration>"
    )
    config = (
        f'{CONFIG}settings = {{ notification = "{document}" }}\n'
        f'events = "other"\n[webhooks.other]\nurl = "{other.url}"\n'
        f'[webhooks.hook]\nurl = "{receiver.url}"\n'
    )
    options = ("--server", "granian", "--workers", "2")
    try:
        with serving(tmp_path / "gateway", *options, config=config) as running:
            receiver.answering.clear()
            other.answering.clear()
            put(running, "a", "b", "c")
            first, event = receiver.next(), other.next()
            workers = workers_of(running)
            if not workers:
                pytest.skip("who the workers are is known on Linux only")
            for one in workers:
                os.kill(one, signal.SIGKILL)
            receiver.answering.set()
            other.answering.set()
            again, *others = (receiver.next() for _ in range(3))
            events = [event, *(other.next() for _ in range(3))]
    finally:
        for ending in (receiver, other):
            ending.shutdown()
            ending.server_close()
    assert [json.loads(one.body)["data"]["key"] for one in events] == ["a", "a", "b", "c"]
    assert events[1].body == event.body
    assert events[1].headers["x-gateway-repeated"] == "true"
    assert other.came.empty()
    told = [key for one in (first, again, *others) for _, key in one.told]
    assert told == ["a", "a", "b", "c"]
    assert again.body == first.body
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    assert "x-gateway-repeated" not in first.headers
    assert again.headers["x-gateway-repeated"] == "true"
    assert len({one.headers["webhook-id"] for one in (again, *others)}) == 3
    assert receiver.came.empty()
