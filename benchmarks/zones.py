"""A zone's hits beside those of a bare public binding, in one gateway: both have the same objects,
the zone a cache in front of them; and again with very many zones besides.
"""

from __future__ import annotations

import json
import urllib.request
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import starting
from benchmarks.load import generator, measure
from benchmarks.seeding import create_bucket, seed
from benchmarks.servers import CREDENTIALS, gateway
from benchmarks.signing import Request
from benchmarks.speed import say, settle
from benchmarks.starting import Running
from benchmarks.workloads import WORKLOADS, Workload

STORAGE, SUFFIX, BARE = "bench-store", "zones.test", "bare.test"
OTHERS = 1000

_SETTINGS = f"""\
[cdn]
suffix = "{SUFFIX}"
max_zones = {OTHERS + 10}
[[bindings]]
host = "{BARE}"
mode = "public"
service = "{STORAGE}"
"""


def hits(options: Namespace, folder: Path, server: str) -> Iterator[tuple[str, float]]:
    """What was measured, and the zone's rate × the binding's. Raises `Missing`."""
    _, generate = generator(options.load)
    with starting.running(gateway("local", server, settings=_SETTINGS), folder) as running:
        api = _Api(running)
        storage = api.call("POST", "/storage", {"name": STORAGE, "region": "europe"})["id"]
        zone = api.call("POST", "/zone", {"object_size": "small", "storage_id": storage})["zone_id"]
        own = api.call("GET", f"/zone/{zone}")["cdn_domain"]
        for others in (0, OTHERS):
            for _ in range(others):
                api.call("POST", "/zone", {"object_size": "small", "storage_id": storage})
            for name in ("get-1k", "get-8m"):
                row = _workload(name)
                create_bucket(running, STORAGE)
                seed(row, running)
                sides = [replace(running.target, named=one) for one in (BARE, own)]
                rates: list[list[float]] = [[], []]
                for number in range(options.rounds + 1):
                    for side, some in zip(sides, rates, strict=True):
                        settle()
                        seconds = options.seconds if number else 1
                        some.append(measure(generate, folder, row, side, seconds).rate)
                rates = [one[1:] for one in rates]  # the first has filled the cache
                times = median(zone / bare for bare, zone in zip(*rates, strict=True))
                say(f"{server} {name}, {others} other zones: {[round(median(x)) for x in rates]}")
                yield f"{row.title} of a zone, {server}, {others} others × a bare binding", times


def _workload(name: str) -> Workload:
    one = WORKLOADS[name]
    return replace(
        one,
        bucket=STORAGE,
        public=True,
        request=lambda one, number: Request(method="GET", path=f"/{one.key(number)}", signed=False),
    )


class _Api:
    """`/v3`, signed in."""

    def __init__(self, running: Running) -> None:
        self._base = f"http://{running.target.host}:{running.target.port}/v3"
        self._token = ""
        login = {"email": CREDENTIALS.access, "password": CREDENTIALS.secret}
        self._token = self.call("POST", "/check/login", login)["token"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-UCDN-Token": self._token, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self._base + path, data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)
