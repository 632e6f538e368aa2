"""A library on whose inside we stand is bounded, and nobody else of ours stands on it."""

from __future__ import annotations

import ast
import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.libraries.standing import Standing
from tests.sources import Source, source_at, source_of

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ALL: dict[str, Standing] = {
    found.distribution: found
    for path in sorted(HERE.glob("test_*.py"))
    if path != Path(__file__)
    for found in vars(importlib.import_module(f"tests.libraries.{path.stem}")).values()
    if isinstance(found, Standing)
}
THROUGH = {"botocore": "boto3", "paramiko": "fsspec"}
"""What is not asked for by its own name, and what brings it."""


def requirements() -> Iterator[Requirement]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    optional = project["optional-dependencies"]
    groups = [optional[name] for name in sorted(optional) if name != "dev"]
    for text in sum(groups, project["dependencies"]):
        yield Requirement(text)


@pytest.mark.parametrize("name", sorted(ALL))
def test_its_version_is_bounded(name: str) -> None:
    wanted = THROUGH.get(name, name)
    (asked,) = [one for one in requirements() if one.name == wanted]
    assert any(one.operator in ("<", "<=", "==", "~=") for one in asked.specifier), asked
    if name == wanted and asked.marker is not None and not asked.marker.evaluate():
        pytest.skip(f"not on {sys.platform}")
    if name == wanted:
        assert asked.specifier.contains(ALL[name].installed()), "other tests prove nothing"


@pytest.mark.parametrize("name", sorted(ALL))
def test_all_that_stands_on_it_is_in_its_files(name: str) -> None:
    standing = ALL[name]
    known = {standing.ours, *standing.public}
    assert not [one for one in known if not (ROOT / one).is_file()]
    importing = {
        path.relative_to(ROOT).as_posix()
        for top in ("gateway", "drivers")
        for path in (ROOT / top).rglob("*.py")
        if standing.module in imported(path)
    }
    assert importing <= known


@pytest.mark.parametrize("name", sorted(ALL))
def test_others_import_nothing_that_is_marked_as_its_inside(name: str) -> None:
    standing = ALL[name]
    marked = {
        f"{path}: {one}"
        for path in standing.public
        for one in names(source_at(ROOT / path))
        if one.partition(".")[0] == standing.module and "._" in one
    }
    assert marked == set()


def imported(path: Path) -> set[str]:
    """The first names of all that a file imports."""
    return {one.partition(".")[0] for one in names(source_at(path))}


def names(source: Source) -> set[str]:
    """All that is imported, in full."""
    found: set[str] = set()
    for node in source.imports:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif not node.level and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_what_has_moved_is_said() -> None:
    """With the version, the name, what it is now, and which file of ours stands on it."""
    standing = Standing(
        distribution="pytest",
        module="pytest",
        ours="ours.py",
        takes={"tests.libraries.test_bounds:imported": "file", "os:no.such": ""},
        written={"tests.libraries.test_bounds:imported": ("one  in names(", "nothing")},
    )
    said = standing.moved()
    assert len(said) == 3
    assert all(one.startswith("pytest ") and one.endswith(" (ours.py)") for one in said)
    assert "tests.libraries.test_bounds:imported takes path, no longer file" in said[0]
    assert "os:no.such is gone" in said[1]
    assert "imported has no 'nothing'" in said[2]


def test_all_that_is_imported_is_seen() -> None:
    source = (
        "import a.b, c\nfrom d import _e as f\nfrom . import g\ndef h():\n    from i.j import k"
    )
    assert names(source_of(source)) == {"a.b", "c", "d._e", "i.j.k"}
