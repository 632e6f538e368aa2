"""`gateway serve`: chooses the server, prepares, and serves until it is told to stop.

The parent opens nothing but what `prepare` does and closes again; each
serving process opens its own runtime (see `worker`).
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from gateway.catalog import CatalogError, FirstCredential, prepare
from gateway.commands import start_screen, tls
from gateway.commands.columns import plain, say
from gateway.commands.command import Command
from gateway.commands.control import Control
from gateway.commands.place import add_config, configured
from gateway.commands.rereading import Rereading
from gateway.commands.service_managers import ServiceManager, Systemd
from gateway.common.cpu_quota import usable_processors
from gateway.config import Configuration, Listener, Origin, usual_file
from gateway.servers import CannotServe, Endpoint, HTTPServer, Loaded, Plan
from gateway.servers.granian import GranianServer
from gateway.servers.sockets import free
from gateway.servers.waitress import WaitressServer
from gateway.servers.worker import ServerName, load_worker, open_worker, settled
from gateway.services.chain import Chain, ChainError
from gateway.services.versions import product_version
from gateway.storage.store import INSTANCE
from gateway.telemetry import logs

log = logging.getLogger("gateway")

SERVERS: dict[ServerName, Callable[[], HTTPServer]] = {
    "granian": GranianServer,
    "waitress": WaitressServer,
}
THREADS: dict[ServerName, int] = {"granian": 32, "waitress": 16}
"""For each worker, unless configured. granian makes them when they are needed."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--listen", metavar="HOST:PORT", action="append", help="may be repeated")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--data", metavar="DIR", help="the data folder")
    kept.add_argument("--memory", action="store_true", default=None, help="keep nothing")
    parser.add_argument("--server", choices=("auto", "granian", "waitress"))
    parser.add_argument("--workers", metavar="N", type=int, help="processes")
    parser.add_argument("--threads", metavar="N", type=int, help="of each process")
    parser.add_argument("--log-format", choices=("text", "json"))
    parser.add_argument("--log-file", metavar="FILE", help="the log goes there, not to stderr")
    parser.add_argument(
        "--lenient", action="store_true", help="go on without plugins that cannot be used"
    )


def _run(typed: argparse.Namespace) -> int:
    return serve(configured(typed, lenient=typed.lenient))


COMMAND = Command(
    name="serve", text="serve until SIGTERM or Ctrl-C", arguments=_arguments, run=_run
)


def serve(
    configuration: Configuration,
    out: TextIO | None = None,
    manager: ServiceManager | None = None,
) -> int:
    """Serve until SIGTERM or Ctrl-C. Returns the exit code: 0 then, 1 when the
    environment does not allow it, which is said on stderr in one message."""
    manager = manager or Systemd()
    try:
        return _serve(configuration, out or sys.stdout, manager)
    except (CannotServe, CatalogError, ChainError) as error:
        say(f"gateway: {error}", sys.stderr)
        if logs.in_file():
            log.critical("%s", error)
        manager.failed(str(error))
        return 1
    except KeyboardInterrupt:  # before a server took the signal over
        return 0


def _serve(configuration: Configuration, out: TextIO, manager: ServiceManager) -> int:
    environ = dict(os.environ)  # before secrets are taken out of it
    os.environ[INSTANCE] = secrets.token_hex(8)  # what its processes have in common
    _open_log(configuration)
    kind = choose(configuration)
    tls.certificates(configuration)
    workers, why = count_workers(configuration, kind)
    others = [one.listener for one in configuration.listeners]
    addresses = [one.address for one in (*configuration.server.listeners, *others)]
    for host, port in addresses:
        free(host, port, addresses)  # before anything is made
    first = prepare(configuration)
    if configuration.data is None and first is not None:
        configuration = configuration.with_root(first.root)
    screen = _Screen(configuration, kind, why, first, out)
    folder = _workers_folder() if workers > 1 else None
    server = SERVERS[kind]()
    control = _control(configuration, server.reload)
    manager.starting(server.stop)

    def ready(listeners: tuple[tuple[str, int], ...]) -> None:
        if control is not None:
            control.start()
        screen.show(listeners)
        where = " ".join(start_screen.urls(configuration, listeners))
        if logs.in_file():
            log.info("storage-gateway %s serves at %s", product_version(), where)
        manager.serving(where)

    try:
        return server.run(_plan(configuration, kind, workers, folder, environ), ready)
    finally:
        manager.ending()
        if logs.in_file():
            log.info("storage-gateway has ended")
        if control is not None:
            control.end()
        screen.end()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _open_log(configuration: Configuration) -> None:
    try:
        form = configuration.server.log_format
        logs.configure(form, *configuration.logs.place, strict=True)
    except OSError as error:
        raise CannotServe(
            f"The log file {configuration.logs.file} cannot be opened: {error.strerror or error}."
            " Choose another by --log-file or [logs] file."
        ) from error


