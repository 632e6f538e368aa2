"""Purge jobs of a gateway with two workers: carried out at once, true for every visitor when they
say so, and by those that come next where all workers are killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import KEY, SECRET, Running, serving, workers_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are found by /proc")

CONFIG = """
[server]
workers = 2
[cdn]
suffix = "cdn.test"
"""
KEYS = ("a/logo.png", "b/other")
VISITS = 24
"""Connections of their own, so that each worker has some."""


@dataclass
class Site:
    gateway: Running
    token: str = ""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"content-type": "application/json", "x-ucdn-token": self.token}
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.gateway.url}/v3{path}"
        asked = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)

    def write(self, body: bytes) -> None:
        """Behind the zone's back."""
        for key in KEYS:
            self.gateway.client().put_object(Bucket="site", Key=key, Body=body)

    def seen(self, key: str) -> set[bytes]:
        """What visitors get."""
        url, headers = f"{self.gateway.url}/{key}", {"host": "a1-1.cdn.test"}
        found = set[bytes]()
        for _ in range(VISITS):
            asked = urllib.request.Request(url, headers=headers)
            with urllib.request.urlopen(asked, timeout=30) as answer:
                found.add(answer.read())
        return found

    def purge(self, **named: Any) -> str:
        return str(self.call("POST", "/purge/zone/1/", named)["job_id"])

    def until_finished(self, job: str) -> float:
        """Seconds that it took."""
        begun = time.monotonic()
        while time.monotonic() < begun + 60:
            try:
                status = self.call("GET", f"/purge/job/{job}")["status"]
            except OSError:  # the next workers are on their way
                status = ""
            if status == "finished":
                return time.monotonic() - begun
            assert status != "failed"
            time.sleep(0.05)
        raise AssertionError("the job was not carried out")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("purges")
    with serving(folder, "--server", "granian", config=CONFIG) as gateway:
        found = Site(gateway)
        signing_in = {"username": KEY, "password": SECRET}
        found.token = found.call("POST", "/check/login/", signing_in)["token"]
        number = found.call("POST", "/storage/", {"name": "site", "region": "europe"})["id"]
        zone = {"storage_id": number, "object_size": "small", "expiration": 3600}
        found.call("POST", "/zone/", zone)
        while found.call("GET", "/zone/1")["reconfig_status"] != "ready":
            time.sleep(0.05)
        yield found
        assert "Traceback" not in (folder / "log").read_text("utf-8")


def test_what_is_finished_is_so_for_every_visitor(site: Site) -> None:
    site.write(b"old")
    assert [site.seen(key) for key in KEYS] == [{b"old"}, {b"old"}]
    site.write(b"new")
    took = site.until_finished(site.purge(files="/a/logo.png"))
    assert [site.seen(key) for key in KEYS] == [{b"new"}, {b"old"}]
    assert took < 10, "about a second, on a machine with nothing else to do"
    site.until_finished(site.purge())
    assert site.seen(KEYS[1]) == {b"new"}


def test_what_was_acknowledged_is_carried_out_though_all_workers_are_killed(site: Site) -> None:
    site.write(b"before")
    site.until_finished(site.purge())
    assert site.seen(KEYS[0]) == {b"before"}
    site.write(b"after")
    files = "\n".join([*(f"/{number}" for number in range(9_999)), f"/{KEYS[0]}"])
    job = site.purge(files=files)
    for worker in workers_of(site.gateway):
        os.kill(worker, signal.SIGKILL)
    site.until_finished(job)
    assert site.seen(KEYS[0]) == {b"after"}
