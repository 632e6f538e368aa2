"""Requests as granian hands them to an application, recorded from a function that does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import requests, starting
from benchmarks.connection import Connection
from benchmarks.requests import KIB, payload
from benchmarks.servers import bare
from benchmarks.signing import Request

DISTINCT = 64
Environ = dict[str, Any]
RECORDS = bare(1, record="record")


def recorded(place: Path) -> dict[str, list[Environ]]:
    """A bucket's making, PUTs and GETs, as granian hands them to an application."""
    paths = [f"/stages/{number:04d}.bin" for number in range(DISTINCT)]
    body = payload(KIB)
    wanted: list[Request] = [requests.put("/stages", b"")]
    wanted += [requests.put(path, body) for path in paths]
    wanted += [requests.get(path) for path in paths]
    with starting.running(RECORDS, place / "record") as server:
        connection = Connection(server.target.address)
        for one in wanted:
            connection.exchange(server.target.head(one), one.body)
        connection.close()
    lines = (place / "record" / "record").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines[-len(wanted) :]]
    return {"bucket": found[:1], "PUT": found[1 : 1 + DISTINCT], "GET": found[1 + DISTINCT :]}
