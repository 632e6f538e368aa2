"""The servers that are measured, as a table: what each is, and how it is started.

All keep their data below one folder, listen on loopback and know one key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from benchmarks.requests import Target
from benchmarks.signing import Credentials
from gateway.common.cpu_quota import usable_processors

CREDENTIALS = Credentials(access="benchmarkkey", secret="benchmark-secret-of-no-use")

Kind = Literal["gateway", "peer", "reference"]
"""What is measured, what it is compared with, and what only shows how far one could go."""

UNDER = ("granian", "waitress")
"""What the gateway runs under: each has a column, or lines, in every table of a running gateway."""


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
    """`program` begins the command, `module` is the Python module that does the same.
    `health` is a path that answers 200 unsigned, if it has one."""

    name: str
    program: tuple[str, ...]
    arguments: Callable[[Site], list[str]]
    environment: Callable[[Site], Mapping[str, str]] = lambda _: {}
    credentials: Credentials = CREDENTIALS
    before: tuple[str, ...] = ()
    """A program that becomes the server, and its arguments."""
    module: str = ""
    version: tuple[str, ...] = ("--version",)
    health: str = ""
    kind: Kind = "peer"
    usual: bool = True
    """Measured unless others are named."""
    in_memory: bool = False
    indexed: bool = False
    """Its index is a file that the harness can fill."""
    static: bool = False
    """Serves files, and knows no buckets and no signatures."""


def gateway(store: str, server: str, *, settings: str = "") -> Server:
    """`settings`: more lines for the `[server]` table."""
    return Server(
        name=f"gateway-{store}-{server}",
        program=(sys.executable, "-m", "gateway"),
        arguments=lambda site: [
            *("serve", "--config", str(_gateway_file(site, server, settings))),
            *(["--memory"] if store == "memory" else []),
        ],
        environment=lambda _: {
            "GATEWAY_ROOT_ACCESS_KEY": CREDENTIALS.access,
            "GATEWAY_ROOT_SECRET_KEY": CREDENTIALS.secret,
        },
        version=("version",),
        health="/-/health/ready",
        kind="gateway",
        in_memory=store == "memory",
        indexed=store == "local",
    )


def _gateway_file(site: Site, server: str, settings: str) -> Path:
    """Defaults but for the address; waitress needs a limit above its 1 GiB for large bodies."""
    file = site.folder / "gateway.toml"
    text = (
        "[server]\n"
        f'listen = "{site.listen}"\n'
        f"data = '{site.data}'\n"
        f'server = "{server}"\n'
        'max_body = "16GiB"\n'
        f"{settings}"
    )
    file.write_text(text, encoding="utf-8")
    return file


def pinned(server: Server) -> Server:
    """On one processor, the last, as on a machine that has no more. By taskset (util-linux)."""
    last = max(os.sched_getaffinity(0)) if sys.platform == "linux" else 0
    return replace(server, before=("taskset", "--cpu-list", str(last)))


def bare(workers: int, *, record: str = "") -> Server:
    """A function on granian that answers 1 KiB to whatever is asked. `record`: a file in its
    folder that gets what was."""
    return Server(
        name="bare",
        program=(sys.executable, "-m", "benchmarks.bare"),
        arguments=lambda site: [
            *(site.target.host, str(site.target.port), str(workers)),
            *([str(site.folder / record)] if record else []),
        ],
        version=(),
        health="/",
        kind="reference",
        usual=False,
        static=True,
    )


_NGINX = """\
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr warn;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"""

_FILES = """\
    default_type application/octet-stream;
    server {{ listen {listen}; root "{data}"; location = / {{ return 200; }} }}
"""


def nginx_arguments(site: Site, http: str) -> list[str]:
    """Of an nginx whose `http` block has that, too. Started by root, its workers would be nobody,
    who may not see the folder."""
    file = site.folder / "nginx.conf"
    user = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    text = _NGINX.format(folder=site.folder, user=user, http=http)
    file.write_text(text, encoding="utf-8")
    return ["-p", str(site.folder), "-e", "stderr", "-c", str(file), "-g", "daemon off;"]


_TABLE = (
    *(gateway(store, server) for store in ("local", "memory") for server in UNDER),
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
        arguments=lambda site: ["server", "--quiet", "--address", site.listen, str(site.data)],
        environment=lambda site: {
            "MINIO_ROOT_USER": CREDENTIALS.access,
            "MINIO_ROOT_PASSWORD": CREDENTIALS.secret,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            "HOME": str(site.folder),
        },
        health="/minio/health/ready",
    ),
    # Checks no signature unless it is told to, and holds its objects in memory.
    Server(
        name="moto",
        program=("moto_server",),
        module="moto.server",
        arguments=lambda site: ["--host", site.target.host, "--port", str(site.target.port)],
        version=(),
        in_memory=True,
    ),
    # Its one key cannot be chosen.
    Server(
        name="s3rver",
        program=("s3rver",),
        arguments=lambda site: [
            *("--directory", str(site.data), "--address", site.target.host),
            *("--port", str(site.target.port), "--silent", "--no-vhost-buckets"),
        ],
        credentials=Credentials(access="S3RVER", secret="S3RVER"),
    ),
    # What the server under the gateway could do, with as many workers.
    bare(usable_processors()),
    # Static files, no signatures, no PUT: what is possible, not what is compared.
    Server(
        name="nginx",
        program=("nginx",),
        arguments=lambda site: nginx_arguments(
            site, _FILES.format(listen=site.listen, data=site.data)
        ),
        version=("-v",),
        health="/",
        kind="reference",
        static=True,
    ),
)
SERVERS: Mapping[str, Server] = {one.name: one for one in _TABLE}