def _control(configuration: Configuration, reload: Callable[[], None]) -> Control | None:
    """None: nothing is kept, and there is no folder by which it could be found."""
    if configuration.data is None:
        return None
    return Control(configuration.data, reload, configuration.origin.path or str(usual_file()))


def _workers_folder() -> Path:
    """Where workers find each other: their numbers, and processors of their own."""
    try:
        return Path(tempfile.mkdtemp(prefix="gateway-workers-"))
    except OSError as error:
        raise CannotServe(
            f"Several workers need a folder for temporary files: {error.strerror}."
            " Set TMPDIR to one, or [server] workers = 1."
        ) from error


def _plan(
    configuration: Configuration,
    kind: ServerName,
    workers: int,
    folder: Path | None,
    environ: Mapping[str, str],
) -> Plan:
    options = configuration.server
    threads = options.threads or THREADS[kind]

    def loads(origin: Origin) -> Callable[[], Loaded]:
        return partial(settled, partial(load_worker, origin, kind, threads, folder))

    return Plan(
        load=partial(settled, partial(open_worker, configuration, kind, threads, folder))
        if kind == "waitress"
        else loads(configuration.origin),
        read_again=Rereading(configuration, workers, environ, loads),
        listen=tuple(map(_endpoint, options.listeners)),
        protocols=tuple(_endpoint(one.listener) for one in configuration.listeners),
        workers=workers,
        threads=threads,
        drain=options.drain,
        header_timeout=options.header_timeout,
        body_timeout=options.body_timeout,
        max_body=options.body_limit(kind),
        http2=options.http2,
        claims=folder if options.cpu_affinity else None,
    )


def _endpoint(listener: Listener) -> Endpoint:
    return Endpoint(*listener.address, tls.files_of(listener))


@dataclass
class _Screen:
    """Shows the first credential once, whatever becomes of the server."""

    configuration: Configuration
    kind: ServerName
    workers: str
    credential: FirstCredential | None
    out: TextIO

    def show(self, listeners: tuple[tuple[str, int], ...]) -> None:
        credential, self.credential = self.credential, None
        screen = start_screen.render(
            self.configuration,
            listeners,
            server=self.kind,
            workers=self.workers,
            credential=credential,
        )
        print(plain(screen), file=self.out, flush=True)

    def end(self) -> None:
        if self.credential is not None and self.configuration.data is not None:
            print(*start_screen.first(self.credential), sep="\n", file=self.out, flush=True)


def choose(configuration: Configuration) -> ServerName:
    """The server that was asked for, else granian where it runs. Raises `CannotServe` where
    the one that was asked for does not run."""
    absent, wanted = _absent(), configuration.server.server
    if configuration.server.http2:
        if absent:
            raise CannotServe(f"http2: only granian speaks it, and that {absent}.")
        if wanted == "waitress":
            raise CannotServe("http2: waitress does not speak it; leave one of the two out.")
    if wanted == "auto":
        return "waitress" if absent else "granian"
    if wanted == "granian" and absent:
        raise CannotServe(f"granian {absent}: set server = 'waitress', which has TLS too.")
    return wanted


def _absent() -> str:
    """Why there is no granian; "" where there is."""
    if sys.platform == "win32":
        return "is not for Windows, where it could not cut clients that stand still"
    return "" if importlib.util.find_spec("granian") else "is not installed here"


def count_workers(configuration: Configuration, kind: ServerName) -> tuple[int, str]:
    """How many processes serve, and the words for it."""
    wanted = configuration.server.workers
    reason = Chain(configuration).single_process
    if kind == "waitress":
        reason = reason or "waitress serves with threads"
    if reason is not None:
        return 1, f"one worker ({reason})"
    workers = wanted or usable_processors()
    return workers, f"{workers} workers" if workers > 1 else "one worker"
