"""Pebble, the ACME authority for tests (Debian: `apt install pebble`), on loopback, with names that
lead there: `PEBBLE` names another binary of it."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.storage import NOTHING
from gateway.testing.certificates import certificate
from tests.e2e.conftest import free_port

PEBBLE, NAMES = os.environ.get("PEBBLE", "pebble"), "pebble-challtestsrv"
needs_pebble = pytest.mark.skipif(
    not (shutil.which(PEBBLE) and shutil.which(NAMES)),
    reason="needs Pebble: apt install pebble",
)


@dataclass(frozen=True)
class Pebble:
    """`directory`: what `[acme]` names, `ca_file`: who signed its own certificate; `names`: where
    it is said where a name leads to."""

    directory: str
    ca_file: Path
    names: str
    manage: str

    def table(self, *more: str) -> str:
        lines = (
            "[acme]",
            f"directory = '{self.directory}'",
            f"ca_file = '{self.ca_file}'",
            "terms_agreed = true",
        )
        return "\n".join((*lines, *more)) + "\n"

    @property
    def says_when(self) -> bool:
        """To renew (RFC 9773): Debian's does not."""
        return b"renewalInfo" in self._read(self.directory)

    def _read(self, url: str) -> bytes:
        context = ssl.create_default_context(cafile=self.ca_file)
        with urllib.request.urlopen(url, context=context) as answer:
            found = answer.read()
        assert isinstance(found, bytes)
        return found

    def root(self, folder: Path) -> Path:
        """Who signs what it issues."""
        path = folder / "pebble-root.pem"
        path.write_bytes(self._read(f"{self.manage}/roots/0"))
        return path

    def leads(self, name: str, address: str) -> None:
        """From now on; "": nowhere, which it says with SERVFAIL."""
        self._say("clear-a", name)
        if address:
            self._say("add-a", name, addresses=[address])
        else:
            self._say("set-servfail", name)

    def _say(self, path: str, name: str, **more: object) -> None:
        said = json.dumps({"host": f"{name}.", **more}).encode()
        urllib.request.urlopen(f"{self.names}/{path}", said).close()


@contextmanager
def pebble(
    folder: Path,
    http_port: int,
    *,
    port: int = 0,
    settings: Mapping[str, object] = NOTHING,
    **more: str,
) -> Iterator[Pebble]:
    """All names lead to 127.0.0.1, where it looks at `http_port`. `more` of its environment."""
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = certificate(folder)
    port, manage, names, told = port or free_port(), free_port(), free_port(), free_port()
    config = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{manage}",
        "certificate": str(cert),
        "privateKey": str(key),
        "httpPort": http_port,
        "tlsPort": 1,
        **settings,
    }
    file = folder / "pebble.json"
    file.write_text(json.dumps({"pebble": config}), "utf-8")
    off = [f"-{one}=" for one in ("http01", "https01", "tlsalpn01", "defaultIPv6")]
    at = f"127.0.0.1:{names}"
    commands = (
        [NAMES, *off, "-dns01", at, "-management", f"127.0.0.1:{told}"],
        [PEBBLE, "-config", str(file), "-dnsserver", at],
    )
    environ = {
        **os.environ,
        "PEBBLE_VA_ALWAYS_VALID": "0",
        "PEBBLE_VA_NOSLEEP": "1",
        "PEBBLE_AUTHZREUSE": "0",
        **more,
    }
    running = list[subprocess.Popen[bytes]]()
    with (folder / "pebble.log").open("ab") as log:
        try:
            for command in commands:
                running.append(subprocess.Popen(command, env=environ, stdout=log, stderr=log))
            found = Pebble(
                f"https://localhost:{port}/dir",
                cert,
                f"http://127.0.0.1:{told}",
                f"https://localhost:{manage}",
            )
            _wait(found)
            yield found
        finally:
            for one in running:
                one.kill()
                one.wait()


def _wait(one: Pebble) -> None:
    context = ssl.create_default_context(cafile=one.ca_file)
    for _ in range(600):
        with suppress(OSError):
            urllib.request.urlopen(one.directory, context=context).close()
            urllib.request.urlopen(f"{one.names}/clear-a", b'{"host": "none."}').close()
            return
        time.sleep(0.05)
    raise AssertionError("Pebble was not ready in time")
