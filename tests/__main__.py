"""All checks and tests: `python -m tests`. `python -m tests quick` leaves out the tests
that need sockets, processes or seconds (`tests/conftest.py`), and `python -m tests pythons`
of those all but what Pythons have otherwise. Further arguments go to pytest. Apart are
`python -m tests clients`, other people's clients (`tests/clients`), and `python -m tests
windows`, the gateway in Windows' Python (`tests/windows`).

Every step runs, whatever the others said; the exit status is 0 when all of them
passed. The checks run beside the tests, for one of them takes one processor for
half a minute; what they say comes when each is done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.common.cpu_quota import usable_processors

PYTHON = sys.executable
HERE = Path(__file__).parent
APART = ("clients", "windows")
"""Packages here with a command of their own."""
MEMORY = Path("/dev/shm")
SHARED_OUT = ("--dist", "worksteal")
"""Each worker has a stretch of all tests, so few start the same gateway, and those that wait for
processes are run beside those that compute."""
ROOM = 6 << 30
"""Bytes that a run may take there, with plenty to spare."""


def steps(arguments: list[str]) -> list[list[str]]:
    workers = usable_processors()
    if arguments[:1] in (["quick"], ["pythons"]):
        arguments = [f"--{arguments[0]}", *arguments[1:]]
    if "--quick" not in arguments:
        workers += 1  # who works while others wait, for a process, a browser, a time-out
    return [
        [PYTHON, "-m", "ruff", "format", "--check", "."],
        [PYTHON, "-m", "ruff", "check", "."],
        [PYTHON, "-m", "mypy"],
        [PYTHON, "-m", "pytest", "-n", str(workers), *SHARED_OUT, *arguments],
    ]


@contextmanager
def surroundings(failed: list[str]) -> Iterator[dict[str, str]]:
    """The environment, with a folder for what a run writes: in memory where there is room and
    no TMPDIR was chosen, for stores are made and synced some five thousand times. It stays
    when something failed."""
    memory = "TMPDIR" not in os.environ and _roomy()
    place = Path(tempfile.mkdtemp(prefix="gateway-tests-", dir=MEMORY if memory else None))
    environment = {**os.environ, "TMPDIR": str(place)}
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):  # hundreds of processes would compile
        environment["PYTHONPYCACHEPREFIX"] = str(place / "bytecode")
    try:
        yield environment
    finally:
        shutil.rmtree(place / "bytecode", ignore_errors=True)
        if failed:
            print(f"What failed has left its files in {place}{', which is memory' * memory}.")
        else:
            shutil.rmtree(place, ignore_errors=True)


def compile_tests(environment: dict[str, str]) -> None:
    """Make the bytecode of all tests, where there is none: each worker would make all of it for
    itself, which takes twenty seconds of each."""
    made = HERE.glob(f"__pycache__/*.{sys.implementation.cache_tag}-pytest-*.pyc")
    if "PYTHONPYCACHEPREFIX" in environment or not any(made):
        command = [PYTHON, "-m", "pytest", "--collect-only", "-qq"]
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)


def _roomy() -> bool:
    try:
        return shutil.disk_usage(MEMORY).free >= ROOM
    except OSError:
        return False


def _name(command: list[str]) -> str:
    return " ".join(command[2:])


def main() -> int:
    if sys.argv[1:2] and sys.argv[1] in APART:
        command = [PYTHON, "-m", f"tests.{sys.argv[1]}", *sys.argv[2:]]
        return subprocess.run(command).returncode
    failed: list[str] = []

    def run(command: list[str], **streams: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, check=False, env=environment, text=True, **streams)
        if done.returncode:
            failed.append(_name(command))
        return done

    def check(command: list[str]) -> None:
        began = time.monotonic()
        said = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        print(f"\n== {_name(command)}\n{said}== {time.monotonic() - began:.0f} s", flush=True)

    *checks, tests = steps(sys.argv[1:])
    with surroundings(failed) as environment, ThreadPoolExecutor(1) as beside:
        checked = [beside.submit(check, one) for one in checks]
        compile_tests(environment)
        began = time.monotonic()
        print(f"== {_name(tests)}", flush=True)
        run(tests)
        print(f"== {time.monotonic() - began:.0f} s", flush=True)
        for one in checked:
            one.result()
    print("Failed: " + "; ".join(failed) if failed else "All checks and tests passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
