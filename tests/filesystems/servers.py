"""Real file servers on loopback for the tests: SFTP by paramiko, FTP by pyftpdlib.

Both serve a folder; both count what is open, so that a test sees that nothing is left.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from paramiko.sftp import SFTP_OK
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

from tests.modes.s3_gateway import Served

USER, PASSWORD = "gateway", "file-server-password"


@dataclass
class FileServer:
    """`options` are fsspec's for `url`; `folder` is what it serves."""

    url: str
    folder: Path
    options: dict[str, Any]
    connections: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """Close all connections under their clients."""
        for one in self.connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.connections.clear()


class _Handle(paramiko.SFTPHandle):  # type: ignore[misc]  # paramiko has no types
    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Files(paramiko.SFTPServerInterface):  # type: ignore[misc]  # paramiko has no types
    """A folder, by the calls of the protocol; nothing of it is the gateway's."""

    def __init__(self, server: Any, *args: Any, folder: Path, **more: Any) -> None:
        super().__init__(server, *args, **more)
        self._folder = folder

    def _at(self, path: str) -> Path:
        return Path(str(self._folder) + str(self.canonicalize(path)))

    def list_folder(self, path: str) -> Any:
        try:
            return [
                paramiko.SFTPAttributes.from_stat(one.stat(follow_symlinks=False), one.name)
                for one in os.scandir(self._at(path))
            ]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> Any:
        return self._try(lambda: paramiko.SFTPAttributes.from_stat(self._at(path).stat()))

    def lstat(self, path: str) -> Any:
        return self._try(lambda: paramiko.SFTPAttributes.from_stat(self._at(path).lstat()))

    def open(self, path: str, flags: int, attr: Any) -> Any:
        def opened() -> Any:
            descriptor = os.open(self._at(path), flags, 0o666)
            handle = _Handle(flags)
            mode = "rb" if not flags & (os.O_WRONLY | os.O_RDWR) else "r+b"
            file = os.fdopen(descriptor, mode)
            handle.readfile = handle.writefile = file
            return handle

        return self._try(opened)

    def remove(self, path: str) -> Any:
        return self._done(lambda: self._at(path).unlink())

    def posix_rename(self, oldpath: str, newpath: str) -> Any:
        return self._done(lambda: self._at(oldpath).replace(self._at(newpath)) and None)

    def mkdir(self, path: str, attr: Any) -> Any:
        return self._done(lambda: self._at(path).mkdir())

    def rmdir(self, path: str) -> Any:
        return self._done(lambda: self._at(path).rmdir())

    def _try(self, work: Any) -> Any:
        try:
            return work()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or errno.EIO)

    def _done(self, work: Any) -> Any:
        found = self._try(work)
        return SFTP_OK if found is None else found


class _Login(paramiko.ServerInterface):  # type: ignore[misc]  # paramiko has no types
    def check_auth_password(self, username: str, password: str) -> Any:
        fits = (username, password) == (USER, PASSWORD)
        return paramiko.common.AUTH_SUCCESSFUL if fits else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> Any:
        return paramiko.common.OPEN_SUCCEEDED


@contextmanager
def sftp(folder: Path) -> Iterator[FileServer]:
    key = paramiko.ECDSAKey.generate()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    options = {"username": USER, "password": PASSWORD, "allow_agent": False, "look_for_keys": False}
    server = FileServer(f"sftp://127.0.0.1:{port}/tree", folder, options)
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            server.connections.append(connection)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as OpenSSH does
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.set_subsystem_handler(
                "sftp", paramiko.SFTPServer, sftp_si=_Files, folder=folder
            )
            transports.append(transport)
            with suppress(EOFError, paramiko.SSHException):
                transport.start_server(server=_Login())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for transport in transports:
            transport.close()
        thread.join(10)


@contextmanager
def ftp(folder: Path) -> Iterator[FileServer]:
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(folder), perm="elradfmwMT")

    connections: list[socket.socket] = []

    class Handler(FTPHandler):  # type: ignore[misc]  # pyftpdlib has no types
        def on_connect(self) -> None:
            connections.append(self.socket)

    Handler.authorizer = authorizer
    Handler.encoding = "utf-8"
    Handler.auth_failed_timeout = 0  # who guesses passwords waits for 3 s
    listening = ThreadedFTPServer(("127.0.0.1", 0), Handler)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            listening.serve_forever(timeout=0.02, blocking=False)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = listening.address[1]
    try:
        yield FileServer(
            f"ftp://127.0.0.1:{port}/tree",
            folder,
            {"username": USER, "password": PASSWORD},
            connections,
        )
    finally:
        stop.set()  # closed from another thread, its loop would trip over it
        thread.join(10)
        listening.close_all()


def s3_options(served: Served) -> dict[str, Any]:
    """s3fs's own, for a gateway."""
    return {
        "endpoint_url": served.url,
        "key": "main-key",
        "secret": "secret of main-key",
        "client_kwargs": {"region_name": "us-east-1"},
    }
