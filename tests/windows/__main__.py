"""`python -m tests windows [--only PART] [ARGUMENT …]`: see the package. The parts:

| | |
|---|---|
| `inside` | the tests, in Windows' Python |
| `clients` | those of here (boto3, `aws`, rclone, curl) live their lives against a gateway there |
| `stalls` | who stands still, trickles or vanishes is cut, and others do not notice |
| `stopping` | what was begun is answered when it is told to end |
| `kills` | 25 times it is ended by `TerminateProcess` in the middle of writes: nothing is lost |

Other arguments go to pytest; a path among them is in place of those that are run inside. What
is made is kept in `GATEWAY_TEST_WINDOWS`, else in the user's folder for caches. Where it cannot
be, that is said, and is no failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from tests.windows import selection, wheels, wine
from tests.windows.gateways import PLACE

INSIDE = "inside"
BESIDE = {
    "clients": ["tests/e2e/test_clients.py"],
    "stalls": ["tests/e2e/test_stalls.py"],
    "stopping": ["tests/e2e/test_stopping.py"],
    "kills": ["tests/e2e/test_kill.py"],
}
ROUNDS = "GATEWAY_CRASH_ROUNDS"
WORKERS = "2"
"""Two processors, and one who waits."""
MEMORY = Path("/dev/shm")
THERE = ".venv\\Scripts\\python -m pytest -n auto tests"


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests windows")
    parser.add_argument("--only", choices=[INSIDE, *BESIDE])
    options, more = parser.parse_known_args(given)
    try:
        if sys.platform == "win32":
            raise wine.Missing(f"this is Windows: run {THERE}")
        wine.look()
    except wine.Missing as error:
        print(f"Windows' Python is left out: {error}.")
        return 0
    wanted = (options.only,) if options.only else (INSIDE, *BESIDE)
    folder = Path(
        os.environ.get("GATEWAY_TEST_WINDOWS") or user_cache_path(wheels.NAME) / "windows"
    )
    with _alone(folder), tempfile.TemporaryDirectory(dir=_memory()) as place:
        python = _ready(folder)
        python.temporary(Path(place))
        try:
            failed = [one for one in _steps(python, wanted, more, Path(place)) if one]
        finally:
            python.end()
    print("Failed: " + "; ".join(failed) if failed else "All passed.")
    return 1 if failed else 0


def _memory() -> Path | None:
    return MEMORY if MEMORY.is_dir() else None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Another run waits: there is one Windows in a folder."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ready(folder: Path) -> wine.Python:
    began = time.monotonic()
    python = wine.made(folder)
    python.finds(wheels.installed(folder), wheels.project(folder))
    wheels.tests(folder)
    print(f"== Windows' Python, in {folder}: {time.monotonic() - began:.0f} s", flush=True)
    return python


def _steps(
    python: wine.Python, wanted: Sequence[str], more: list[str], place: Path
) -> Iterator[str]:
    """Run them; the names of those that fail."""
    files = [one for part in wanted for one in BESIDE.get(part, [])]
    steps: dict[str, Callable[[], int]] = {
        INSIDE: lambda: _inside(python, more),
        ", ".join(one for one in wanted if one in BESIDE): lambda: _beside(
            python, [*files, *more], place
        ),
    }
    for name, step in steps.items():
        if set(name.split(", ")) & set(wanted):
            began = time.monotonic()
            print(f"== {name}", flush=True)
            status = step()
            print(f"== {time.monotonic() - began:.0f} s", flush=True)
            if status:
                yield name


PYTEST = ["-m", "pytest", "-n", WORKERS, "--dist", "worksteal", "-o", "faulthandler_timeout=900"]


def _inside(python: wine.Python, more: list[str]) -> int:
    chosen = any(Path(one.partition("::")[0]).exists() for one in more)
    words = [*PYTEST, *([] if chosen else selection.arguments()), *more]
    checkout = python.folder.parent / wheels.CHECKOUT
    with python.start(words, cwd=checkout) as running:
        assert running.stdin is not None and running.stdout is not None
        running.stdin.close()
        for line in running.stdout:
            print(line, end="", flush=True)
    return running.returncode


def _beside(python: wine.Python, words: list[str], place: Path) -> int:
    environ = {ROUNDS: "25", **os.environ, PLACE: str(python.folder), "TMPDIR": str(place)}
    command = [sys.executable, *PYTEST, "-k", "not granian", *words]
    return subprocess.run(command, env=environ, cwd=wheels.ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
