"""A quick test cannot do what it does not say that it needs, and `--quick` runs no other."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import __main__
from tests.__main__ import compile_tests, steps
from tests.conftest import is_quick

ROOT = Path(__file__).parent.parent


def refused(need: str) -> Any:
    return pytest.raises(pytest.fail.Exception, match=f"needs `{need}`")


@pytest.mark.skipif(sys.platform == "win32", reason="pairs of sockets are connections there")
def test_a_quick_test_has_no_connections(request: pytest.FixtureRequest) -> None:
    assert is_quick(request.node)
    with socket.socket() as one, refused("sockets"):
        one.bind(("127.0.0.1", 0))
    with socket.socket() as one, refused("sockets"):
        one.connect(("127.0.0.1", 9))
    for end in socket.socketpair():  # nobody else can have its other end
        end.close()


def test_a_quick_test_has_no_processes() -> None:
    with refused("processes"):
        subprocess.run([sys.executable, "-c", ""], check=True)
    with refused("processes"):
        multiprocessing.get_context("spawn").Process(target=print).start()
    with refused("processes"):
        os.system("")


@pytest.mark.usefixtures("sockets", "processes")
def test_who_says_so_may(request: pytest.FixtureRequest) -> None:
    assert not is_quick(request.node)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
    subprocess.run([sys.executable, "-c", ""], check=True)


class TestOfADriver:
    processes = True  # as the kit says it: several may have its store open

    def test_it_needs_processes(self, request: pytest.FixtureRequest) -> None:
        assert not is_quick(request.node)


def test_a_fixture_says_it_for_its_tests(gateway_env: object, request: Any) -> None:
    assert not is_quick(request.node)


@pytest.mark.usefixtures("processes")
def test_quick_leaves_the_others_out() -> None:
    command = [sys.executable, "-m", "pytest", "--quick", "--collect-only", __file__]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    named = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert sorted(named) == [
        "test_a_quick_test_has_no_connections",
        "test_a_quick_test_has_no_processes",
        "test_bytecode_is_made_once_where_there_is_none",
        "test_the_command_says_it_to_pytest",
    ]


def test_the_command_says_it_to_pytest() -> None:
    (*_, quick), (*_, all_of_them) = steps(["quick", "-x"]), steps(["-x"])
    assert quick[-2:] == ["--quick", "-x"]
    assert all_of_them[-1] == "-x" and "--quick" not in all_of_them


def test_bytecode_is_made_once_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[str]] = []

    def start(command: list[str], **_: object) -> None:
        made.append(command)

    monkeypatch.setattr(__main__, "HERE", tmp_path)
    monkeypatch.setattr(subprocess, "run", start)
    compiled = tmp_path / f"__pycache__/test_a.{sys.implementation.cache_tag}-pytest-9.0.pyc"
    compiled.parent.mkdir()
    for there, environment, number in (
        (False, {}, 1),
        (True, {}, 0),
        (True, {"PYTHONPYCACHEPREFIX": str(tmp_path)}, 1),
    ):
        if there:
            compiled.touch()
        compile_tests(environment)
        assert len(made) == number
        made.clear()
