"""`python -m benchmarks walk`: through how many functions and files one GET and one PUT go.

A signed GET and PUT of 1 KiB, as boto3 signs them, go to the in-memory test server; counted
are the calls of functions in the gateway's and the drivers' files, but for the test server's
own. A reader has as many to follow, so these figures do not depend on the machine. What a
first request loads is there already.
"""

from __future__ import annotations

import json
import os
import threading
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby, pairwise
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from benchmarks import requests
from benchmarks.connection import Connection
from benchmarks.report import markdown
from benchmarks.requests import KIB, Target, payload
from benchmarks.signing import Credentials, Request

ROOT = Path(__file__).resolve().parent.parent
OURS = tuple(f"{ROOT / folder}{os.sep}" for folder in ("gateway", "drivers"))
LEFT_OUT = str(ROOT / "gateway" / "testing")
WARM = 3


class Step(NamedTuple):
    """A call of a function."""

    file: str
    function: str


class Walk(NamedTuple):
    """All calls of one request, in their order."""

    steps: tuple[Step, ...]

    @property
    def calls(self) -> int:
        return len(self.steps)

    @property
    def files(self) -> int:
        return len({one.file for one in self.steps})

    @property
    def moves(self) -> int:
        """How often a call is in another file than the one before it."""
        return sum(before.file != after.file for before, after in pairwise(self.steps))

    def lines(self) -> Iterator[str]:
        """What is called in one file after the other."""
        for file, steps in groupby(self.steps, lambda one: one.file):
            yield f"{file}: {', '.join(one.function for one in steps)}"


class Recorder:
    """What threads call that are started while it is installed; for as long as it is `on`."""

    def __init__(self) -> None:
        self.on = False
        self.steps: list[Step] = []

    @contextmanager
    def installed(self) -> Iterator[None]:
        threading.setprofile(self._called)
        try:
            yield
        finally:
            threading.setprofile(None)

    def _called(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        file = code.co_filename
        if self.on and event == "call" and file.startswith(OURS) and not file.startswith(LEFT_OUT):
            self.steps.append(Step(Path(file).relative_to(ROOT).as_posix(), code.co_qualname))

    def walk(self, connection: Connection, target: Target, request: Request) -> Walk:
        """Raises `RuntimeError` when the request is refused."""
        for self.on in (*(False,) * WARM, True):
            self.steps.clear()
            answer = connection.exchange(target.head(request), request.body)
            if answer.status != 200:
                raise RuntimeError(f"{request.method} {request.path}: {answer.status}")
        self.on = False
        return Walk(tuple(self.steps))


def walks() -> Mapping[str, Walk]:
    """By method."""
    from gateway.testing import Server

    recorder, body = Recorder(), payload(KIB)
    with recorder.installed(), Server(buckets={"walk": {"k": body}}) as server:
        credentials = Credentials(access=server.access_key, secret=server.secret_key)
        target = Target(host="127.0.0.1", port=server.port, credentials=credentials)
        connection = Connection(target.address)
        try:
            return {
                one.method: recorder.walk(connection, target, one)
                for one in (requests.get("/walk/k"), requests.put("/walk/k", body))
            }
        finally:
            connection.close()


def walk(options: Namespace, _: Path) -> int:
    """The command."""
    found = walks()
    rows = [
        [method, str(one.calls), str(one.files), str(one.moves)] for method, one in found.items()
    ]
    print(markdown(["1 KiB", "calls", "files", "moves between files"], rows))
    for method, one in found.items():
        print(f"\n{method}\n" + "\n".join(f"  {line}" for line in one.lines()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0
