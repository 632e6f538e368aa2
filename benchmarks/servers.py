"""The servers that are measured, as a table: how each is started, and when it is ready.

All keep their data below one folder, listen on loopback and know one key. A server
that is not on this machine, or does not start, is reported and left out.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.connection import Connection
from benchmarks.signing import Credentials, Request
from benchmarks.workloads import Target

START_LIMIT = 30.0
CREDENTIALS = Credentials(access="benchmarkkey", secret="benchmark-secret-of-no-use")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a server runs: an empty folder of its own, and an address."""

    folder: Path
    target: Target

    @property
    def listen(self) -> str:
        return f"{self.target.host}:{self.target.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`program` begins the command; `health` is a path that answers 200 unsigned, if it has one."""

    name: str
    program: tuple[str, ...]
    arguments: Callable[[Site], list[str]]
    environment: Callable[[Site], Mapping[str, str]] = lambda _: {}
    version: tuple[str, ...] = ("--version",)
    health: str = ""
    peer: bool = True
    in_memory: bool = False


class Missing(Exception):
    """The server cannot be measured here; the text says why, in one line."""


def _gateway(store: str, server: str) -> Server:
    return Server(
        name=f"gateway-{store}-{server}",
        program=(sys.executable, "-m", "gateway"),
        arguments=lambda site: [
            *("serve", "--config", str(_gateway_file(site, server))),
            *(["--memory"] if store == "memory" else []),
        ],
        environment=lambda _: {
            "GATEWAY_ROOT_ACCESS_KEY": CREDENTIALS.access,
            "GATEWAY_ROOT_SECRET_KEY": CREDENTIALS.secret,
        },
        version=("version",),
        health="/-/health/ready",
        peer=False,
        in_memory=store == "memory",
    )


def _gateway_file(site: Site, server: str) -> Path:
    """Defaults but for the address; waitress needs a limit above its 1 GiB for large bodies."""
    file = site.folder / "gateway.toml"
    text = (
        "[server]\n"
        f'listen = "{site.listen}"\n'
        f"data = '{site.data}'\n"
        f'server = "{server}"\n'
        'max_body = "16GiB"\n'
    )
    file.write_text(text, encoding="utf-8")
    return file


SERVERS = {
    one.name: one
    for one in (
        _gateway("local", "granian"),
        _gateway("local", "waitress"),
        _gateway("memory", "granian"),
        _gateway("memory", "waitress"),
        # Without the VFS cache (the default of `serve s3`), an answered PUT is in its folder.
        Server(
            name="rclone",
            program=("rclone",),
            arguments=lambda site: [
                *("serve", "s3", str(site.data), "--addr", site.listen),
                *("--vfs-cache-mode", "off", "--cache-dir", str(site.folder / "cache")),
            ],
            environment=lambda site: {
                "RCLONE_AUTH_KEY": f'"{CREDENTIALS.access},{CREDENTIALS.secret}"',
                "RCLONE_CONFIG": str(site.folder / "rclone.conf"),
            },
        ),
        # Without --keep-alive each request would pay for a connection.
        Server(
            name="versitygw",
            program=("versitygw",),
            arguments=lambda site: [
                *("--port", site.listen, "--health", "/health", "--quiet", "--keep-alive"),
                *("posix", str(site.data)),
            ],
            environment=lambda _: {
                "ROOT_ACCESS_KEY": CREDENTIALS.access,
                "ROOT_SECRET_KEY": CREDENTIALS.secret,
            },
            health="/health",
        ),
        Server(
            name="minio",
            program=("minio",),
            arguments=lambda site: [
                "server",
                "--quiet",
                "--address",
                site.listen,
                str(site.data),
            ],
            environment=lambda site: {
                "MINIO_ROOT_USER": CREDENTIALS.access,
                "MINIO_ROOT_PASSWORD": CREDENTIALS.secret,
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
                "HOME": str(site.folder),
            },
            health="/minio/health/ready",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers. `started` is the seconds until its first signed answer."""

    server: Server
    process: subprocess.Popen[bytes]
    target: Target
    folder: Path
    started: float

    def usage(self) -> list[processes.Usage] | None:
        return processes.family(self.process.pid)


def command(server: Server) -> list[str]:
    """The program, looked for beside this Python too. Raises `Missing`."""
    name, *rest = server.program
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    found = shutil.which(name, path=path)
    if found is None:
        raise Missing(f"{name} is not on PATH")
    return [found, *rest]


def version(server: Server) -> str:
    """What the program says that it is, in one line; empty when it does not say."""
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
    lines = done.stdout.strip().splitlines() if done.returncode == 0 else []
    # "Version  : v1.8.0" on the second line is versitygw's way.
    named = [line for line in lines if line.lower().startswith("version")]
    return " ".join((named or lines or [""])[0].split())


@contextmanager
def running(server: Server, folder: Path) -> Iterator[Running]:
    """The server, from its first answer to the end of its last process. Raises `Missing`."""
    program = command(server)
    site = Site(folder=folder, target=_free_address())
    site.data.mkdir(parents=True)
    output = folder / "output.log"
    with output.open("wb") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [*program, *server.arguments(site)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **server.environment(site)},
        )
        try:
            if not _answers(server, site, process):
                raise Missing(f"did not start: {_last_line(output)}")
            started = time.perf_counter() - begin
            yield Running(
                server=server, process=process, target=site.target, folder=folder, started=started
            )
        finally:
            processes.end(process)


def _free_address() -> Target:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return Target(host="127.0.0.1", port=port, credentials=CREDENTIALS)


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
        return connection.exchange(target.head(Request(method="GET", path="/"))).status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _last_line(output: Path) -> str:
    lines = output.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"
