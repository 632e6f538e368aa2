"""A gateway of several workers orders certificates, goes on where they are killed, and shows what
comes, to who asks for it."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from pathlib import Path

import pytest

pytest.importorskip("acme", reason="needs the extra `acme`")

from gateway.catalog import Catalog, open_catalog
from gateway.commands.main import main
from gateway.config import load
from gateway.modes.certifying import CertificateState
from gateway.services.issuing.ordering import OrderedCertificates
from gateway.testing.certificates import certificate
from tests import catalogs
from tests.e2e.conftest import Running, free_port, serving, workers_of
from tests.e2e.raw import GUARD, eventually, log_of
from tests.issuing.pebble import needs_pebble, pebble

pytestmark = [
    needs_pebble,
    pytest.mark.usefixtures("sockets", "processes", "seconds"),
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="workers are found on Linux"),
]

CONFIG = """
[server]
data = '{data}'
listen = [
    "127.0.0.1:{http}",
    {{ address = "127.0.0.1:{tls}", tls = {{ certificate = '{own[0]}', key = '{own[1]}' }} }},
]
[services.base]
driver = "memory"
[[bindings]]
host = "site.test"
mode = "public"
service = "base"
referers = ["none"]
"""


def state(catalog: Catalog, name: str) -> CertificateState:
    found = OrderedCertificates(catalog, None).states([name])
    return found[0] if found else CertificateState(name, "waiting")


def trusted(port: int, root: Path, name: str) -> bool:
    """Whether a client that knows the authority takes what is shown there for that name."""
    context = ssl.create_default_context(cafile=root)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=GUARD) as plain,
            context.wrap_socket(plain, server_hostname=name),
        ):
            return True
    except ssl.SSLCertVerificationError:
        return False


def place(gateway: Running) -> list[str]:
    return ["--config", str(gateway.folder / "gateway.toml")]


@pytest.mark.parametrize("kind", catalogs.SHARED)
def test_workers_that_are_killed_between_order_and_certificate(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    http, tls, own = free_port(), free_port(), certificate(tmp_path)
    with pebble(tmp_path / "pebble", http) as authority:
        said = CONFIG.format(data=tmp_path / "data", http=http, tls=tls, own=own)
        config = catalogs.table(kind) + authority.table("bindings = true") + said
        options = ("--server", "granian", "--workers", "2")
        with serving(tmp_path / "gateway", *options, config=config, at=http) as gateway:
            root, names = authority.root(tmp_path), ("site.test", "other.test")
            assert main(["certificates", "order", "Other.test", *place(gateway)]) == 0
            assert "other.test  waiting" in capsys.readouterr().out
            assert not trusted(tls, root, "site.test")
            catalog = open_catalog(load(gateway.folder / "gateway.toml"))
            try:
                eventually(lambda: state(catalog, "site.test").state == "ordering", "an order")
                for worker in workers_of(gateway):
                    os.kill(worker, signal.SIGKILL)
                for one in names:
                    eventually(lambda one=one: state(catalog, one).state == "issued", one)  # type: ignore[misc]
            finally:
                catalog.close()
            for one in names * 8:  # so often that each worker is asked
                eventually(lambda one=one: trusted(tls, root, one), f"{one} shown")  # type: ignore[misc]
            assert main(["certificates", "status", *place(gateway)]) == 0
            listed = capsys.readouterr().out
            assert "other.test  issued" in listed and "site.test   issued" in listed
            assert "Traceback" not in log_of(gateway)
        log = (tmp_path / "pebble" / "pebble.log").read_text()
        assert log.count("Added order") == 2, log  # of each name one
