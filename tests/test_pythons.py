"""What CI does on each Python is what README.md and pyproject.toml say."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import IO

import pytest

from tests.__main__ import steps
from tests.conftest import OF_PYTHONS

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


def test_all_tests_run_on_the_oldest_and_what_pythons_have_otherwise_on_the_newest(
    pythons: ModuleType,
) -> None:
    assert pythons.runs_for(["3.9", "3.11", "3.10"]) == {
        "3.9": [(), ("windows",)], "3.10": [("quick",)], "3.11": [("pythons",)],
    }  # fmt: skip
    assert pythons.runs_for(["3.11"]) == {"3.11": [(), ("windows",)]}
    (*_, of_pythons) = steps(["pythons", "-x"])
    assert of_pythons[-2:] == ["--pythons", "-x"]
    assert not [one for one in OF_PYTHONS if not (ROOT / "tests" / one).exists()]


@pytest.mark.usefixtures("processes")
def test_the_next_is_made_ready_beside_and_all_that_is_said_comes_in_order(
    pythons: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With commands that only say which they are; those of the second do not go well."""
    say = "import sys; print(*sys.argv[1:]); sys.exit(sys.argv[2:3] == ['fails'])"

    def saying(name: str, *words: str) -> object:
        def step(
            python: str, folder: Path, bound: object, out: IO[str], words: Sequence[str] = words
        ) -> None:
            words = ["fails"] if [*words] == ["windows"] else words
            pythons.run([[sys.executable, "-c", say, name, *words, python]], folder, bound, out)

        return step

    monkeypatch.setattr(pythons, "ROOT", tmp_path / "checkout")
    (tmp_path / "checkout").mkdir()
    monkeypatch.setattr(pythons, "supported", lambda: ["3.11", "3.12", "3.13"])
    found = {"3.11": "oldest", "3.13": "newest"}
    monkeypatch.setattr(pythons, "find", lambda version, _: found.get(version))
    monkeypatch.setattr(pythons, "serves", saying("serves"))
    monkeypatch.setattr(pythons, "installs", saying("installs", "fails"))
    monkeypatch.setattr(pythons, "passes", saying("passes"))
    assert pythons.main() == 1
    said = capfd.readouterr().out
    order = ["serves oldest", "installs fails oldest", "passes oldest", "serves newest"]
    places = [said.index(f"\n{one}\n") for one in [*order, "passes pythons newest"]]
    assert places == sorted(places)
    assert "3.12: not to be had here" in said
    assert said.index("\npasses fails oldest\n") < said.index("\nserves newest\n")
    assert (
        "not yet proved: Python 3.11, the second command's tests windows;"
        " Python 3.13, the second command's installation\n"
    ) in said
    assert "Failed: Python 3.11, the second command's installation\n" in said


@pytest.mark.usefixtures("processes")
def test_an_interpreter_is_one_that_says_its_version(pythons: ModuleType, tmp_path: Path) -> None:
    version = "{}.{}".format(*sys.version_info)
    assert pythons.works(sys.executable, version)
    assert not pythons.works(sys.executable, "3.10")
    assert not pythons.works(str(tmp_path / "none"), version)
    assert pythons.find("3.10000", tmp_path) is None
