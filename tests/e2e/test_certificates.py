"""Certificates that come and go beside a gateway that serves, in all its workers."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from operator import gt
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from gateway.commands.main import main
from gateway.testing.certificates import certificate
from tests.e2e import test_protocols
from tests.e2e.conftest import Running, free_port, serving
from tests.e2e.raw import GUARD, eventually, log_of
from tests.e2e.test_services import EITHER, options

Files = tuple[Path, Path]
site = test_protocols.site


def shown(at: Running | int, name: str | None) -> str:
    """The fingerprint of the certificate that who asks for `name` gets, there or at a port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = at if isinstance(at, int) else urlsplit(at.url).port
    with (
        socket.create_connection(("127.0.0.1", port or 0), timeout=GUARD) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        return hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()


def of(files: Files) -> str:
    der = ssl.PEM_cert_to_DER_cert(files[0].read_text())
    return hashlib.sha256(der).hexdigest()


def shows(at: Running | int, name: str, files: Files) -> None:
    """Wait until it does, so often that each worker was asked."""
    wanted = of(files)
    eventually(lambda: all(shown(at, name) == wanted for _ in range(8)), f"that of {name}")


def change(gateway: Running, *words: str) -> None:
    """Beside it, where nobody has the plugin that its configuration needs."""
    other = gateway.folder / "other.toml"
    other.touch()
    place = ["--config", str(other), "--data", str(gateway.folder / "data")]
    assert main(["certificates", *words, *place]) == 0


def add(gateway: Running, name: str, files: Files) -> None:
    change(gateway, "add", name, "--cert", str(files[0]), "--key", str(files[1]))


class Asking:
    """Two clients who know the first certificate only: one keeps its connection, the other
    makes a new one each time."""

    def __init__(self, gateway: Running, trusted: Path) -> None:
        self._at = urlsplit(gateway.url)
        self._context = ssl.create_default_context(cafile=str(trusted))
        self._stop = threading.Event()
        self.answers, self.ended, self.failures = [0, 0], 0, list[str]()
        self._threads = [threading.Thread(target=self._run, args=(at,)) for at in (0, 1)]

    def __enter__(self) -> Asking:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._threads:
            one.join()

    def _run(self, at: int) -> None:
        while not self._stop.wait(0.01) and not self.failures:
            with self._connected() as connection:
                asked = 0
                while self._answered(connection, fresh=not asked):
                    asked += 1
                    self.answers[at] += 1
                    if at or self._stop.wait(0.01):
                        break

    def _answered(self, connection: http.client.HTTPConnection, *, fresh: bool) -> bool:
        try:
            connection.request("GET", "/-/health/live")
            answer = connection.getresponse()
            found = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.ended += 1
            if fresh:  # else it was idle, and clients begin another
                self.failures.append(repr(error))
            return False
        if found != (200, b"ok\n"):
            self.failures.append(repr(found))
        return True

    @contextmanager
    def _connected(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPSConnection(
            "localhost", self._at.port, timeout=GUARD, context=self._context
        )
        try:
            yield connection
        finally:
            connection.close()

    def go_on(self) -> None:
        """Each has asked once more since."""
        before = list(self.answers)
        eventually(lambda: all(map(gt, self.answers, before)) or bool(self.failures), "an answer")


@EITHER
def test_a_certificate_comes_is_replaced_and_goes_while_it_serves(
    site: Path, tmp_path: Path, server: str
) -> None:
    own, made = certificate(tmp_path), list[Files]()
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        made.append(certificate(folder, "*.zone.test"))
    zone, again = made
    other = free_port()
    config = f"""
[server]
tls = {{ certificate = '{own[0]}', key = '{own[1]}' }}
[[listeners]]
protocol = "line"
address = "127.0.0.1:{other}"
"""
    start = partial(
        serving, tmp_path / "gateway", *options(server), config=config, scheme="https", site=site
    )
    with start() as gateway:
        eventually(lambda: "listening" in log_of(gateway), "ready")
        with Asking(gateway, own[0]) as asking:
            asking.go_on()
            assert shown(gateway, "a.zone.test") == of(own)
            add(gateway, "zone", zone)
            shows(gateway, "a.zone.test", zone)
            shows(other, "a.zone.test", zone)
            asking.go_on()
            assert shown(gateway, "localhost") == shown(gateway, None) == of(own)
            add(gateway, "zone", again)
            shows(gateway, "b.zone.test", again)
            change(gateway, "remove", "zone")
            shows(gateway, "a.zone.test", own)
            add(gateway, "localhost", certificate(tmp_path / "0"))
            add(gateway, "zone", zone)
            shows(gateway, "a.zone.test", zone)
            assert shown(gateway, "localhost") == of(own)  # the configuration's counts
            asking.go_on()
        assert asking.failures == []
        assert asking.ended <= 1  # by granian's server before, after its `GRACE`
        assert "Traceback" not in log_of(gateway)
    with start() as gateway:
        assert shown(gateway, "a.zone.test") == of(zone)
        assert shown(gateway, None) == of(own)
        metrics, context = f"{gateway.url}/-/metrics", ssl.create_default_context(cafile=own[0])
        context.check_hostname = False  # its port is known, and no name
        with urlopen(metrics, context=context, timeout=GUARD) as answer:
            said = answer.read().decode()
        assert 'gateway_certificate_expires_timestamp_seconds{certificate="zone"} ' in said
        assert 'gateway_job_next_run_timestamp_seconds{job="certificates"} ' in said
