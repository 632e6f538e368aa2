"""How `gateway reload` reaches the gateway that runs with a data folder, on every system.

A gateway that keeps something listens at a port of this machine's own, and writes that, a
token, and which configuration it reads into a file of its data folder, which its user alone
may read: whoever may read the folder may tell it. The token is new at each start. Several
gateways may have one folder, while one takes the other's place: all are told. A gateway holds a
lock on its file: what it left when it was killed is known by that, and removed, and nothing
else is.

What is said: the token and a line's end; `gateway`, when that was right; and when it is
done `ok`, or `no` and, from the next line on, why not.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from hmac import compare_digest
from pathlib import Path
from typing import NamedTuple

from gateway.common import open_files, private
from gateway.common.locks import FileLock
from gateway.servers import CannotServe

log = logging.getLogger("gateway")

FOLDER = "control"
_HOST = "127.0.0.1"
_HELLO, _DONE, _REFUSED = b"gateway\n", b"ok", b"no\n"
_TOKEN = 64
_SOON = 5.0
"""Seconds in which each side says the first that it has to say."""
_LATEST = 300.0
"""Seconds until it is done: reading, and opening in all workers, are bounded themselves."""

OTHERWISE = "restart it" if os.name == "nt" else "send SIGHUP to its process"
_UNHEARD = (
    "A gateway runs with this data folder, and does not answer here. Where it runs with a network"
    f" of its own (a container, say), call this there; or {OTHERWISE}."
)
_OTHER = (
    "A gateway runs with this data folder, and reads {} again, not {}: restart it with that one,"
    " if it is meant."
)


class Told(NamedTuple):
    """One gateway that was told, or cannot be. `reason`: why it has not read its configuration
    again, "" when it has; `configuration` is the path of that, "" when it is not known."""

    reason: str
    configuration: str = ""


class Control:
    """Where this gateway can be told to `reload`, from `start` to `end`. `configuration` is the
    path of the file that it reads then."""

    def __init__(self, folder: Path, reload: Callable[[], None], configuration: str) -> None:
        self._folder, self._reload = folder / FOLDER, reload
        self._configuration = configuration
        self._token = secrets.token_hex(_TOKEN // 2)
        self._file: Path | None = None
        self._lock: FileLock | None = None
        self._listening: socket.socket | None = None

    def start(self) -> None:
        try:
            self._listening = socket.create_server((_HOST, 0))
            port = self._listening.getsockname()[1]
            private.own_folder(self._folder)
            self._file = self._folder / secrets.token_hex(4)
            self._lock = FileLock(self._file)
            self._lock.acquire()  # before anybody could take it for one that was left
            text = f"{port} {self._token} {json.dumps(self._configuration)}"
            private.write_text(self._file, text)
        except OSError as error:  # a full disk, say: it serves all the same
            log.warning("`gateway reload` will not find this gateway: %s", error)
            self.end()
            return
        arguments = (self._listening,)
        threading.Thread(target=self._listen, args=arguments, name="control", daemon=True).start()

    def end(self) -> None:
        """May be called twice."""
        if self._listening is not None:
            with suppress(OSError):  # Linux lets who accepts wait on, otherwise
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
        if self._lock is not None:
            self._lock.close()
        if self._file is not None:
            with suppress(OSError):
                open_files.remove(self._file)

    def _listen(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # closed
                return
            arguments = (connection,)
            threading.Thread(target=self._hear, args=arguments, daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # who asks has gone
            connection.settimeout(_SOON)
            said = connection.makefile("rb").readline(_TOKEN + 2).rstrip(b"\r\n")
            if not compare_digest(said, self._token.encode()):
                return
            connection.sendall(_HELLO)
            connection.settimeout(None)
            try:
                self._reload()
            except CannotServe as error:
                connection.sendall(_REFUSED + str(error).encode())
            else:
                connection.sendall(_DONE)


def reload(folder: Path, configuration: Path | None = None) -> list[Told]:
    """Tell all gateways that run with that data folder, but those that were started with another
    `configuration` than that, if one is given. Raises `OSError` when it may not be known who
    runs there."""
    return [*_told(folder, configuration)]


def _told(folder: Path, configuration: Path | None) -> Iterator[Told]:
    try:
        files = sorted((folder / FOLDER).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for file in files:
        said = _asked(file, configuration)
        if said is not None:
            yield said
        elif _was_left(file):
            open_files.remove(file)
        else:
            yield Told(_UNHEARD)


def _asked(file: Path, configuration: Path | None) -> Told | None:
    """What the gateway says whose file that is; None: nothing is heard of it."""
    try:
        port, token, text = open_files.read(file).decode("utf-8").split(" ", 2)
        number, read = int(port), str(json.loads(text))
    except (FileNotFoundError, ValueError):  # it has ended; it was not written to its end
        return None
    if not 0 < number < 1 << 16:
        return None
    if configuration is not None and not _is_same(read, configuration):
        return None if _was_left(file) else Told(_OTHER.format(read, configuration), read)
    try:
        connection = socket.create_connection((_HOST, number), _SOON)
    except OSError:
        return None
    with connection:
        said = _said(connection, token)
        return None if said is None else Told(said, read)


def _is_same(path: str, other: Path) -> bool:
    if path == str(other):
        return True
    try:
        return Path(path).samefile(other)
    except (OSError, ValueError):
        return False


def _was_left(file: Path) -> bool:
    """Whether its gateway has been killed."""
    lock = FileLock(file)
    free = lock.try_acquire()
    lock.close()
    return free


def _said(connection: socket.socket, token: str) -> str | None:
    """None: nobody of ours listens there, or answers."""
    try:
        connection.sendall(f"{token}\n".encode())
        answer = connection.makefile("rb")
        if answer.readline(len(_HELLO)) != _HELLO:
            return None
    except OSError:
        return None
    try:
        connection.settimeout(_LATEST)
        said = answer.read()
    except OSError:
        said = b""
    if said == _DONE:
        return ""
    if said.startswith(_REFUSED):
        return said.removeprefix(_REFUSED).decode(errors="replace")
    return "The gateway ended before it was done."
