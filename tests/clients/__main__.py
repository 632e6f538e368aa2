"""`python -m tests.clients [NAME …]`: each client's life against each server, as a table."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count, product
from pathlib import Path

from gateway.testing.certificates import certificate
from tests.clients.kinds import CLIENTS, Client, Missing
from tests.e2e.conftest import Running, serving

SERVERS = tuple(product(("granian", "waitress"), ("http", "https")))
LARGE = 12 << 20
_NUMBERS = count(1)


@contextmanager
def gateway(folder: Path, server: str, scheme: str) -> Iterator[Running]:
    """In memory; by https with a certificate for `localhost`, of which clients are told."""
    options = ("--server", server, "--memory")
    if scheme == "http":
        with serving(folder, *options) as running:
            yield running
        return
    folder.mkdir(parents=True)
    trusted, key = certificate(folder)
    tls = f"[server]\ntls = [{{ certificate = '{trusted}', key = '{key}' }}]\n"
    with serving(folder, *options, config=tls, scheme="https") as running:
        url = running.url.replace("127.0.0.1", "localhost")
        names = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        told = dict.fromkeys(names, str(trusted)) | {"AWS_ENDPOINT_URL": url}
        store = _trust_store(folder, trusted)
        trust = {"trustStore": store, "trustStorePassword": "changeit", "trustStoreType": "PKCS12"}
        told["JAVA_TOOL_OPTIONS"] = " ".join(
            f"-Djavax.net.ssl.{name}={value}" for name, value in trust.items()
        )
        yield Running(url, folder, running.process, running.environment | told)


def _trust_store(folder: Path, trusted: Path) -> Path:
    """The certificate as Java wants it, where there is a Java."""
    store = folder / "trusted.p12"
    words = ["-importcert", "-noprompt", "-storetype", "PKCS12", "-storepass", "changeit"]
    with suppress(FileNotFoundError):
        subprocess.run(
            ["keytool", *words, "-file", str(trusted), "-keystore", str(store)],
            check=True,
            capture_output=True,
        )
    return store


def lived(command: Sequence[str], running: Running, large: Path) -> str:
    """What is to be said of a life: "ok" and its steps, or what failed."""
    environment = running.environment | {
        "LIFE_BUCKET": f"life-{next(_NUMBERS)}",
        "LIFE_LARGE": str(large),
        "AWS_REGION": "us-east-1",
        "HOME": str(large.parent),
        "AWS_CONFIG_FILE": str(large.parent / "aws-config"),
        "PYTHONPATH": "",
    }
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    failures = [line for line in lines if ": failed" in line]
    if done.returncode == 0 and lines and not failures:
        return f"ok ({len(lines)} steps)"
    print(done.stderr.decode(errors="replace")[-4000:], file=sys.stderr)
    return "; ".join(failures) or f"ended with {done.returncode}"


def _chosen(names: Sequence[str]) -> list[Client]:
    wanted = [name.lower() for name in names]
    found = [one for one in CLIENTS if not names or any(n in one.name.lower() for n in wanted)]
    if not found:
        known = ", ".join(one.name for one in CLIENTS)
        sys.exit(f"There is no such client. Known: {known}.")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests clients", description=__doc__)
    parser.add_argument("names", nargs="*", help="those whose names have this in them")
    parser.add_argument("--into", type=Path, help="where clients are installed, and stay")
    options = parser.parse_args(arguments)
    failed = False
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clients-")))
        large = place / "large"
        large.write_bytes(os.urandom(LARGE))
        running = {
            (server, scheme): stack.enter_context(gateway(place / server / scheme, server, scheme))
            for server, scheme in SERVERS
        }
        for client in _chosen(options.names):
            print(client.name, flush=True)
            try:
                command = client.install((options.into or place) / client.name.replace(" ", "-"))
            except Missing as error:
                print(f"  skipped: {error}", flush=True)
                continue
            except subprocess.CalledProcessError as error:
                failed = True
                print(f"  not installed: {error}\n{error.stderr.decode()[-2000:]}", flush=True)
                continue
            for (server, scheme), one in running.items():
                said = lived(command, one, large)
                failed = failed or not said.startswith("ok")
                print(f"  {server:9} {scheme:6} {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
