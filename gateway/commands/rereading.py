"""A gateway that serves reads its configuration again: everything is checked that
`gateway check` checks, and that nothing has changed which cannot change while it runs.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.catalog import CatalogError
from gateway.commands.tls import certificates
from gateway.config import (
    ConfigProblem,
    Configuration,
    ConfigurationError,
    Listener,
    Origin,
    load,
)
from gateway.plugins.finding import PluginError
from gateway.servers import CannotServe, Change, Loaded
from gateway.services.chain import Chain, ChainError

KEPT = (
    "listen",
    "data",
    "memory",
    "server",
    "workers",
    "threads",
    "cpu_affinity",
    "log_format",
    "max_body",
    "tls",
    "http2",
    "drain",
    "header_timeout",
    "body_timeout",
)
"""Options of `[server]` that sockets, processes and threads were made by."""

_RESTART = "it was changed, which needs a restart"
_ONCE = "a pipe, which can be read once only: put a file there, or restart the gateway."


class Rereading:
    """Of the configuration of a gateway that runs with so many `workers`. `environ` is what
    it had when that was read; `loads` gives what a new worker loads."""

    def __init__(
        self,
        configuration: Configuration,
        workers: int,
        environ: Mapping[str, str],
        loads: Callable[[Origin], Callable[[], Loaded]],
    ) -> None:
        self._running, self._workers = configuration, workers
        self._environ, self._loads = environ, loads

    def __call__(self) -> Change:
        """Raises `CannotServe` with all that is wrong."""
        try:
            found = self._read()
            self._check(found)
        except (CatalogError, ChainError, ConfigurationError, PluginError) as error:
            raise CannotServe(str(error)) from error
        return Change(message=found.origin, load=self._loads(found.origin))

    def _read(self) -> Configuration:
        origin = self._running.origin
        once = [one for one in (origin.path, *origin.secrets) if one and _is_pipe(one)]
        if once:  # who waits for it waits for somebody to write again
            raise ConfigurationError([ConfigProblem(one, _ONCE) for one in once])
        found = load(
            origin.path,
            overrides=origin.overrides,
            log_overrides=origin.log_overrides,
            environ=self._environ,
            plugins=self._running.plugins,
            lenient=origin.lenient,
        )
        root = self._running.root
        return found if root is None else found.with_root(root)

    def _check(self, found: Configuration) -> None:
        chain = Chain(found)
        problems = [*self._changed(found)]
        alone = chain.single_process
        if alone is not None and self._workers > 1:
            problems.append(
                ConfigProblem(
                    "", f"One worker is needed ({alone}), and {self._workers} run: restart it."
                )
            )
        problems += (ConfigProblem("", one) for one in chain.misplaced(found.data))
        try:
            certificates(found)
        except CannotServe as error:
            problems.append(ConfigProblem("", str(error)))
        if problems:
            raise ConfigurationError(problems, found.origin.path or "")

    def _changed(self, found: Configuration) -> Iterator[ConfigProblem]:
        ours: Any = self._running.server
        for name in KEPT:
            if getattr(found.server, name) != getattr(ours, name):
                yield ConfigProblem(f"server.{name}", f"{_RESTART}.")
        if _addresses(found) != _addresses(self._running):
            yield ConfigProblem("listeners", f"their addresses or certificates: {_RESTART}.")
        for name in ("logs", "catalog", "reports"):
            if getattr(found, name) != getattr(self._running, name):
                yield ConfigProblem(name, f"{_RESTART}.")


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except OSError:  # gone, say: who reads it says so
        return False


def _addresses(configuration: Configuration) -> list[Listener]:
    return [one.listener for one in configuration.listeners]
