"""A server from its start to its end: found, started, asked until it answers, and ended.

A server that is not on this machine, or does not start, is `Missing`: reported and left out.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks import processes
from benchmarks.connection import Connection
from benchmarks.requests import Target
from benchmarks.servers import Server, Site
from benchmarks.signing import Request

START_LIMIT = 30.0


class Missing(Exception):
    """The server cannot be measured here; the text says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers. `started` is the seconds until its first signed answer."""

    server: Server
    process: subprocess.Popen[bytes]
    site: Site
    started: float

    @property
    def target(self) -> Target:
        return self.site.target

    @property
    def data(self) -> Path:
        return self.site.data

    @property
    def index(self) -> Path | None:
        """The engine's index, where it can be filled."""
        return self.site.data / "index.db" if self.server.indexed else None

    def usage(self) -> list[processes.Usage] | None:
        return processes.family(self.process.pid)


def command(server: Server) -> list[str]:
    """The program, looked for beside this Python and in `node_modules` too; else a module
    of this Python. Raises `Missing`."""
    name, *rest = server.program
    places = [os.environ.get("PATH", ""), str(Path(sys.executable).parent), "node_modules/.bin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is not None:
        return [*server.before, found, *rest]
    if server.module and find_spec(server.module.partition(".")[0]) is not None:
        return [*server.before, sys.executable, "-m", server.module]
    raise Missing(f"{name} is not on PATH")


def version(server: Server) -> str:
    """What the program says that it is, in one line; empty when it does not say."""
    if not server.version:
        return ""
    try:
        done = subprocess.run(
            [*command(server), *server.version],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (Missing, OSError, subprocess.TimeoutExpired):
        return ""
    said = done.stdout.strip() or done.stderr.strip()  # nginx says it on stderr
    lines = said.splitlines() if done.returncode == 0 else []
    # "Version  : v1.8.0" on the second line is versitygw's way.
    named = [line for line in lines if line.lower().startswith("version")]
    return " ".join((named or lines or [""])[0].split())


@contextmanager
def running(server: Server, folder: Path) -> Iterator[Running]:
    """The server, from its first answer to the end of its last process. Raises `Missing`."""
    program = command(server)
    site = Site(folder=folder, target=free_address(server))
    site.data.mkdir(parents=True)
    output = folder / "output.log"
    arguments, environment = server.arguments(site), server.environment(site)
    with output.open("wb") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [*program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
        try:
            if not _answers(server, site, process):
                raise Missing(f"did not start: {_last_line(output)}")
            started = time.perf_counter() - begin
            yield Running(server=server, process=process, site=site, started=started)
        finally:
            processes.end(process)


def free_address(server: Server) -> Target:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return Target(host="127.0.0.1", port=port, credentials=server.credentials)


def _answers(server: Server, site: Site, process: subprocess.Popen[bytes]) -> bool:
    """Wait for a signed ListBuckets to be answered; False: it ended, or the limit passed."""
    until = time.perf_counter() + START_LIMIT
    while time.perf_counter() < until and process.poll() is None:
        if _answers_now(server, site.target):
            return True
        time.sleep(0.005)
    return False


def _answers_now(server: Server, target: Target) -> bool:
    try:
        connection = Connection(target.address, timeout=5)
    except OSError:
        return False
    try:
        if server.health:
            plain = f"GET {server.health} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\n\r\n"
            if connection.exchange(plain.encode()).status != 200:
                return False
        if server.static:
            return True
        return connection.exchange(target.head(Request(method="GET", path="/"))).status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _last_line(output: Path) -> str:
    lines = output.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"
