"""Real servers on loopback, started as a user starts them, but for imports (`tests.starting`)."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.storage import NOTHING
from tests.stopping import stop
from tests.windows.gateways import ON_WINDOWS, start

ROOT = Path(__file__).parents[2]
KEY, SECRET = "e2e-root", "e2e-secret/with+odd=characters"


@dataclass(frozen=True)
class Running:
    """A gateway that answers. `environment` has the key for clients."""

    url: str
    folder: Path
    process: subprocess.Popen[str]
    environment: dict[str, str]

    def client(self, **options: Any) -> Any:
        import boto3
        from botocore.config import Config

        retries = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        return boto3.client(
            "s3",
            endpoint_url=options.pop("at", self.url),
            aws_access_key_id=options.pop("key", KEY),
            aws_secret_access_key=options.pop("secret", SECRET),
            region_name="us-east-1",
            config=retries.merge(options.pop("config", Config())),
            **options,
        )


def workers_of(gateway: Running) -> list[int]:
    """Linux: the parent's children, without Python's helper beside those that are spawned;
    elsewhere none is found."""
    tasks = Path(f"/proc/{gateway.process.pid}/task")
    found = [int(one) for task in tasks.glob("*") for one in _children(task)]
    return [one for one in found if b"resource_tracker" not in _command(one)]


def _children(task: Path) -> list[str]:
    with suppress(OSError):
        return (task / "children").read_text("ascii").split()
    return []


def _command(process: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def environment() -> dict[str, str]:
    """What clients and servers see: the key, and nothing of the machine's own AWS setup."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "GATEWAY_ROOT_ACCESS_KEY": KEY,
        "GATEWAY_ROOT_SECRET_KEY": SECRET,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def serving(
    folder: Path,
    *options: str,
    config: str = "",
    scheme: str = "http",
    site: Path | None = None,
    at: int = 0,
    more: Mapping[str, str] = NOTHING,
) -> Iterator[Running]:
    """`gateway serve` with these options, until the block ends: told to stop, it must end well.
    In `site` are packages that are installed besides. `at`: a port at which `config` has it
    listen, and then that says all. `more` is in its environment besides."""
    port = at or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "gateway.toml"
    file.write_text(config, encoding="utf-8")
    command = ["-m", "gateway", "serve", "--config", str(file)]
    command += options if at else ["--listen", f"127.0.0.1:{port}", *options]
    if "--memory" not in options and not at:
        command += ["--data", str(folder / "data")]
    environ = {**environment(), **more}
    if site is not None:
        environ["PYTHONPATH"] = os.pathsep.join((str(site), environ["PYTHONPATH"]))
    process = start(command, folder, environ)
    url = f"{scheme}://127.0.0.1:{port}"
    try:
        wait_until_ready(f"http://127.0.0.1:{port}" if scheme == "http" else "", port, process)
        yield Running(url, folder, process, environment() | {"AWS_ENDPOINT_URL": url})
        stop(process)
        assert process.wait(120) == 0, (folder / "log").read_text(encoding="utf-8")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_until_ready(url: str, port: int, process: subprocess.Popen[str]) -> None:
    for _ in range(12_000):
        assert process.poll() is None, "the gateway ended before it was ready"
        try:
            if url:
                urllib.request.urlopen(f"{url}/-/health/ready").close()
            else:
                socket.create_connection(("127.0.0.1", port)).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        time.sleep(0.01)
    raise AssertionError("the gateway was not ready in time")


@pytest.fixture(autouse=True, scope="session")
def _needs(sockets: None, processes: None) -> None:
    """All tests of this folder."""


SERVERS = [
    pytest.param(
        "granian",
        marks=pytest.mark.skipif(ON_WINDOWS, reason="granian is not for Windows"),
    ),
    "waitress",
]


@pytest.fixture(scope="module", params=SERVERS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The local store, once on each server."""
    with serving(tmp_path_factory.mktemp("gateway"), "--server", request.param) as running:
        yield running


@pytest.fixture
def bucket(gateway: Running, request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own."""
    name = f"b{abs(hash(request.node.nodeid)) % 10**12}"
    gateway.client().create_bucket(Bucket=name)
    return name
