"""The log in a file: it turns over, several processes write it, and no line is lost or torn."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.telemetry import logs
from gateway.telemetry.log_file import LogFile
from tests.e2e.conftest import ROOT


def lines(file: LogFile, first: int, last: int) -> None:
    for number in range(first, last):
        file.write(f"line {number}\n")


def kept(path: Path) -> dict[str, list[str]]:
    found = sorted(path.parent.glob(f"{path.name}*"))
    return {one.name: one.read_text("utf-8").splitlines() for one in found if one.stat().st_size}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "gateway.log"


def test_it_turns_over_and_keeps_so_many(path: Path) -> None:
    file = LogFile(path, 20, 2)  # two lines of 7 bytes
    lines(file, 0, 9)
    assert kept(path) == {
        "gateway.log": ["line 8"],
        "gateway.log.1": ["line 6", "line 7"],
        "gateway.log.2": ["line 4", "line 5"],
    }
    file.close()
    fewer = LogFile(path, 20, 1)
    lines(fewer, 9, 11)
    assert kept(path) == {"gateway.log": ["line 10"], "gateway.log.1": ["line 8", "line 9"]}
    fewer.close()


def test_what_is_longer_than_the_file_may_be_is_written(path: Path) -> None:
    file = LogFile(path, 20, 2)
    file.write("x" * 50 + "\n")
    file.write("y\n")
    assert kept(path) == {"gateway.log": ["y"], "gateway.log.1": ["x" * 50]}
    file.close()


def test_zero_turns_nothing_over(path: Path) -> None:
    file = LogFile(path, 0, 2)
    lines(file, 0, 1000)
    assert len(kept(path)["gateway.log"]) == 1000
    file.close()


def test_who_else_turns_it_over_need_tell_nobody(path: Path) -> None:
    file = LogFile(path, 0, 1)
    lines(file, 0, 2)
    path.rename(path.with_name("moved"))
    lines(file, 2, 3)
    path.rename(path.with_name("another"))
    lines(file, 3, 4)
    assert path.with_name("moved").read_text("utf-8") == "line 0\nline 1\n"
    assert path.with_name("another").read_text("utf-8") == "line 2\n"
    assert kept(path) == {"gateway.log": ["line 3"]}
    file.close()


@pytest.mark.skipif(os.name == "nt", reason="rights are those of the folder there")
def test_its_rights(path: Path) -> None:
    file = LogFile(path, 10, 3)
    lines(file, 0, 1)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)  # for a group that reads logs
    lines(file, 1, 2)
    assert path.stat().st_mode & 0o777 == 0o640
    assert kept(path)["gateway.log"] == ["line 1"]
    file.close()


def test_what_cannot_be_renamed_grows_on(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    file = LogFile(path, 20, 1, now=lambda: now[0])
    lines(file, 0, 2)
    hindrance = path.with_name("gateway.log.1") / "in it"
    hindrance.mkdir(parents=True)
    lines(file, 2, 5)
    assert path.read_text("utf-8").splitlines() == [f"line {one}" for one in range(5)]
    assert capsys.readouterr().err.count("cannot be turned over") == 1
    hindrance.rmdir()
    hindrance.parent.rmdir()
    lines(file, 5, 6)
    assert list(kept(path)) == ["gateway.log"]
    now[0] = 61.0
    lines(file, 6, 7)
    assert kept(path)["gateway.log"] == ["line 6"]
    file.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a device that is full")
def test_a_full_disk_is_said_once(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.parent.mkdir()
    path.symlink_to("/dev/full")
    file = LogFile(path, 0, 1)
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            file.write("lost\n")
    assert capsys.readouterr().err.count("cannot be written: No space left on device") == 1
    path.unlink()
    file.write("kept\n")
    assert kept(path) == {"gateway.log": ["kept"]}
    file.close()


TORN = """
import resource, sys
from pathlib import Path
from gateway.telemetry import logs
from gateway.telemetry.log_file import LogFile
file = LogFile(Path(sys.argv[1]), 0, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
try:
    file.write("a line of some length\\n")
except OSError:
    pass
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
file.write("another\\n")
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no limit of a file's size")
@pytest.mark.usefixtures("processes")
def test_half_a_line_ends_before_the_next(path: Path) -> None:
    subprocess.run([sys.executable, "-c", TORN, str(path)], check=True, cwd=ROOT)
    assert kept(path) == {"gateway.log": ["a line of ", "another"]}


WRITER = """
import sys
from pathlib import Path
from gateway.telemetry import logs
from gateway.telemetry.log_file import LogFile
file = LogFile(Path(sys.argv[1]), 200, 500)
for number in range(500):
    file.write(f"{sys.argv[2]} {number}\\n" * 2)
"""


@pytest.mark.skipif(os.name == "nt", reason="one process serves there; Wine appends in two steps")
@pytest.mark.usefixtures("processes")
def test_several_processes_lose_no_line(path: Path) -> None:
    """While some of them turn the file over, hundreds of times."""
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], cwd=ROOT)
        for name in ("a", "b", "c", "d")
    ]
    assert [one.wait() for one in started] == [0, 0, 0, 0]
    found = kept(path)
    assert len(found) > 30
    assert max(map(len, found.values())) <= 50
    assert min(len(one) for name, one in found.items() if name != path.name) > 10  # once each
    written = sorted(line for one in found.values() for line in one)
    assert written == sorted(2 * [f"{one} {number}" for one in "abcd" for number in range(500)])


def test_an_entry_that_cannot_be_made_fails_nobody(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = logs._FileHandler(LogFile(path, 0, 1))
    logger = logging.Logger("apart")
    logger.addHandler(handler)
    logger.info("%d", "no number")
    logger.info("the next one")
    handler.close()
    assert path.read_text() == "the next one\n"
    assert "no number" in capsys.readouterr().err
