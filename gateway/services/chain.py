"""The declared services as objects: constructed, opened in the order of their links,
closed in reverse. Links get the `Service`, so that promises hold through them.

A chain may follow another in the same process (`before`), while that still serves: what
both declare in the same way is one store in both (see `lasting`), and what stores share in
a process stays what it is.

The catalog's services are built and begun by the same two methods, `build` and `begin`,
when they are needed (`added`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from gateway.common.closing import close_all
from gateway.config import (
    SOURCE,
    ConfigProblem,
    Configuration,
    ConfigurationError,
    Declared,
    construct,
    in_order,
)
from gateway.config.problems import join
from gateway.config.volumes import VOLUME
from gateway.services.behind import Behind
from gateway.services.folders import conflicts, unlike
from gateway.services.lasting import Lasting
from gateway.services.service import Identification, Service
from gateway.services.subtree import Below
from gateway.storage import (
    AlreadyExists,
    Buckets,
    Context,
    Followers,
    Jobs,
    KeyService,
    Meters,
    Multipart,
    NoFollowers,
    NoJobs,
    NoKeyService,
    NoMeters,
    NoSuchStore,
    Place,
    Secret,
    Shared,
    StorageError,
    Store,
    Threads,
    Unsupported,
    Versions,
    Volumes,
)
from gateway.storage.objects import now
from gateway.storage.store import instance

log = logging.getLogger("gateway.services")

STAGING = "~staging."
"""Begins the names of hidden buckets in which parts wait. No service id has a "~"."""


class ChainError(Exception):
    """A service cannot be opened; the message names its place and says why."""


_FORESEEN = (StorageError, OSError, ValueError)
"""What a driver raises when it cannot be opened, with a message for operators."""


def mistake(error: ChainError) -> BaseException | None:
    """The exception behind it that no driver should raise: who mends that needs its traceback."""
    cause = error.__cause__
    foreseen = (*_FORESEEN, ConfigurationError)
    return None if cause is None or isinstance(cause, foreseen) else cause


class Chain:
    """Constructing touches nothing; `open` and `close` begin and end all stores."""

    def __init__(self, configuration: Configuration, before: Chain | None = None) -> None:
        self.configuration = configuration
        self._opened: list[Lasting] = []
        self._shared: Shared = Shared() if before is None else before._shared
        self._serving: Threads | None = None if before is None else before._serving
        self.behind: Behind = Behind() if before is None else before.behind
        self._source = configuration.origin.path or ""
        self._lasting: dict[str, Lasting] = {}
        services: dict[str, Service] = {}
        self._buckets = self._store(configuration.buckets, services, before)
        self._places = {"": configuration.buckets.place}
        self.memory = configuration.server.memory
        for declared in in_order(configuration.services):
            store, about = self._store(declared, services, before), identify(declared)
            services[declared.sid] = Service(
                replace(about, created=configuration.origin.written),
                store,
                staging=self.staging(declared.sid),
            )
            self._places[declared.sid] = declared.place
        self._services = services

    def _store(
        self, declared: Declared, services: Mapping[str, Service], before: Chain | None
    ) -> Store:
        """That of the chain before, where it and all behind it are the same; else a new one."""
        sid = declared.sid
        found = None if before is None else before._same(declared, self._lasting)
        self._lasting[sid] = found or self.build(declared, services)
        return self._lasting[sid].store

    def build(self, declared: Declared, services: Mapping[str, Service]) -> Lasting:
        """Its store, not open yet, in front of those services that it names. Raises
        `ValueError`."""
        return Lasting(declared, _constructed(declared, services), self.behind)

    def _same(self, declared: Declared, following: Mapping[str, Lasting]) -> Lasting | None:
        """What serves that here, if all it needs is in the chain that follows, too."""
        found = self._lasting.get(declared.sid)
        if found is None or not found.serves(declared):
            return None
        needed = needed_by(declared)
        return found if all(following[sid] is self._lasting.get(sid) for sid in needed) else None

    def lasting(self, sid: str) -> Lasting | None:
        """What a declared service is served by; "" for [buckets]."""
        return self._lasting.get(sid)

    @property
    def services(self) -> Mapping[str, Service]:
        """The declared services by sid, each after those that it links to."""
        return self._services

    def date(self, created: Mapping[str, int]) -> None:
        """Say when each declared service was made, in milliseconds since the epoch."""
        for sid, service in self._services.items():
            service.about = replace(service.about, created=created[sid])

    @property
    def buckets(self) -> Buckets:
        """Where the services come from that are made through an API."""
        found = self._buckets.find(Buckets)
        assert found is not None, "the configuration was checked"
        return found

    @property
    def volumes(self) -> Volumes | None:
        """What counts what is in several of them; None where their driver counts it of none."""
        return self._buckets.find(Volumes)

    @property
    def buckets_driver(self) -> str:
        return self._buckets.driver

    @property
    def single_process(self) -> str | None:
        """Why there may be one worker only; None: there may be many."""
        if self.memory:
            return "everything is in memory"
        for place, store in self._stores():
            if store.in_one_process:
                return f'{place} (driver "{store.driver}") lives in one process'
        return None

    def _stores(self) -> list[tuple[str, Store]]:
        named = [(self._places[sid], service.store) for sid, service in self._services.items()]
        return [(self._places[""], self._buckets), *named]

    def check_places(self, folder: Path | None) -> None:
        """Raise `ConfigurationError` for what is wrong with the folders of the stores, before
        they are opened; `folder` is the data folder."""
        if wrong := self.misplaced(folder):
            raise ConfigurationError([ConfigProblem("", one) for one in wrong], self._source)

    def misplaced(self, folder: Path | None) -> list[str]:
        """What that is, a sentence each."""
        return [*conflicts(self.places(folder))]

    def unlike(self, folder: Path | None) -> list[str]:
        """What stores that share a folder do not say alike, a sentence each."""
        return [*unlike(self.places(folder))]

    def places(self, folder: Path | None) -> list[tuple[str, Place]]:
        """The folders that the stores fill, each with the place in the configuration."""
        stores = zip(["", *self._services], self._stores(), strict=True)
        return [(place, one) for sid, (place, store) in stores for one in store.places(folder, sid)]

    def upstreams(self) -> Iterator[tuple[str, str, Store]]:
        """(place, sid, store) of each store that has something behind it to be tried."""
        for sid, (place, store) in zip(["", *self._services], self._stores(), strict=True):
            if type(store).probe is not Store.probe:
                yield place, sid, store

    def open(
        self,
        *,
        folder: Path | None,
        master_key: Secret | None,
        key_service: KeyService | None = None,
        clock: Callable[[], int] = now,
        jobs: Jobs | None = None,
        meters: Meters | None = None,
        followers: Followers | None = None,
        only: type = Store,
        spare: Container[str] = (),
        threads: int = 0,
    ) -> dict[str, ChainError]:
        """Open all, or `only` the stores that have a capability themselves. Raises
        `ChainError`; then what had been opened is closed again. Those that are to `spare` the
        others are what is returned, with what was wrong. Without `jobs` it is no gateway that
        opens them, but a command that looks beside one. `threads`: as many of this process
        answer requests."""
        try:
            self.check_places(folder)
        except ConfigurationError as error:
            raise ChainError(str(error)) from error
        self._serving = self.behind.threads = self._serving or Threads(threads)
        self._context = partial(
            Context,
            folder=folder,
            clock=clock,
            master_key=master_key,
            key_service=key_service or NoKeyService(),
            shared=self._shared,
            jobs=jobs or NoJobs(),
            meters=meters or NoMeters(),
            followers=followers or NoFollowers(),
            threads=self._serving,
            instance="" if jobs is None else instance(),
        )
        failed: dict[str, ChainError] = {}
        for sid, lasting in self._lasting.items():
            if isinstance(lasting.store, only):
                wrong = self._begin_one(lasting, spares=sid in spare)
                if wrong is not None:
                    failed[sid] = wrong
        return failed

    def _begin_one(self, lasting: Lasting, *, spares: bool) -> ChainError | None:
        """What was wrong, where that `spares` the others; else it is raised, and all that was
        opened is closed again."""
        try:
            self.begin(lasting)
        except ChainError as error:
            if (cause := mistake(error)) is not None:
                log.error("%s", error, exc_info=cause)
            if not spares:
                self.close()
                raise
            return error
        self._opened.append(lasting)
        return None

    def begin(self, lasting: Lasting, generation: str = "") -> None:
        """Open a store; all that are declared are open before another. Raises `ChainError`."""
        declared = lasting.declared
        try:
            lasting.open(self._context(sid=declared.sid, generation=generation))
        except _FORESEEN as error:
            raise ChainError(f"{declared.place}: cannot be opened: {error}") from error
        except Exception as error:  # foreign code may raise anything
            said = f"{type(error).__name__}: {error}"
            raise ChainError(f"{declared.place}: cannot be opened: {said}") from error
        if declared.volume and lasting.store.find(Buckets) is not None:
            lasting.close()
            place = join(declared.place, VOLUME)
            raise ChainError(f"{place}: it has buckets itself, and none of these is in a volume.")

    def close(self) -> None:
        """May be called twice."""
        opened, self._opened = self._opened, []
        close_all(log, ((one.declared.place, one.close) for one in reversed(opened)))

    def made(self, sid: str) -> Store:
        """The store of a service that was made through an API. Raises `NoSuchStore`."""
        return cast(Store, self.buckets.bucket(sid))

    def as_bucket(self, about: Identification) -> Service:
        """A service over the account of buckets itself: to decide about one whose bucket
        may be gone, never to read or write."""
        return Service(about, self._buckets)

    def staging(self, sid: str) -> Callable[[], Multipart]:
        """Where parts wait for a service whose store has no uploads; made when first used."""
        name = STAGING + sid

        def find() -> Multipart:
            found = self._hidden(name).find(Multipart)
            if found is None:
                raise Unsupported(
                    f"Neither the service {sid!r} nor the driver of [buckets] takes parts.",
                    capability="Multipart",
                )
            return found

        return find

    def _hidden(self, name: str) -> Store:
        """That bucket, made when it is not there; two uploads of one key are two versions."""
        try:
            store = self.made(name)
        except NoSuchStore:
            with suppress(AlreadyExists):  # another worker was first
                self.buckets.create(name)
            store = self.made(name)
        versions = store.find(Versions)
        if versions is not None and versions.versioning != "on":
            versions.set_versioning("on")
        return store


def needed_by(declared: Declared) -> list[str]:
    """The services that its store holds on to. One that stands in front of others may have
    its parts in [buckets], ""."""
    return ["", *declared.links.values()] if declared.links else []


def identify(declared: Declared) -> Identification:
    """All but when it was made."""
    return Identification(
        sid=declared.sid,
        name=declared.name,
        driver=declared.driver.driver,
        owner=declared.account,
        declared=declared.place,
        source=declared.links.get(SOURCE, ""),
        grants=declared.grants,
        volume=declared.volume,
        bucket=declared.bucket,
    )


def _constructed(declared: Declared, services: Mapping[str, Service]) -> Store:
    """With what it links to, its source seen from its `source_path`. Raises `ValueError`."""
    links: dict[str, Store] = {**declared.linked(services)}
    if declared.source_path:
        links[SOURCE] = Below(links[SOURCE], declared.source_path)
    return construct(declared, links)
