"""What a server's processes use, read from /proc, else from `ps`; and how they are ended.

Everything goes by process id. RSS counts pages that processes share once for each
of them, so a sum overstates what several workers take: `memory` does not.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

PROC = Path("/proc")


class Usage(NamedTuple):
    """`rss` is in bytes, `cpu` in seconds of user and system time (None where only /proc
    would tell); `born` tells a process from a later one with the same id."""

    pid: int
    parent: int
    rss: int
    born: str
    cpu: float | None = None


def table() -> Mapping[int, Usage] | None:
    """Every process of this machine; None where neither /proc nor `ps` is (Windows)."""
    if os.name != "nt" and (PROC / "self/stat").exists():  # Wine shows Linux's /proc
        found = (_from_proc(int(one.name)) for one in PROC.iterdir() if one.name.isdigit())
        return {one.pid: one for one in found if one is not None}
    return _from_ps()


def _from_proc(pid: int) -> Usage | None:
    """None: the process ended meanwhile."""
    try:
        # proc(5): the name is in parentheses and may hold anything, even a parenthesis.
        after = (PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    rss = int(after[21]) * os.sysconf("SC_PAGE_SIZE")
    cpu = (int(after[11]) + int(after[12])) / os.sysconf("SC_CLK_TCK")
    return Usage(pid, int(after[1]), rss, after[19], cpu)


def _from_ps() -> Mapping[int, Usage] | None:
    try:
        done = subprocess.run(
            ["ps", "-axo", "pid=,ppid=,rss=,lstart="],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = (_from_line(line) for line in done.stdout.splitlines())
    return {one.pid: one for one in found}


def _from_line(line: str) -> Usage:
    pid, parent, kib, born = line.split(None, 3)
    return Usage(int(pid), int(parent), int(kib) << 10, born.strip())


def family(pid: int) -> list[Usage] | None:
    """The process and its descendants; empty when it has ended, None where nothing tells."""
    processes = table()
    if processes is None:
        return None
    found, wanted = [], [pid]
    while wanted:
        one = wanted.pop()
        if one in processes:
            found.append(processes[one])
        wanted += [other.pid for other in processes.values() if other.parent == one]
    return found


def memory(found: Iterable[Usage]) -> int:
    """Bytes that all of them have together; where /proc tells, each page that several share is
    counted once (proc(5), Pss of `smaps_rollup`), else once for each."""
    return sum(_proportional(one) for one in found)


def _proportional(one: Usage) -> int:
    try:
        text = (PROC / str(one.pid) / "smaps_rollup").read_text("ascii", "replace")
    except OSError:  # another system, or it ended meanwhile
        return one.rss
    pss = next((line for line in text.splitlines() if line.startswith("Pss:")), "")
    return int(pss.split()[1]) << 10 if pss else one.rss


def count(found: Iterable[Usage], what: Literal["fd", "task"]) -> int | None:
    """Open files (`fd`) or threads (`task`) of all of them; None where /proc does not tell."""
    if not (PROC / "self" / what).exists():
        return None
    number = 0
    for one in found:
        try:
            number += sum(1 for _ in (PROC / str(one.pid) / what).iterdir())
        except OSError:
            continue  # it ended meanwhile
    return number


def cpu_seconds(found: Iterable[Usage] | None) -> float | None:
    """The CPU that processes have taken since they began; None where nothing tells."""
    spent = [one.cpu for one in found or ()]
    return None if not spent or None in spent else sum(one or 0.0 for one in spent)


def waits(found: Iterable[Usage] | None) -> int | None:
    """How often their threads have given their processor away to wait for something (proc(5),
    `voluntary_ctxt_switches`); None where nothing tells."""
    if not found or not (PROC / "self" / "task").exists():
        return None
    return sum(_waits(file) for one in found for file in (PROC / str(one.pid) / "task").glob("*"))


def _waits(thread: Path) -> int:
    try:
        text = (thread / "status").read_text("utf-8", "replace")
    except OSError:  # it ended meanwhile
        return 0
    line = next((one for one in text.splitlines() if one.startswith("voluntary")), ": 0")
    return int(line.partition(":")[2])


def end(process: subprocess.Popen[bytes], patience: float = 15.0) -> None:
    """Ask the process to end, then insist; what it started and left behind is ended too."""
    children = [one for one in family(process.pid) or () if one.pid != process.pid]
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(patience)
    remaining = table() or {}
    for one in children:
        left = remaining.get(one.pid)
        if left is not None and left.born == one.born:
            _kill(one.pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except (ProcessLookupError, PermissionError):
        return  # it ended by itself meanwhile
