"""How many processors may be used: control groups as Linux shows them, in both versions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.common import cpu_quota as cpu_quota_module
from gateway.common.cpu_quota import cpu_quota, usable_processors

ROOT = Path(__file__).parent.parent
V2 = "31 23 0:28 {root} {point} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "32 31 0:29 {root} {point} rw,relatime - cgroup cgroup rw,cpu,cpuacct"
OTHER = "33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"


def machine(folder: Path, groups: str, mounts: str, files: dict[str, str]) -> float | None:
    """The quota on a machine with such a /proc/self and such files."""
    process = folder / "proc"
    process.mkdir()
    (process / "cgroup").write_text(groups)
    (process / "mountinfo").write_text(f"{mounts}\n{OTHER}\n")
    for name, text in files.items():
        file = folder / "top" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return cpu_quota(process, folder / "top")


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ({"": "max 100000\n"}, None),
        ({"": "150000 100000\n"}, 1.5),
        ({"pod/one": "200000 100000\n", "pod": "100000 200000\n"}, 0.5),
        ({"pod/one": "max 100000\n", "pod": "300000 100000\n"}, 3.0),
        ({"pod/other": "100000 100000\n"}, None),
        ({"pod/one": "nonsense\n"}, None),
    ],
    ids=["no limit", "its own", "above", "above alone", "another's", "nonsense"],
)
def test_version_2(tmp_path: Path, limits: dict[str, str], wanted: float | None) -> None:
    files = {f"cgroups/{name}/cpu.max": text for name, text in limits.items()}
    mounts = V2.format(root="/", point="/cgroups")
    assert machine(tmp_path, "0::/pod/one\n", mounts, files) == wanted


@pytest.mark.parametrize(
    ("group", "root", "below"),
    [
        ("/docker/abc", "/docker/abc", ""),
        ("/docker/abc/sub", "/docker/abc", "sub"),
        ("/docker/abc", "/", "docker/abc"),
        ("/", "/", ""),
        ("/../other", "/", ""),
        ("/elsewhere", "/docker/abc", ""),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_the_group_is_found_in_what_is_mounted(
    tmp_path: Path, version: int, group: str, root: str, below: str
) -> None:
    """In a container a group's path may be the machine's, or the container's."""
    place = f"cg/{below}".rstrip("/")
    if version == 1:
        groups, mounts = f"4:memory:/x\n3:cpu,cpuacct:{group}\n0::/x\n", V1
        files = {f"{place}/cpu.cfs_quota_us": "250000", f"{place}/cpu.cfs_period_us": "100000"}
    else:
        groups, mounts = f"0::{group}\n", V2
        files = {f"{place}/cpu.max": "250000 100000"}
    assert machine(tmp_path, groups, mounts.format(root=root, point="/cg"), files) == 2.5


def test_no_limit_in_version_1_and_no_control_groups(tmp_path: Path) -> None:
    files = {"cg/cpu.cfs_quota_us": "-1", "cg/cpu.cfs_period_us": "100000"}
    assert machine(tmp_path, "3:cpu:/\n", V1.format(root="/", point="/cg"), files) is None
    assert cpu_quota(tmp_path / "none", tmp_path) is None


@pytest.mark.parametrize(
    ("given", "wanted"), [(None, 4), (0.2, 1), (1.0, 1), (1.1, 2), (3.5, 4), (64.0, 4)]
)
def test_a_quota_is_rounded_up_and_no_more_than_there_are(
    monkeypatch: pytest.MonkeyPatch, given: float | None, wanted: int
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(cpu_quota_module, "cpu_quota", lambda: given)
    monkeypatch.setattr(cpu_quota_module, "_allowed", lambda: 4)
    assert usable_processors() == wanted


@pytest.mark.skipif(sys.platform != "linux", reason="Linux: sched_setaffinity")
@pytest.mark.usefixtures("processes")
def test_one_processor_means_one_worker() -> None:
    one = min(os.sched_getaffinity(0))
    script = (
        f"import os; os.sched_setaffinity(0, {{{one}}});"
        "from gateway.config import load; from gateway.commands.serve import count_workers;"
        "print(count_workers(load(environ={}, tables={}), 'granian'))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "(1, 'one worker')\n", done.stderr
