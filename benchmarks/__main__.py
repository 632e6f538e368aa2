"""`python -m benchmarks [COMMAND]`: the gateway and its peers, in turns.

Exit codes: 0 measured, 1 nothing could be measured, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from benchmarks.caching import caching
from benchmarks.cdn import PARTS, cdn
from benchmarks.fronting import fronting
from benchmarks.herd import herd
from benchmarks.load import LoadFailed
from benchmarks.memory import bodies_and_growth
from benchmarks.rules import rules
from benchmarks.scale import scale
from benchmarks.servers import SERVERS
from benchmarks.soak import soak
from benchmarks.speed import say, speed
from benchmarks.stages import stages
from benchmarks.testserver import testserver
from benchmarks.walk import walk
from benchmarks.workloads import WORKLOADS

COMMANDS = {
    "speed": speed,
    "memory": bodies_and_growth,
    "stages": stages,
    "scale": scale,
    "caching": caching,
    "cdn": cdn,
    "testserver": testserver,
    "fronting": fronting,
    "herd": herd,
    "soak": soak,
    "rules": rules,
    "walk": walk,
}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, allow_abbrev=False
    )
    add = parser.add_argument
    add("what", nargs="?", default="speed", choices=COMMANDS)
    add("--seconds", type=float, default=3, help="of each slice (default 3)")
    add("--rounds", type=int, default=3, help="slices of each figure (default 3)")
    add("--only", nargs="+", choices=WORKLOADS, metavar="WORKLOAD",
        help=f"of {', '.join(WORKLOADS)}")  # fmt: skip
    add("--servers", nargs="+", choices=SERVERS, metavar="SERVER",
        help=f"of {', '.join(SERVERS)}")  # fmt: skip
    add(
        "--pinned", action="store_true", help="speed: each server on one processor (Linux: taskset)"
    )
    add("--keys", nargs="+", type=int, default=[], metavar="N",
        help="speed, scale: list in buckets of that many keys too")  # fmt: skip
    add("--load", default="auto", choices=("auto", "wrk", "own"),
        help="what sends the requests (default: wrk where it is)")  # fmt: skip
    add("--data", type=Path, default=Path(".benchmark"),
        help="a folder on the disk to measure; left as it was")  # fmt: skip
    add("--mib", type=int, default=5120, help="memory: size of the body (default 5120)")
    add("--multipart-mib", type=int, default=10240, help="memory: of the upload in parts")
    add("--idle", type=int, default=1000, help="memory: idle connections (default 1000)")
    add("--requests", type=int, default=200_000, help="memory: small requests (default 200000)")
    add("--minutes", type=float, default=30, help="soak: how long (default 30)")
    add("--slices", type=int, default=30, help="soak: looks at the process meanwhile")
    add("--many", type=int, default=10_000, help="scale: buckets and credentials")
    add("--clients", type=int, default=200, help="herd, cdn: that ask at once (default 200)")
    add("--parts", nargs="+", choices=PARTS, metavar="PART",
        help=f"cdn: of {', '.join(PARTS)}")  # fmt: skip
    add("--threads", nargs="+", type=int, default=[], metavar="N",
        help="herd: with so many threads in each worker (default: the gateway's)")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write every round there")
    add("--picture", type=Path, metavar="FILE.svg", help="speed: draw the ratios there")
    found = parser.parse_args(given)
    numbers = (
        *(found.rounds, found.mib, found.multipart_mib, found.idle, found.requests),
        *(found.many, found.clients, found.slices),
    )
    if min(found.seconds, found.minutes) <= 0 or min(*numbers, *found.keys, *found.threads) < 1:
        parser.error("all numbers are positive")
    if found.pinned and not shutil.which("taskset"):
        parser.error("--pinned: taskset is not on PATH")
    return found


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A new folder below `folder`, removed afterwards (with `folder`, if it was made for this)."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=folder.absolute()))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if made and not any(folder.iterdir()):
            folder.rmdir()


def _stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(given: Sequence[str] | None = None) -> int:
    options = arguments(given)
    signal.signal(signal.SIGTERM, _stop)  # so that servers are ended and data is removed
    with workplace(options.data) as place:
        try:
            return COMMANDS[options.what](options, place)
        except LoadFailed as error:
            say(str(error))
            return 1


if __name__ == "__main__":
    sys.exit(main())
