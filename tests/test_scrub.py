"""The command `gateway scrub`: what it says, its exit codes, and its pace."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.access.identity import Identity
from gateway.commands.main import main
from gateway.commands.scrub import BURST, Pace
from gateway.config import load
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, Put

ADMIN = Identity(key="k", account="root", access="admin")
CONFIGURATION = """
[server]
data = "data"
[services.archive]
driver = "local"
[services.apart]
driver = "local"
folder = "apart"
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [one for one in os.environ if one.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["scrub", *arguments])
        except SystemExit as leaving:  # argparse's way to end
            code = int(leaving.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def runtime(folder: Path) -> Iterator[Runtime]:
    """A gateway that runs meanwhile."""
    running = open_runtime(load(environ={}), environ={})
    running.create(ADMIN, "made")
    for sid in ("archive", "apart", "made"):
        put(running, sid, "large", os.urandom(100_000))
        put(running, sid, "small", b"in the index")
    yield running
    running.close()


def put(runtime: Runtime, sid: str, key: str, body: bytes) -> None:
    runtime.access(ADMIN, sid).put(key, BytesBody(body), Put(size=len(body)))


def harm(folder: Path) -> None:
    """To each large object below."""
    for path in (folder / "blobs").rglob("*"):
        if path.is_file():
            os.truncate(path, 99_999)


@pytest.mark.usefixtures("runtime")
def test_all_is_well(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{sid}: 2 objects, 97.7 KiB: all is well" for sid in ("archive", "apart", "made")
    ]


@pytest.mark.usefixtures("runtime")
def test_damage_is_named_with_service_and_key(run: Run, folder: Path) -> None:
    harm(folder / "data")
    code, out, err = run()
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("archive: large (version ")
    assert lines[1] == "archive: 2 objects, 97.7 KiB: 1 damaged"
    assert lines[2] == "apart: 2 objects, 97.7 KiB: all is well"
    assert lines[3].startswith("made: large: Its file ")
    assert lines[4] == "made: 2 objects, 97.7 KiB: 1 damaged"


@pytest.mark.usefixtures("runtime")
def test_one_service(run: Run, folder: Path) -> None:
    harm(folder / "apart")
    assert run("archive")[:2] == (0, "archive: 2 objects, 97.7 KiB: all is well\n")
    assert run("made")[0] == 0
    code, out, _ = run("apart")
    assert code == 1
    assert {line.partition(":")[0] for line in out.splitlines()} == {"apart"}


def add(sid: str, folder: str) -> None:
    option = ("--option", f"folder={folder}")
    assert main(["services", "add", sid, "--driver", "local", *option]) == 0


def test_added_services_are_checked_too(run: Run, runtime: Runtime, folder: Path) -> None:
    add("added", "elsewhere")
    put(runtime, "added", "large", os.urandom(100_000))
    code, out, _ = run()
    assert code == 0
    assert out.splitlines()[-2:] == [
        "added: 1 objects, 97.7 KiB: all is well",
        "made: 2 objects, 97.7 KiB: all is well",
    ]
    harm(folder / "elsewhere")
    for arguments in ((), ("added",)):
        code, out, _ = run(*arguments)
        assert code == 1
        assert "added: 1 objects, 97.7 KiB: 1 damaged" in out


def test_an_added_one_that_cannot_be_opened_keeps_no_other_from_being_checked(
    run: Run, runtime: Runtime, folder: Path
) -> None:
    add("added", "elsewhere")
    add("broken", "gone")
    put(runtime, "added", "large", os.urandom(100_000))
    harm(folder / "elsewhere")
    (folder / "gone").write_text("no folder")
    code, out, _ = run()
    assert code == 1
    assert "archive: 2 objects, 97.7 KiB: all is well" in out
    assert "added: 1 objects, 97.7 KiB: 1 damaged" in out
    assert "not checked: services.broken: cannot be opened: " in out
    code, out, err = run("broken")
    assert (code, out) == (1, "")
    assert "services.broken: cannot be opened: " in err


@pytest.mark.usefixtures("runtime")
def test_a_catalog_that_cannot_be_read_keeps_nothing_declared_from_being_checked(
    run: Run, folder: Path
) -> None:
    (folder / "data" / "gateway.key").rename(folder / "kept-elsewhere")
    code, out, _ = run()
    assert code == 1
    assert "archive: 2 objects, 97.7 KiB: all is well" in out
    assert "not checked: the services of the catalog: The master key" in out


def test_a_key_cannot_forge_a_line(run: Run, runtime: Runtime, folder: Path) -> None:
    key = "k\nmade: 2 objects, 0 B: all is well"
    put(runtime, "apart", key, os.urandom(100_000))
    harm(folder / "apart")
    code, out, _ = run("apart")
    assert code == 1
    assert len(out.splitlines()) == 3
    assert "'k\\nmade" in out


def test_an_index_that_cannot_be_read_is_damage_and_the_others_are_checked(
    run: Run, runtime: Runtime, folder: Path
) -> None:
    for number in range(60):
        put(runtime, "apart", f"k{number}", os.urandom(50_000))
    runtime.close()
    index = folder / "apart" / "index.db"
    size = index.stat().st_size
    with index.open("r+b") as file:  # all pages but those with the schema
        file.seek(98_304)
        file.write(os.urandom(size - 98_304))
    code, out, _ = run()
    assert code == 1
    assert "archive: 2 objects, 97.7 KiB: all is well" in out
    assert "made: 2 objects, 97.7 KiB: all is well" in out
    assert "apart: " in out and "damaged" in out


def test_what_is_unknown_or_not_there_is_1_and_a_sentence(run: Run, folder: Path) -> None:
    code, out, err = run()
    assert (code, out) == (1, "")
    assert "has not run" in err
    assert not (folder / "data").exists()
    open_runtime(load(environ={}), environ={}).close()
    code, out, err = run("unknown")
    assert (code, out) == (1, "")
    assert "'unknown'" in err


@pytest.mark.parametrize("arguments", [("--rate", "fast"), ("--rate", "-1"), ("a", "b")])
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "usage:" in err


@pytest.mark.usefixtures("runtime")
def test_nothing_is_written(run: Run, folder: Path) -> None:
    def picture() -> dict[Path, bytes]:
        return {
            path: path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.endswith("-shm")
        }

    before = picture()
    assert run()[0] == 0
    assert picture() == before


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("runtime")
def test_a_terminal_shows_how_far_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert main(["scrub", "archive"]) == 0
    assert "archive: " in terminal.getvalue()
    assert "of 2 objects" in terminal.getvalue()


class Time:
    now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("size", [100, 10_000, 300_000])
def test_no_more_is_read_than_the_rate(size: int) -> None:
    time = Time()
    pace = Pace(1_000_000, time.clock, time.sleep)
    for _ in range(10_000_000 // size):
        pace.spend(size)
    assert 10 - BURST - 0.3 <= time.now - 100 <= 10.1


def test_a_pause_is_not_made_up_for() -> None:
    time = Time()
    pace = Pace(1_000_000, time.clock, time.sleep)
    time.now += 3600
    for _ in range(1000):
        pace.spend(10_000)
    assert time.now - 3700 >= 10 - 2 * BURST


def test_a_rate_of_0_is_none() -> None:
    time = Time()
    pace = Pace(0, time.clock, time.sleep)
    pace.spend(1 << 50)
    assert time.now == 100
