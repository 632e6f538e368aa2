"""Workers that keep to a processor of their own. With real processes, on Linux."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.common.cpu_affinity import Cores, claim, processors
from gateway.web.admission import Admission
from gateway.web.exchange import Exchange, Received

KNOWN = sorted(processors())
several = pytest.mark.skipif(len(KNOWN) < 2, reason="needs Linux and two processors")

_WORKER = """
import sys
from pathlib import Path
from gateway.common.cpu_affinity import claim, processors
print(claim(Path(sys.argv[1]), int(sys.argv[2])).own, sorted(processors()), flush=True)
sys.stdin.read()
"""


class Worker:
    def __init__(self, folder: Path, workers: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(folder), str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        own, _, runs_on = self.process.stdout.readline().strip().partition(" ")
        self.own, self.runs_on = own, runs_on

    def end(self) -> None:
        self.process.communicate(timeout=120)


@several
@pytest.mark.usefixtures("processes")
def test_each_worker_has_one_and_who_replaces_it_gets_the_same(tmp_path: Path) -> None:
    workers = [Worker(tmp_path, len(KNOWN)) for _ in KNOWN]
    late = Worker(tmp_path, len(KNOWN))
    try:
        assert sorted(int(one.own) for one in workers) == KNOWN
        assert all(one.runs_on == f"[{one.own}]" for one in workers)
        assert (late.own, late.runs_on) == ("None", str(KNOWN))
        ended = workers.pop()
        ended.end()
        workers.append(Worker(tmp_path, len(KNOWN)))
        assert workers[-1].own == ended.own
    finally:
        for one in (*workers, late):
            one.end()


@several
@pytest.mark.usefixtures("processes")
def test_more_workers_than_processors_share_them(tmp_path: Path) -> None:
    workers = [Worker(tmp_path, len(KNOWN) + 1) for _ in range(len(KNOWN) + 1)]
    try:
        assert sorted({int(one.own) for one in workers}) == KNOWN
    finally:
        for one in workers:
            one.end()


@several
def test_fewer_workers_run_everywhere(tmp_path: Path) -> None:
    assert claim(tmp_path, len(KNOWN) - 1).own is None
    assert claim(None, len(KNOWN)).own is None
    assert sorted(processors()) == KNOWN


def exchange(cores: Cores, body: int | None) -> Exchange:
    admission = Admission(16)
    admission.cores = cores
    environ = {"REQUEST_METHOD": "PUT", "PATH_INFO": "/b/k"}
    found = Exchange("id", environ, admission, lambda _: None)
    if body is not None:
        Received(None, body, found)
    return found


@several
@pytest.mark.parametrize(
    ("body", "roams"),
    [(10, False), (1 << 20, True), (None, True)],
    ids=["small", "large", "answer"],
)
def test_who_moves_a_long_body_roams_meanwhile(body: int | None, roams: bool) -> None:
    cores = Cores(KNOWN[-1])
    try:
        cores.settle()
        moving = exchange(cores, body)
        moving.admit()
        assert sorted(processors()) == (KNOWN if roams else [KNOWN[-1]])
        moving.release()
        assert processors() == {KNOWN[-1]}
    finally:
        cores.roam()
    assert sorted(processors()) == KNOWN
