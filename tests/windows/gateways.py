"""Where the gateways of tests run: in this Python, or in Windows' beside it, which
`GATEWAY_TEST_GATEWAYS_IN` names (`python -m tests windows` does); the clients are here.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from tests.starting import Popen
from tests.windows.wine import Python

PLACE = "GATEWAY_TEST_GATEWAYS_IN"
BESIDE = PLACE in os.environ
ON_WINDOWS = BESIDE or sys.platform == "win32"
"""Whether they run there. Tests are on Windows themselves when `sys.platform` says so."""

THEIRS = ("GATEWAY_", "AWS_", "TMPDIR")
"""Variables that mean something to a gateway, wherever it runs."""


def start(
    words: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    *,
    start_new_session: bool = False,
) -> subprocess.Popen[str]:
    """`python` with these words. What it says is in `folder`/log, which is new."""
    with (folder / "log").open("w", encoding="utf-8") as log:
        if BESIDE:
            return cast("subprocess.Popen[str]", WindowsProcess(words, folder, environ))
        return Popen(
            [sys.executable, *words],
            env=environ,
            stdout=log,
            stderr=log,
            text=True,
            cwd=folder,
            start_new_session=start_new_session,
        )


def call(function: str, *arguments: Any) -> Any:
    """Where they run, in another process than theirs. What comes and goes is JSON."""
    if BESIDE:
        return _keeper().order("call", function, *arguments)
    module, _, name = function.rpartition(".")
    return getattr(import_module(module), name)(*arguments)


class WindowsProcess:
    """What tests want of a `subprocess.Popen`."""

    def __init__(self, words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.args, self.returncode = words, cast("int | None", None)
        told = {name: value for name, value in environ.items() if name.startswith(THEIRS)}
        self.pid = _keeper().order("start", list(words), str(folder), str(folder / "log"), told)

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _keeper().order("poll", self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(0.02)
        return code

    def terminate(self) -> None:
        """Gently: as Ctrl-C in its window does."""
        _keeper().order("interrupt", self.pid)

    def kill(self) -> None:
        _keeper().order("kill", self.pid)


class _Keeper:
    """Of this side; see `keeper`."""

    def __init__(self, folder: Path) -> None:
        from tests.windows.wheels import CHECKOUT

        python = Python(folder)
        self._process = python.start(["-m", "tests.windows.keeper"], cwd=folder.parent / CHECKOUT)
        self._lock = threading.Lock()
        atexit.register(self._end)

    def order(self, *words: Any) -> Any:
        orders, answers = self._process.stdin, self._process.stdout
        assert orders is not None and answers is not None
        with self._lock:
            orders.write(json.dumps(words) + "\n")
            orders.flush()
            while (answer := answers.readline()) and not answer.startswith("["):
                print(answer, end="", file=sys.stderr)  # what one of them said before it served
        how, what = json.loads(answer) if answer else ("failed", "the keeper has ended")
        assert how == "well", (words, what)
        return what

    def _end(self) -> None:
        self._process.communicate()  # there are no more orders


@cache
def _keeper() -> _Keeper:
    return _Keeper(Path(os.environ[PLACE]))
