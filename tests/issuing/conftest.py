"""A gateway in memory, the answers of which Pebble sees, and the job without its scheduler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from gateway.config import load
from gateway.modes.certifying import CertificateState
from gateway.services.issuing.carrying_out import CarryingOut
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage.objects import now
from gateway.telemetry.metrics import Metrics
from gateway.web.admission import Admission
from gateway.web.app import create_app
from tests.issuing.pebble import Pebble, needs_pebble, pebble


class Site:
    """`clock` is that of the gateway; `runs` carries out what is due there."""

    def __init__(self, acme: Mapping[str, Any] | None, **more: Any) -> None:
        self.ahead = 0
        server = {"memory": True, "listen": ["127.0.0.1:9000"]}
        tables = {"server": server, **more, **({} if acme is None else {"acme": acme})}
        self.configuration = load(tables=tables, environ={})
        self.runtime: Runtime = open_runtime(
            self.configuration, server="waitress", environ={}, clock=self.clock
        )
        self.runtime.keep_up(lambda _: None)
        self.app = create_app(
            self.runtime, self.configuration, admission=Admission(8), metrics=Metrics()
        )

    def clock(self) -> int:
        return now() + self.ahead

    @property
    def certificates(self) -> Any:
        return self.runtime.certificates

    def job(self) -> CarryingOut:
        """Another process's."""
        options = self.configuration.acme
        assert options is not None
        names = lambda: frozenset(options.names)  # noqa: E731 - the shortest way to say it
        return CarryingOut(self.runtime.catalog, options, names, self.clock, "a test")

    def runs(self) -> Mapping[str, int]:
        steps = self.job().run()
        while steps is not None:
            try:
                next(steps)
            except StopIteration as end:
                return dict(end.value)
        return {}

    def state(self, name: str) -> CertificateState:
        (found,) = self.certificates.states([name])
        assert isinstance(found, CertificateState)
        return found

    def close(self) -> None:
        self.runtime.close()


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site() -> Iterator[MakeSite]:
    made = list[Site]()

    def make(acme: Mapping[str, Any] | None = None, **more: Any) -> Site:
        made.append(Site(acme, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...


class Door:
    """Where an authority looks: at whichever gateway is behind it."""

    def __init__(self) -> None:
        self.site: Site | None = None
        self.server = make_server(
            "127.0.0.1", 0, self._answer, server_class=_Server, handler_class=_Quiet
        )
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server.server_port)

    def _answer(self, environ: dict[str, Any], start: Any) -> Any:
        assert self.site is not None
        return self.site.app(environ, start)


@pytest.fixture(scope="module")
def door(sockets: None) -> Iterator[Door]:
    door = Door()
    yield door
    door.server.shutdown()
    door.server.server_close()


@pytest.fixture(scope="module")
def authority(
    processes: None, door: Door, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pebble]:
    with pebble(tmp_path_factory.mktemp("pebble"), door.port) as found:
        yield found


def asks(authority: Pebble, **more: Any) -> dict[str, Any]:
    """The table `[acme]` of who asks it."""
    return {
        "directory": authority.directory,
        "ca_file": str(authority.ca_file),
        "terms_agreed": True,
        **more,
    }


@pytest.fixture
def site(authority: Pebble, door: Door, make_site: MakeSite) -> Site:
    door.site = make_site(asks(authority))
    return door.site


__all__ = ["Door", "MakeSite", "Site", "asks", "needs_pebble"]
