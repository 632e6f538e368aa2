"""How many processors this process may use: fewer than the machine has in most containers.

What counts is the smallest of what the scheduler lets it run on (`taskset`, cpusets,
PYTHON_CPU_COUNT) and the time that its control group gets, or one above that (`docker run
--cpus`, a pod's limit, systemd's CPUQuota): cgroups(7), and cpu.max in the kernel's
Documentation/admin-guide/cgroup-v2.rst. A quota is rounded up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from math import ceil
from pathlib import Path


def usable_processors() -> int:
    """At least 1."""
    quota = cpu_quota() if sys.platform == "linux" else None
    allowed = _allowed()
    return allowed if quota is None else max(1, min(allowed, ceil(quota)))


def _allowed() -> int:
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(process: Path = Path("/proc/self"), top: Path = Path("/")) -> float | None:
    """Processors' worth of time that this process's control groups get; None: no limit, or
    it cannot be told. `top` is what the places in `process` are below."""
    try:
        groups = (process / "cgroup").read_text(encoding="utf-8", errors="replace")
        mounts = (process / "mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    paths = dict(_paths(groups))
    quotas: list[float] = []
    for kind, root, point in _mounts(mounts):
        if kind in paths:
            for folder in _levels(top / point.lstrip("/"), root, paths[kind]):
                with suppress(OSError, ValueError, ZeroDivisionError):  # none, or not its format
                    quotas.append(_QUOTAS[kind](folder))
    return min((one for one in quotas if one > 0), default=None)


def _paths(groups: str) -> Iterator[tuple[str, str]]:
    """The process's group in the second version and in the first one's for processors."""
    for line in groups.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield "cgroup2", path
        elif "cpu" in controllers.split(","):
            yield "cgroup", path


def _mounts(mounts: str) -> Iterator[tuple[str, str, str]]:
    """(kind, the group that is seen at its top, where it is mounted): proc_pid_mountinfo(5)."""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, more = left.split(" "), right.split(" ")
        if len(fields) < 5 or len(more) < 3:
            continue
        if more[0] == "cgroup2" or (more[0] == "cgroup" and "cpu" in more[2].split(",")):
            yield more[0], fields[3], fields[4]


def _levels(point: Path, root: str, path: str) -> Iterator[Path]:
    """The group's folder and all above it. What is not below what is mounted (another
    namespace's group) is taken for its top."""
    inside = (path + "/").removeprefix(root.rstrip("/") + "/") if root != path else ""
    if inside.startswith("/") or ".." in inside.split("/"):
        inside = ""
    folder = point / inside.strip("/")
    yield folder
    for _ in Path(inside.strip("/")).parts:
        folder = folder.parent
        yield folder


def _of_version_2(folder: Path) -> float:
    limit, period = (folder / "cpu.max").read_text().split()
    return 0.0 if limit == "max" else int(limit) / int(period)


def _of_version_1(folder: Path) -> float:
    limit = int((folder / "cpu.cfs_quota_us").read_text())
    return limit / int((folder / "cpu.cfs_period_us").read_text())  # -1 is no limit


_QUOTAS = {"cgroup2": _of_version_2, "cgroup": _of_version_1}
