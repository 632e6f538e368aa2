"""All checks and tests: `python -m tests`. `python -m tests quick` leaves out the tests
that need sockets, processes or seconds (`tests/conftest.py`). Further arguments go to
pytest.

Every step runs, whatever the ones before it said; the exit status is 0 when
all of them passed.
"""

from __future__ import annotations

import subprocess
import sys
import time

from gateway.common.cpu_quota import usable_processors

PYTHON = sys.executable


def steps(arguments: list[str]) -> list[list[str]]:
    workers = str(max(2, usable_processors()))
    if arguments[:1] == ["quick"]:
        arguments = ["--quick", *arguments[1:]]
    return [
        [PYTHON, "-m", "ruff", "format", "--check", "."],
        [PYTHON, "-m", "ruff", "check", "."],
        [PYTHON, "-m", "mypy"],
        [PYTHON, "-m", "pytest", "-n", workers, *arguments],
    ]


def main() -> int:
    failed = []
    for command in steps(sys.argv[1:]):
        name = " ".join(command[2:])
        print(f"== {name}", flush=True)
        began = time.monotonic()
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
        print(f"== {time.monotonic() - began:.0f} s", flush=True)
    print("Failed: " + "; ".join(failed) if failed else "All checks and tests passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
