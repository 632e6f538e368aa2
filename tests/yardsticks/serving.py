"""`gateway serve` in a process of its own, for a suite."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway.config.load import ROOT_KEY, ROOT_SECRET

READY = 60
"""Seconds within which it listens."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(folder: Path, toml: str, port: int, options: Sequence[str] = ()) -> Iterator[None]:
    """Without `options` its data is in `folder`, as are its configuration and log."""
    configuration = folder / "gateway.toml"
    configuration.write_text(toml, encoding="utf-8")
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(configuration)]
    command += options or ["--data", str(folder / "data")]
    root = {ROOT_KEY: secrets.token_hex(10), ROOT_SECRET: secrets.token_hex(20)}
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **root}, stdout=log, stderr=log)
        try:
            listens(process, port)
            yield
        finally:
            process.terminate()
            process.wait()


def listens(process: subprocess.Popen[bytes], port: int) -> None:
    """Once it does. Raises `RuntimeError` when it does not."""
    until = time.monotonic() + READY
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on port {port}.")
