"""A gateway's FTP listener in this process, over memory, for `ftplib` and for bare sockets."""

from __future__ import annotations

import ftplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.access.access import Access
from gateway.access.identity import Identity
from gateway.config import load
from gateway.modes.ftp.listener import Ftp
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, NotFound, Put, UploadQuery
from gateway.telemetry.record import Record

GUARD = 20.0
ROOT = Identity(key="root", account="root", access="admin")

CONFIGURATION = """
[server]
{0}
[services.files]
driver = "memory"
[services.more]
driver = "memory"
[[keys]]
id = "main"
secret = "secret of main"
access = "admin"
[[keys]]
id = "storage.1"
secret = "secret of storage.1"
access = {{ files = "write" }}
[[keys]]
id = "reader"
secret = "secret of reader"
access = {{ files = "read", more = "read" }}
[[keys]]
id = "stranger"
secret = "secret of stranger"
account = "elsewhere"
[[accounts]]
id = "elsewhere"
"""


@dataclass
class Served:
    """`noted`: the records of what was done, in order."""

    runtime: Runtime
    port: int
    noted: list[Record]
    listener: Ftp
    trusted: Path | None = None
    opened: ExitStack = field(default_factory=ExitStack)

    def client(self, key: str = "main") -> ftplib.FTP:
        """Logged in, until the test ends."""
        found = self.connected()
        found.login(key, f"secret of {key}")
        return found

    def connected(self, host: str = "127.0.0.1") -> ftplib.FTP:
        found = ftplib.FTP(timeout=GUARD)
        found.connect(host, self.port)
        self.opened.callback(found.close)
        return found

    def secure(self, key: str = "main") -> ftplib.FTP_TLS:
        found = Secure(context=self.context(), timeout=GUARD)
        found.connect("127.0.0.1", self.port)
        found.host = "localhost"  # the name of the certificate
        self.opened.callback(found.close)
        found.login(key, f"secret of {key}")
        found.prot_p()
        return found

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.trusted))

    def plain(self) -> Plain:
        found = Plain(self.port)
        self.opened.callback(found.close)
        return found

    # what is there, by another door

    def access(self, sid: str = "files") -> Access:
        return self.runtime.access(ROOT, sid)

    def put(self, key: str, data: bytes, sid: str = "files", **options: Any) -> None:
        body = BytesBody(data)
        self.access(sid).put(key, body, Put(size=len(data), **options))

    def read(self, key: str, sid: str = "files") -> bytes | None:
        try:
            with self.access(sid).get(key) as opened:
                return b"".join(iter(opened.body.read, b""))
        except NotFound:
            return None

    def uploads(self, sid: str = "files") -> int:
        return len(self.access(sid).uploads(UploadQuery()).uploads)


class Secure(ftplib.FTP_TLS):
    """With the name that the certificate has on data connections, too."""

    def makepasv(self) -> tuple[str, int]:
        return "127.0.0.1", super().makepasv()[1]


class Plain:
    """Lines, as they are typed."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=GUARD)
        self._read = self.socket.makefile("rb")
        self.greeting = self.reply()

    def say(self, line: str | bytes) -> str:
        self.send(line)
        return self.reply()

    def send(self, line: str | bytes) -> None:
        data = line if isinstance(line, bytes) else f"{line}\r\n".encode()
        self.socket.sendall(data)

    def reply(self) -> str:
        """Its last line; "" at the end of the connection."""
        while True:
            try:
                line = self._read.readline().decode()
            except ConnectionError:
                return ""
            if not line or (line[:3].isdigit() and line[3:4] == " "):
                return line.rstrip()

    def login(self, key: str = "main") -> Plain:
        self.say(f"USER {key}")
        assert self.say(f"PASS secret of {key}")[:3] == "230"
        return self

    def data(self) -> socket.socket:
        """A data connection, for the transfer that is asked for next."""
        port = int(self.say("EPSV").split("|")[3])
        return socket.create_connection(("127.0.0.1", port), timeout=GUARD)

    def close(self) -> None:
        self._read.close()
        self.socket.close()


@contextmanager
def serving(
    folder: Path,
    *,
    data: str = "",
    more: str = "",
    certificate: tuple[Path, Path] | None = None,
    host: str = "127.0.0.1",
    **options: Any,
) -> Iterator[Served]:
    """`data`: a folder, else all is in memory; `more` of the configuration; `options` are the
    listener's."""
    file, noted = folder / "gateway.toml", list[Record]()
    file.write_text(
        CONFIGURATION.format(f"data = '{data}'" if data else "memory = true") + more,
        encoding="utf-8",
    )
    runtime = open_runtime(load(file, environ={}), environ={}, note=noted.append)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    both = host == "::" and socket.has_dualstack_ipv6()
    listening = socket.create_server((host, 0), family=family, dualstack_ipv6=both)
    listener = Ftp(**options)
    port = listening.getsockname()[1]
    try:
        listener.start(runtime, listening, context)
    except BaseException:
        listening.close()
        runtime.close()
        raise
    try:
        served = Served(runtime, port, noted, listener, certificate and certificate[0])
        with served.opened:
            yield served
    finally:
        listener.stop()
        runtime.close()
