"""The one required method, and what every store and layer is."""

from __future__ import annotations

import os
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, cast

from gateway.storage.folding import folded
from gateway.storage.following import Followers, NoFollowers
from gateway.storage.key_service import KeyService, NoKeyService
from gateway.storage.objects import ObjectInfo, Secret, now
from gateway.storage.types import Get, Opened
from gateway.storage.waiting import Threads

C = TypeVar("C")
R = TypeVar("R", bound="Resource")


class Resource(Protocol):
    def close(self) -> None: ...


class Shared:
    """What several stores of a process have in common (a database, a pool), by key.

    It is made by the first that asks and closed when the last has let go.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Hashable, tuple[Resource, int]] = {}

    def take(self, key: Hashable, make: Callable[[], R]) -> R:
        with self._lock:
            found, count = self._held.get(key) or (make(), 0)
            self._held[key] = (found, count + 1)
            return cast(R, found)

    def release(self, key: Hashable) -> None:
        with self._lock:
            found, count = self._held.pop(key)
            if count > 1:
                self._held[key] = (found, count - 1)
                return
        found.close()


INSTANCE = "GATEWAY_INSTANCE"


def instance() -> str:
    """What tells this gateway from another: its processes inherit it in their environment."""
    return os.environ.setdefault(INSTANCE, secrets.token_hex(8))


class Jobs(Protocol):
    """Background work: see `gateway.background.jobs`."""

    def add(self, name: str, interval: float, work: Callable[[], object]) -> None:
        """Run `work` each `interval` seconds, in one worker at a time.

        What it returns (a number, a few words, or words with a number for each, which are
        counted) is shown as its result. One that has much to
        do is a generator: what it yields, a number that grows, or such a number and of how
        many, is shown as its progress, and it may be ended between two steps.
        """

    def remove(self, name: str) -> None:
        """Run it no more. Nothing happens when there is no such job."""


class NoJobs:
    """For stores opened outside a server: nothing runs behind them."""

    def add(self, name: str, interval: float, work: Callable[[], object]) -> None:
        """Forget it."""

    def remove(self, name: str) -> None:
        """There is none."""


class Meters(Protocol):
    """Counters for who watches the gateway: see `gateway.telemetry.metrics`."""

    def add(self, name: str, amount: float = 1, *labels: str) -> None:
        """Add to one of those that are declared there."""


class NoMeters:
    """For stores opened outside a server: nobody watches."""

    def add(self, name: str, amount: float = 1, *labels: str) -> None:
        """Forget it."""


@dataclass(slots=True, kw_only=True)
class Context:
    """What a store gets of the gateway when it is opened.

    `generation` tells a service from others of the same id, before it or after it; "" for
    one that a configuration declares. A store that keeps what another one answered keeps it
    apart by it: the other one may be another by then.
    `folder` is the data folder, None when nothing is to be kept on disk.
    `master_key`: 32 bytes under which a store encrypts what it is told to.
    `key_service` wraps the keys of what is to be encrypted under one of its own (SSE-KMS).
    `threads`: those of the process that answer requests; a store that lets them wait for
    others takes a place first.
    `instance` is the same in all processes of a gateway, and in no other's; "" in a
    command that looks at the data of one that may be running.
    """

    sid: str = ""
    generation: str = ""
    folder: Path | None = None
    clock: Callable[[], int] = now
    master_key: Secret | None = None
    key_service: KeyService = field(default_factory=NoKeyService)
    shared: Shared = field(default_factory=Shared)
    jobs: Jobs = field(default_factory=NoJobs)
    followers: Followers = field(default_factory=NoFollowers)
    meters: Meters = field(default_factory=NoMeters)
    threads: Threads = field(default_factory=Threads)
    instance: str = field(default_factory=instance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What `Store.probe` found out about what is behind a store.

    `target`: what was asked, as an operator knows it, without secrets: a URL and a
    bucket. `can`: abilities in a word or two ("read", "list", "versions",
    "conditions", "checksums", …) → True, False, or None where it could not be found
    out by reading. `notes`: sentences about what may surprise.
    """

    target: str
    can: Mapping[str, bool | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder of this machine that a store fills. Stores that say the same `owner` share
    it. `tree`: all below it are the store's objects; else only what it makes itself, in
    files there and in a folder `blobs`. `known`: names of which a folder that it has filled
    has one; where other things lie it is refused. Without any it takes every folder. `terms`:
    (option, value) of what all that share it should say alike."""

    folder: Path
    owner: str
    tree: bool = False
    known: tuple[str, ...] = ()
    terms: tuple[tuple[str, object], ...] = ()


class Store(ABC):
    """One flat namespace of objects.

    A driver is a dataclass whose fields are its options; constructing it
    validates them (raise `ValueError`) and touches nothing. `open` comes
    before any other call, `close` after the last. All other methods are
    called from many threads at once. What a store can do beyond reading it
    says by inheriting from `capabilities`.
    """

    driver: ClassVar[str] = ""
    """The name by which a configuration chooses it."""

    contract: ClassVar[tuple[int, int]] = (1, 0)
    """The version of the contract that it was written for (see `contract.CONTRACT`)."""

    path_keys = False
    """Keys are paths of a file system: some are refused with `BadKey`."""

    case_sensitive: bool = True
    """Keys that differ by case alone are objects of their own. False: they are one, or may be
    answered as one, and so are decided about as one. A store that keeps objects so calls them,
    in lists and in what it says of them, by what `fold` makes of their keys."""

    keeps_owners = True
    """Its objects have owners. Where they have none, they are whose the store is."""

    shared: ClassVar[bool] = True
    """Several processes see the same objects. False: the server runs one worker."""

    on_demand: ClassVar[bool] = False
    """It does nothing by itself: where there are many it may be opened by the first who asks for
    it."""

    @property
    def may_rest(self) -> bool:
        """Such a store may be closed while nobody asks for it, and opened again: nothing is lost
        by that."""
        return self.on_demand

    @property
    def in_one_process(self) -> bool:
        """Its objects are of this process. Known when it is constructed; a driver for
        which that depends on its options overrides it."""
        return not self.shared

    @abstractmethod
    def get(self, key: str, want: Get = Get()) -> Opened:
        """Open an object for reading. The caller closes it.

        Raises `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` (the version is
        a delete marker), `InvalidRange`, and what `want.conditions` raise.
        """

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        """What is known of an object; like `get` without the bytes."""
        with self.get(key, want) as opened:
            return opened.info

    def fold(self, key: str) -> str:
        """The one of all keys that are one with this; of a prefix, how those begin."""
        return key if self.case_sensitive else folded(key)

    def find(self, capability: type[C]) -> C | None:
        """This store as that capability, or None when it does not have it."""
        return self if isinstance(self, capability) else None

    def behind(self, key: str) -> tuple[Store, str]:
        """Where the bytes of `key` are: another store and its key there, when this one only
        stands in front of it; for copies that need not come through here."""
        return self, key

    def probe(self) -> Probe | None:
        """Try with a read what is behind this store, an upstream or a file system, and say
        what it can do; for `gateway check --connect`. None: there is nothing behind it.

        It is called after `open`, changes nothing, and takes a few requests at the most;
        the caller measures how long. Raises `StorageError` (or `OSError`) when the read
        fails. Only stores that override it are opened to be probed.
        """
        return None

    def places(self, folder: Path | None, sid: str) -> tuple[Place, ...]:
        """The folders of this machine that it will fill. `folder` and `sid` are those of the
        `Context` to come. Touches nothing: it is asked before any store is opened."""
        return ()

    def open(self, context: Context) -> None:
        """Begin: connect, create, recover."""

    def close(self) -> None:
        """End. May be called twice."""

    @classmethod
    def outlives_source(cls, options: Mapping[str, Any]) -> bool:  # noqa: ARG003 - layers may ask
        """Whether what a store of these options keeps stays right whatever becomes of what is
        behind it: then that makes no other `Context.generation`."""
        return False

    def discard(self) -> None:
        """Remove what it kept and nobody misses, after `close`: there will be no store of its
        `Context.generation` any more. Other processes may still have theirs open. Objects
        that are kept nowhere else stay."""


class Layer(Store):
    """A store in front of another, `source`. What it does not name stays hidden:
    `passes` lists the capabilities of the source that are safe to hand through, and
    `as_source` those of its own that it has only where the source has them."""

    passes: ClassVar[frozenset[type]] = frozenset()
    as_source: ClassVar[frozenset[type]] = frozenset()
    source: Store

    @property
    def path_keys(self) -> bool:  # type: ignore[override]  # it is the source's
        return self.source.path_keys

    @property
    def case_sensitive(self) -> bool:  # type: ignore[override]  # as above
        return self.source.case_sensitive

    @property
    def keeps_owners(self) -> bool:  # type: ignore[override]  # as above
        return self.source.keeps_owners

    def find(self, capability: type[C]) -> C | None:
        if capability in self.as_source and self.source.find(capability) is None:
            return None
        own: Any = super().find(capability)
        if own is None and capability in self.passes:
            return self.source.find(capability)
        return cast("C | None", own)
