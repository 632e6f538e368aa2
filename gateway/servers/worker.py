"""What one serving process has: the runtime, the application, and what runs behind it.

The configuration can be exchanged while it serves: the next runtime is opened beside the
one that serves, and the application is switched. A request sees one of them, from its
beginning to its end.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from gateway.background.followers import Following
from gateway.background.jobs import Scheduler
from gateway.catalog import CatalogError
from gateway.catalog.secrets import VARIABLE
from gateway.config import Binding, Configuration, ConfigurationError, Origin, load_again
from gateway.config.load import ROOT_SECRET
from gateway.plugins.finding import PluginError
from gateway.servers import CannotServe, Loaded
from gateway.servers.added_certificates import DAY, AddedCertificates
from gateway.servers.protocols import CannotStart, Listening, Protocols
from gateway.servers.reporting import Reporting
from gateway.services.chain import ChainError
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import Unavailable
from gateway.storage.objects import now
from gateway.telemetry import logs
from gateway.telemetry.access_log import AccessLog
from gateway.telemetry.line_spool import LineSpool
from gateway.telemetry.metrics import Key, Metrics
from gateway.telemetry.record import Record
from gateway.telemetry.request_list import RequestList
from gateway.web.admission import Admission
from gateway.web.app import App, Routes, create_routes
from gateway.web.health import create_pages, writable

log = logging.getLogger("gateway")

ServerName = Literal["granian", "waitress"]
SECRETS = (ROOT_SECRET, VARIABLE)
"""Of the environment. granian would put them into every request, and what a worker starts
(a `credential_process` of AWS's, say) would inherit them."""

LOOK = 0.05
"""Seconds between two looks whether the requests of a configuration are over."""


class Worker:
    """One process that serves: what it has as long as it lives, and the runtime of the
    configuration that is served now. The ones before end when their requests are over."""

    def __init__(
        self,
        configuration: Configuration,
        server: ServerName,
        threads: int,
        metrics_folder: Path | None,
    ) -> None:
        """Raises what the runtime raises when it cannot be opened."""
        lines = logs.configure(configuration.server.log_format, *configuration.logs.place)
        self._configuration, self._server, self._threads = configuration, server, threads
        self._environ = dict(os.environ)  # before secrets are taken out of it
        self._reporting = Reporting.of(configuration, lambda: self.runtime)
        slots = None if self._reporting is None else self._reporting.slots
        self._metrics = Metrics(metrics_folder, slots=slots)
        self._jobs = Scheduler(configuration.data, now, self._metrics)
        self._followers = Following(configuration.data, now, self._metrics)
        self._requests = RequestList(configuration.data)
        self._lines = LineSpool(configuration.data)
        self._certificates = AddedCertificates()
        self._metrics.share(self._certificates.gauges)
        self._jobs.add("certificates", DAY, self._certificates.warn)
        self._ending, self._lock = set[Runtime](), threading.Lock()
        self.runtime = self.open(configuration)
        self._metrics.share(self._orders)
        self._sockets: Sequence[Listening] = ()
        self._protocols = protocols(configuration)
        self._access_log = AccessLog(
            lines, configuration.server.log_format, requests=self._requests
        )
        self._metrics.watch("gateway_request_list_shed", lambda: self._requests.shed)
        self._metrics.watch("gateway_bucket_log_lines_shed", lambda: self._lines.shed)
        loops = server == "waitress"
        self._admission = Admission(threads, spools=loops, paces=loops)
        self._app = App(
            self.routes(configuration, self.runtime),
            admission=self._admission,
            metrics=self._metrics,
            access_log=self._access_log,
        )
        self._metrics.start()
        self._access_log.start()
        self._lines.start()
        if self._reporting is not None:
            self._reporting.start(self._metrics, self._jobs)
        self._jobs.start()
        self._followers.start()

    def _orders(self) -> Iterable[tuple[Key, float]]:
        return self.runtime.certificates.gauges()  # of the configuration that is served

    def loaded(self) -> Loaded:
        return Loaded(
            self._app,
            self._close,
            self._admission,
            self._wake,
            self._prepare,
            self._listen,
            self._certificates,
        )

    def _listen(self, sockets: Sequence[Listening]) -> None:
        self._sockets = sockets
        try:
            self._protocols.start(self.runtime, sockets)
        except CannotStart as error:
            raise CannotServe(str(error)) from error

    def open(self, configuration: Configuration, before: Runtime | None = None) -> Runtime:
        self._metrics.know(configuration.services)
        return open_runtime(
            configuration,
            server=self._server,
            jobs=self._jobs,
            meters=self._metrics,
            followers=self._followers,
            requests=self._requests,
            lines=self._lines,
            threads=self._threads,
            before=before,
            numbers=self._metrics.numbers,
            reports=None if self._reporting is None else self._reporting.file,
            note=self._noted,
        )

    def _noted(self, record: Record) -> None:
        self._app.note(record)

    def routes(self, configuration: Configuration, runtime: Runtime) -> Routes:
        checks = [] if configuration.data is None else [writable(configuration.data)]
        server = configuration.server
        pages = create_pages(
            self._metrics, checks, configuration.open_modes, by_service=server.metrics_by_service
        )
        routes = create_routes(runtime, configuration, pages)

        def bind(added: Sequence[Binding]) -> None:
            routes.doors.bind(added)
            self._metrics.know_names(routes.doors.named)

        runtime.keep_up(bind, self._certificates.replace)
        return routes

    def _prepare(self, message: object) -> Next:
        """What an `Origin` says, opened beside what is served. Raises `CannotServe`."""
        assert isinstance(message, Origin)
        try:
            plugins = self._configuration.plugins
            configuration = load_again(message, environ=self._environ, plugins=plugins)
            return Next(self, configuration)
        except (CatalogError, ChainError, ConfigurationError, Unavailable) as error:
            raise CannotServe(str(error)) from error
        except Exception as error:  # a driver's mistake: what is served now goes on
            log.exception("a configuration cannot be opened")
            raise CannotServe(
                f"It cannot be opened: {type(error).__name__}, see the log."
            ) from error

    def serve(self, runtime: Runtime, routes: Routes, protocols: Protocols) -> None:
        """From the next request on. Who waits for something to happen with the runtime before
        is answered now, and comes again. Raises `CannotServe`: then that goes on, and this one
        is closed."""
        try:
            protocols.start(runtime, self._sockets)
        except CannotStart as error:
            with self._lock:
                self._ending.add(runtime)
            self._let_go(runtime, lambda: True, protocols)
            raise CannotServe(str(error)) from error
        with self._lock:
            before, self.runtime = self.runtime, runtime
            self._ending.add(before)
            ended, self._protocols = self._protocols, protocols
        over = self._app.switch(routes)
        before.stopping.set()
        self._let_go(before, over, ended)

    def _let_go(self, runtime: Runtime, over: Callable[[], bool], protocols: Protocols) -> None:
        protocols.stop()
        arguments = (runtime, over, protocols)
        threading.Thread(target=self._end, args=arguments, name="before", daemon=True).start()

    def _end(self, before: Runtime, over: Callable[[], bool], ended: Protocols) -> None:
        while not over():
            time.sleep(LOOK)
        ended.wait()
        with self._lock:
            mine = before in self._ending
            self._ending.discard(before)
        if mine:  # else the process has ended it
            before.close()
            settle()

    def _wake(self) -> None:
        self.runtime.stopping.set()
        self._protocols.stop()
        self._jobs.end()
        self._followers.end()

    def _close(self) -> None:
        # These first, for what follows may take longer than there is time.
        self._access_log.stop()
        if self._reporting is not None:
            self._reporting.flush()
        self._jobs.stop()
        self._followers.stop()
        self._protocols.stop()
        self._protocols.wait()
        if self._reporting is not None:
            self._reporting.stop()
        with self._lock:
            ending, self._ending = self._ending, set()
        for one in (*ending, self.runtime):
            one.close()
        self._requests.close()
        self._lines.stop()
        self._metrics.stop()


class Next:
    """A configuration that is open beside the one that a worker serves (see `Prepared`)."""

    def __init__(self, worker: Worker, configuration: Configuration) -> None:
        self._worker = worker
        self._runtime = worker.open(configuration, worker.runtime)
        try:
            self._routes = worker.routes(configuration, self._runtime)
            self._protocols = protocols(configuration)
        except BaseException:
            self._runtime.close()
            raise

    def take_over(self) -> None:
        self._worker.serve(self._runtime, self._routes, self._protocols)

    def discard(self) -> None:
        self._runtime.close()


def protocols(configuration: Configuration) -> Protocols:
    return Protocols([one.make() for one in configuration.listeners])


def open_worker(
    configuration: Configuration, server: ServerName, threads: int, metrics_folder: Path | None
) -> Loaded:
    """Raises what the runtime raises when it cannot be opened."""
    return Worker(configuration, server, threads, metrics_folder).loaded()


def settled(open_it: Callable[[], Loaded]) -> Loaded:
    """Open, and keep what is there then out of the collector's rounds: for a process that
    does nothing but serve.

    Requests leave no cycles to speak of. Measured (GET of 1 KiB, 8 connections): rounds
    over all objects took the p99 from 4 ms to 23, and 3 % of the CPU.
    """
    gc.disable()
    loaded = open_it()
    for name in SECRETS:  # what was read is known: no program that is started needs them
        os.environ.pop(name, None)
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()
    return loaded


def settle() -> None:
    """The same again, after what was there has gone in part."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def load_worker(
    origin: Origin,
    server: ServerName,
    threads: int,
    metrics_folder: Path | None,
) -> Loaded:
    """The same in another process: the configuration that its parent read, whatever the
    files say by now.

    What is wrong with it is said to the parent. Raises `CannotServe`.
    """
    try:
        configuration = load_again(origin)
        return open_worker(configuration, server, threads, metrics_folder)
    except (CatalogError, ChainError, ConfigurationError, PluginError, Unavailable) as error:
        raise CannotServe(str(error)) from error
