"""A mode as small as one can be, to test the app and the servers without any other.

The query says what it does; it can be told apart by what it answers. It runs
in processes of its own too: `python -m tests.tiny_mode SERVER PORT [WORKERS]`.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Annotated, Any, Literal, TextIO

from gateway.common import leaving
from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, WSGIApp
from gateway.servers import (
    CannotServe,
    Endpoint,
    HTTPServer,
    Loaded,
    Plan,
    certificates,
    ending,
)
from gateway.servers.certificates import CertificateFiles
from gateway.servers.granian import GranianServer
from gateway.servers.waitress import WaitressServer
from gateway.storage import Stretch
from gateway.storage.options import AtLeast, Duration
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.metrics import Metrics
from gateway.web import request_head
from gateway.web.admission import Admission
from gateway.web.app import App, Routes
from gateway.web.doors import Doors
from gateway.web.health import create_pages
from gateway.web.rates import Rate

Start = Callable[..., Any]
PIECE = b"x" * 65536
DRAIN = 600.0


class TinyMode:
    def __init__(self, name: str = "tiny", header: str = "HTTP_X_TINY") -> None:
        self.name, self._header = name, header

    def claims(self, environ: dict[str, Any]) -> bool:
        return self._header in environ

    def app(self, gateway: Gateway) -> WSGIApp:
        return partial(_answer, self.name)


class Pictures(TinyMode):
    """One that is about one service at each of its doors."""

    one_service: Literal[True] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryOptions:
    columns: Annotated[int, AtLeast(1)] = 3
    fresh: Annotated[float, Duration] = 60.0
    title: str = ""

    def __post_init__(self) -> None:
        if self.title == "none":
            raise ValueError("title: another one")


class Galleries(Pictures):
    """One whose doors have options, and are to say which service they are about."""

    needs_service: Literal[True] = True
    binding_options: type[Any] = GalleryOptions

    def told(self, service: str, options: Any) -> str:
        return f"{service} in {options.columns} columns."


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopOptions:
    currency: str
    open: bool = True

    def __post_init__(self) -> None:
        if self.currency == "none":
            raise ValueError("currency: another one")


class Shop(TinyMode):
    """One that a table switches on."""

    table: type[Any] = ShopOptions

    def cautions(self, table: ShopOptions) -> Iterable[str]:
        if not table.open:
            yield f"the shop takes {table.currency}, and is shut."


PICTURES = SimpleNamespace(
    gateway_modes=hookimpl(
        lambda: [Pictures("pictures"), Galleries("galleries"), Shop("shop", "HTTP_X_SHOP")]
    )
)


def _answer(name: str, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    action, _, argument = environ.get("QUERY_STRING", "").partition("=")
    environ["gateway.record"].operation = action
    if action in ACTIONS:
        return ACTIONS[action](environ, start, argument)
    path = environ.get("SCRIPT_NAME", "") + request_head.path(environ)
    return _text(start, f"{name} {environ['REQUEST_METHOD']} {path}")


def _text(start: Start, text: str, status: str = "200 OK") -> list[bytes]:
    body = text.encode()
    start(status, [("Content-Length", str(len(body)))])
    return [body]


def _environ(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    found = {key: value for key, value in environ.items() if isinstance(value, str)}
    try:
        found["path"] = request_head.path(environ)
    except ValueError:
        found["path"] = "not UTF-8"
    return _text(start, json.dumps(found))


def _read(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    environ["gateway.admission"]()
    size = sum(map(len, iter(partial(environ["wsgi.input"].read, 65536), b"")))
    return _text(start, str(size))


def _refuse(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    return _text(start, "no", "403 Forbidden")


def _stream(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    """As many pieces as `argument` says; a file named `X-Tiny-Note` is told how it ended."""
    pieces, note = int(argument), environ.get("HTTP_X_TINY_NOTE")

    def body() -> Iterator[bytes]:
        try:
            for _ in range(pieces):
                yield PIECE
        finally:
            if note:
                Path(note).write_text("closed")

    start("200 OK", [("Content-Length", str(pieces * len(PIECE)))])
    return body()


def _file(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    """All of a file, which a server may send by itself: "path,bytes that are announced"."""
    path, _, length = argument.rpartition(",")
    start("200 OK", [("Content-Length", length)])
    return InFile(Path(path), int(length))


class InFile:
    """Lends a file: so many bytes of it, whether it has them or not."""

    def __init__(self, path: Path, length: int) -> None:
        self._file, self._left, self._at = path.open("rb"), length, 0

    def stretch(self, most: int) -> Stretch | None:
        length = min(most, self._left)
        if not length:
            return None
        self._left -= length
        self._at += length
        return Stretch(self._file.fileno(), self._at - length, length)

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (piece := os.read(self._file.fileno(), min(self._left, 65536))):
            self._left -= len(piece)
            yield piece

    def close(self) -> None:
        self._file.close()


def _limit(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    """Pieces as `_stream`, at so many bytes a second: "rate,pieces"."""
    rate, _, pieces = argument.partition(",")
    environ["gateway.admission"](answer=True, rate=Rate(int(rate)))
    return _stream(environ, start, pieces)


def _short(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "100")])
    return iter([b"x" * 10])


def _break(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    def body() -> Iterator[bytes]:
        yield b"x" * 10
        raise OSError("the disk is gone")

    start("200 OK", [("Content-Length", "100")])
    return body()


def _crash(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    raise RuntimeError("a bug")


def _head(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "12345")])
    return []


def _client(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    return _text(start, environ["gateway.client"])


def _sleep(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    time.sleep(float(argument))
    return _text(start, "rested")


def _pid(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    return _text(start, str(os.getpid()))


STOPPING = threading.Event()


def _wait(environ: dict[str, Any], start: Start, argument: str) -> Iterable[bytes]:
    """For something that does not happen; or a stop."""
    STOPPING.wait()
    return _text(start, "woken")


ACTIONS: dict[str, Callable[[dict[str, Any], Start, str], Iterable[bytes]]] = {
    "environ": _environ,
    "read": _read,
    "refuse": _refuse,
    "stream": _stream,
    "file": _file,
    "limit": _limit,
    "short": _short,
    "break": _break,
    "crash": _crash,
    "head": _head,
    "client": _client,
    "sleep": _sleep,
    "pid": _pid,
    "wait": _wait,
}


def load(*, threads: int, spools: bool, folder: Path | None = None) -> Loaded:
    """As a worker does, without configuration and stores."""
    _fail()
    _look_often()
    metrics = Metrics(folder)
    metrics.start()
    log = AccessLog(_stderr())
    log.start()
    mode = TinyMode()
    admission = Admission(threads, spools=spools, paces=spools)
    app = App(
        Routes(
            Doors(
                [mode],
                {mode.name: partial(_answer, mode.name)},
                default=mode.name,
                own=create_pages(metrics, []),
            )
        ),
        admission=admission,
        metrics=metrics,
        access_log=log,
    )

    def close() -> None:
        log.stop()
        metrics.stop()
        if hangs:
            _hang()

    hangs = os.environ.get("TINY_HANGS")
    if hangs:  # as closing does, and what libraries leave behind
        ending.CLOSING = leaving.EXITING = 0.5
        threading.Thread(target=_hang).start()
        atexit.register(_hang)
    return Loaded(app, close, admission, STOPPING.set)


def _fail() -> None:
    """With the words in the file that TINY_FAILS names, while it is there; none: it dies."""
    file = Path(os.environ.get("TINY_FAILS") or os.devnull)
    if file.is_file():
        if words := file.read_text():
            raise CannotServe(words)
        os._exit(7)


def _look_often() -> None:
    """In each process: seconds between two looks at the files of certificates."""
    certificates.INTERVAL = float(os.environ.get("TINY_LOOK", certificates.INTERVAL))


def _hang() -> None:
    threading.Event().wait()


def _stderr() -> TextIO:
    return sys.stderr


def endpoints(ports: str, tls: str) -> tuple[Endpoint, ...]:
    """`ports` may have an address before them. `tls`: folders of certificates, those of a
    listener separated by "+"; one for all, or one for each."""
    each = (tls.split(",") * len(ports.split(",")))[: len(ports.split(","))]
    return tuple(
        Endpoint(
            port.rpartition(":")[0].strip("[]") or "127.0.0.1",
            int(port.rpartition(":")[2]),
            tuple(
                CertificateFiles(Path(folder) / "cert.pem", Path(folder) / "key.pem")
                for folder in folders.split("+")
                if folder
            ),
        )
        for port, folders in zip(ports.split(","), each, strict=True)
    )


def main(server: str, port: str, workers: str = "1", folder: str = "", tls: str = "") -> int:
    servers: dict[str, Callable[[], HTTPServer]] = {
        "granian": GranianServer,
        "waitress": WaitressServer,
    }
    _look_often()
    if os.environ.get("TINY_NOHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if files := os.environ.get("TINY_FILES"):
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))
    if number := os.environ.get("TINY_SPOOL"):
        from gateway.servers import spool

        def fail() -> IO[bytes]:
            raise OSError(int(number), os.strerror(int(number)))

        spool.in_a_file = fail
    threads = 6
    plan = Plan(
        load=partial(
            load,
            threads=threads,
            spools=server == "waitress",
            folder=Path(folder) if folder else None,
        ),
        listen=endpoints(port, tls),
        workers=int(workers),
        threads=threads,
        drain=float(os.environ.get("TINY_DRAIN", DRAIN)),
        header_timeout=float(os.environ.get("TINY_HEADER_TIMEOUT", "30")),
        body_timeout=float(os.environ.get("TINY_BODY_TIMEOUT", "60")),
        max_body=50_000_000,
    )

    def ready(addresses: tuple[tuple[str, int], ...]) -> None:
        print("ready", *(port for _, port in addresses), flush=True)

    code = servers[server]().run(plan, ready)
    leaving.leave_within(code)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
