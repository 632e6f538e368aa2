"""In Windows' Python: starts gateways and ends them, for tests that are on the other side.

Orders are lines of JSON on stdin, `[NAME, ARGUMENT, …]`; each is answered by a line on stdout.
Windows has no fork, and starting takes seconds: so there is always one process more, which has
imported what a gateway imports, and becomes the next one when it is told to.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tests.stopping import OWN_CONSOLE, stop

IMPORTED = (
    "gateway.commands.main",
    "gateway.commands.serve",
    "gateway.servers.worker",
    "gateway.servers.waitress",
    "gateway.servers.waitress_inside",
    "gateway.modes.s3.application",
    "gateway.modes.s3.operations",
)


class Keeper:
    def __init__(self) -> None:
        self._spare = self._more()
        self._kept: dict[int, subprocess.Popen[bytes]] = {}

    def _more(self) -> subprocess.Popen[bytes]:
        """One that waits for its order."""
        words = [sys.executable, "-m", __spec__.name, "spare"]
        return subprocess.Popen(words, stdin=subprocess.PIPE, creationflags=OWN_CONSOLE)

    def start(self, words: list[str], folder: str, log: str, environ: Mapping[str, str]) -> int:
        """`python WORDS`, with these variables besides; both streams go to `log`."""
        process, self._spare = self._spare, self._more()
        assert process.stdin is not None
        order = json.dumps([words, folder, log, environ])
        process.stdin.write(order.encode() + b"\n")
        process.stdin.flush()
        self._kept[process.pid] = process
        return process.pid

    def poll(self, pid: int) -> int | None:
        return self._kept[pid].poll()

    def interrupt(self, pid: int) -> None:
        """As Ctrl-C does at its console."""
        stop(self._kept[pid])

    def kill(self, pid: int) -> None:
        """By TerminateProcess."""
        self._kept[pid].kill()
        self._kept[pid].wait()

    def call(self, function: str, *arguments: Any) -> Any:
        module, _, name = function.rpartition(".")
        return getattr(importlib.import_module(module), name)(*arguments)

    def end(self) -> None:
        for one in (self._spare, *self._kept.values()):
            one.kill()
            one.wait()

    def serve(self) -> None:
        """Until there are no more orders."""
        orders: dict[str, Callable[..., Any]] = {
            one.__name__: one
            for one in (self.start, self.poll, self.interrupt, self.kill, self.call)
        }
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            try:
                answer = ["well", orders[name](*arguments)]
            except Exception as error:
                answer = ["failed", f"{type(error).__name__}: {error}"]
            print(json.dumps(answer), flush=True)
        self.end()


def become() -> None:
    """What the order says, in a process that has its imports already."""
    for name in IMPORTED:
        importlib.import_module(name)
    words, folder, log, environ = json.loads(sys.stdin.readline())
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0))
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    os.chdir(folder)
    os.environ.update(environ)
    kind, module, *arguments = words
    assert kind == "-m", words
    sys.argv[:] = [module, *arguments]
    sys.path[0] = folder
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["spare"]:
        become()
    else:
        Keeper().serve()
