"""What CI does on each Python is what README.md and pyproject.toml say."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def pythons() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pythons", ROOT / ".ci" / "pythons.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_oldest_is_the_one_that_is_required(pythons: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    supported = pythons.supported()
    assert project["requires-python"] == f">={supported[0]}"
    assert supported == [f"3.{minor}" for minor in range(11, 11 + len(supported))]


def test_the_commands_are_those_of_the_README(pythons: ModuleType) -> None:
    make, install, serve = pythons.command("Run it", "python")
    assert make == ["python", "-m", "venv", ".venv"]
    assert (install[1:], serve[1:]) == (["install", "."], ["serve"])
    again, install, check = pythons.command("Check and test it", "python")
    assert again == make
    assert (install[1:], check[1:]) == (["install", "-e", ".[dev]"], ["-m", "tests"])


@pytest.mark.usefixtures("processes")
def test_an_interpreter_is_one_that_says_its_version(pythons: ModuleType, tmp_path: Path) -> None:
    version = "{}.{}".format(*sys.version_info)
    assert pythons.works(sys.executable, version)
    assert not pythons.works(sys.executable, "3.10")
    assert not pythons.works(str(tmp_path / "none"), version)
    assert pythons.find("3.10000", tmp_path) is None
