"""versitygw's own integration tests, one process each, against a server in this process that
is empty before each.

The binary should be a build that compares codes and fields and not the words of messages:
without the two comparisons of `Description` in `tests/integration/utils.go`.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from gateway.access.identity import ROOT_ACCOUNT
from gateway.testing import Server
from tests.yardsticks.lists import Outcome

REGION = "us-west-1"
"""In us-east-1 AWS has a rule of its own for making one's bucket once more."""

LONGEST = 120
"""Seconds of one test."""

CANCELED, TRIES = "context canceled", 5
"""Some tests read bodies of requests that they have canceled, and pass as it happens."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def result(printed: str) -> str | None:
    """What is wrong, of what a test printed; None when nothing is."""
    lines = _COLOUR.sub("", printed).splitlines()
    wrong = [line for line in lines if line.startswith(("FAIL ", "panic:"))]
    if wrong:
        return wrong[0].partition(": ")[2] or wrong[0]
    if any(line.startswith("PASS ") for line in lines):
        return None
    return lines[-1] if lines else "nothing was printed"


def run(binary: Path, names: Iterable[str], say: Callable[[str], None]) -> Outcome:
    passed, failed = set(), dict[str, str]()
    with Server(
        access_key=ROOT_ACCOUNT, region=REGION
    ) as server:  # in these tests an account is its key
        for name in names:
            wrong = _tried(binary, name, server)
            if wrong is None:
                passed.add(name)
            else:
                failed[name] = wrong
                say(f"{name}: {wrong}")
    return Outcome(frozenset(passed), failed)


def _tried(binary: Path, name: str, server: Server) -> str | None:
    wrong: str | None = CANCELED
    for _ in range(TRIES):
        if wrong == CANCELED:
            server.reset()
            wrong = _one(binary, name, server)
    return wrong


def _one(binary: Path, name: str, server: Server) -> str | None:
    command = [str(binary), "--region", REGION, "test"]
    command += ["-a", server.access_key, "-s", server.secret_key]
    command += ["-e", server.endpoint_url, name]
    if name.startswith("Versioning_"):  # else they do not remove what they made
        command.append("--versioning-enabled")
    # of the surroundings nothing that an SDK would take up
    environment = {key: text for key, text in os.environ.items() if not key.startswith("AWS_")}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end within {LONGEST} s"
    return result(done.stdout)
