"""`python -m tests windows`, as far as it can be looked at without Wine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.windows import __main__ as command
from tests.windows import selection, wheels, wine
from tests.windows.gateways import WindowsProcess, call

ROOT = Path(__file__).resolve().parents[1]


def named() -> Iterator[str]:
    for paths in selection.INSIDE.values():
        yield from paths
    yield from selection.LEFT_OUT
    yield from selection.NOT_UNDER_WINE


@pytest.mark.parametrize("path", sorted(named()))
def test_what_the_selection_names_is_there(path: str) -> None:
    file, *inside = path.split("::")
    assert (ROOT / file).exists()
    if inside:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert all(f" {one.partition('[')[0]}(" in source for one in inside)


def test_each_path_is_chosen_once_and_what_is_left_out_was_chosen() -> None:
    chosen = [path for paths in selection.INSIDE.values() for path in paths]
    assert len(chosen) == len(set(chosen))
    for path in (*selection.LEFT_OUT, *selection.NOT_UNDER_WINE):
        assert any(path.startswith(one) for one in chosen), path


def test_what_is_installed_there_is_what_Windows_needs() -> None:
    found = {one.partition(">")[0].partition("<")[0] for one in wheels.requirements()}
    assert {"waitress", "boto3", "moto[s3]", "pytest-xdist", "colorama"} <= found
    assert not found & wheels.NOT_THERE.keys()
    assert "granian" not in found  # its marker says so
    assert "storage-gateway" not in "".join(found)


def test_a_path_of_this_machine_is_below_Z() -> None:
    assert wine.windows_path(Path("/tmp/a b")) == "Z:\\tmp\\a b"


@pytest.mark.skipif(sys.platform == "win32", reason="there it says what to run")
def test_where_something_is_missing_that_is_said_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(wine, "PLACES", (str(tmp_path),))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("GATEWAY_TEST_WINDOWS", str(tmp_path / "kept"))
    assert command.main(["--only", "inside"]) == 0
    assert capsys.readouterr().out.startswith("Windows' Python is left out: ")
    assert not (tmp_path / "kept").exists()


def test_what_is_not_beside_is_called_here() -> None:
    assert call("os.path.join", "a", "b") == os.path.join("a", "b")  # noqa: PTH118


def test_a_gateway_beside_is_waited_for_as_a_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[tuple[Any, ...]] = []

    class Keeper:
        def order(self, *words: Any) -> Any:
            orders.append(words)
            if words[0] == "poll":
                return None if len(orders) < 4 else 0
            return 7

    monkeypatch.setattr("tests.windows.gateways._keeper", Keeper)
    told = {"GATEWAY_A": "1", "PATH": "/bin"}
    process = WindowsProcess(["-m", "gateway"], Path("folder"), told)
    assert orders == [
        ("start", ["-m", "gateway"], "folder", str(Path("folder/log")), {"GATEWAY_A": "1"})
    ]
    process.terminate()
    assert (process.pid, process.wait(60), process.poll()) == (7, 0, 0)
    assert [words[0] for words in orders] == ["start", "interrupt", "poll", "poll"]
