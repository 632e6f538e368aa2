"""API modes: each is a folder that turns HTTP of its own kind into calls on `Access`.

A mode gets a `Gateway` and gives a WSGI application. Modes import neither
drivers nor each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from gateway.access.access import Access
from gateway.access.grants import Grant
from gateway.access.identity import Account, Identity, Keys
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.sessions import Sessions
from gateway.access.settings import Parsed, Setting, SettingKind, Wanted
from gateway.modes.account_numbers import AccountNumbers
from gateway.modes.certifying import Certificates
from gateway.modes.measured import Measured
from gateway.modes.operating import Operator
from gateway.modes.purge_jobs import PurgeJobs
from gateway.modes.reports import Reports
from gateway.modes.storages import Storages
from gateway.modes.telling import Document, Webhook
from gateway.modes.uploaded_certificates import UploadedCertificates
from gateway.modes.volumes import Volumes
from gateway.modes.zones import Zones
from gateway.storage import Changes, Followers, Jobs, Mark, Purge, Versioning
from gateway.telemetry.line_spool import LineSpool
from gateway.telemetry.record import Record
from gateway.telemetry.request_list import RequestList
from gateway.telemetry.traffic import Numbers

T = TypeVar("T")

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Any]

KEY_LIMIT = 1024
"""Bytes of a key in UTF-8, by whatever door it comes (Amazon S3 User Guide, "Naming
Amazon S3 objects")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What modes need to know of the `[server]` table (specification: configuration)."""

    region: str = "us-east-1"
    domains: tuple[str, ...] = ()
    external_url: str = ""
    max_body: int = 5 << 40
    lifecycle_day: float = 86_400.0


class Attempts(Protocol):
    """How often somebody may try a key's secret: bounded for an address, and for what is given as
    a key's id, whether there is one or not, but from where that key was proved lately; and how
    often a key may begin a session."""

    def wait(self, address: str, key: str, *, most: int = 50) -> int:
        """Seconds until the next attempt; 0: now. `most`: that are allowed for a key; more than
        from an address, else a stranger keeps out whose key it is."""

    def failed(self, address: str, key: str) -> None:
        """Count one."""

    def proved(self, address: str, key: str) -> None:
        """The key's secret was known there."""

    def begun(self, address: str, key: str) -> int:
        """Count a session of a key whose secret was proved there; or, where it has begun too many,
        seconds until the next."""

    def knows(self, address: str, key: str) -> bool:
        """Whether the key's secret was lately known there, to any worker. None of these raises."""


class Gateway(Protocol):
    """What a mode sees of the gateway. Every answer is current in every worker.

    `facts` are those of the request for which a mode asks: rules may decide by them."""

    options: Options
    tables: Mapping[str, Any]
    """By mode, the tables of those that have one (`HavingTable`)."""
    keys: Keys
    sessions: Sessions
    attempts: Attempts
    requests: RequestList
    lines: LineSpool
    """Through which access logs of services go."""
    followers: Followers
    jobs: Jobs
    """What a mode runs behind the requests: it begins that in `Mode.app`."""
    webhooks: Mapping[str, Webhook]
    """By name, those of the configuration."""
    kinds: Mapping[str, SettingKind[Any]]
    """The settings that services may have, by name."""
    offered: Collection[str]
    """The names of those whose modes are on. The others count as well, where a service has one."""
    listening: Mapping[str, Sequence[tuple[str, int]]]
    """By protocol, the addresses of its listeners that do not speak HTTP, as the configuration
    says them."""
    stopping: Event
    """Set when this process begins to stop: who waits for something to happen (a long poll)
    is to be answered as if it had waited in vain, within a second."""

    reports: Reports
    """What was served, in slots of five minutes."""

    @property
    def volumes(self) -> Volumes:
        """Namespaces of buckets."""

    @property
    def purge_jobs(self) -> PurgeJobs:
        """What caches of zones are to forget."""

    @property
    def storages(self) -> Storages:
        """Services that accounts make for their files."""

    @property
    def zones(self) -> Zones:
        """Names on the net, each with an origin, and a cache between them."""

    @property
    def uploaded_certificates(self) -> UploadedCertificates:
        """Those that accounts bring."""

    @property
    def account_numbers(self) -> AccountNumbers:
        """What accounts are called where they are numbers."""

    @property
    def certificates(self) -> Certificates:
        """Those that an authority gives."""

    def clock(self) -> int:
        """Milliseconds since the epoch."""

    def country(self, address: str) -> str | None:
        """Where it is: see `Facts.country`."""

    def note(self, record: Record) -> None:
        """Have a request that is over and came by no HTTP be where others are: in the access log,
        the list of requests and the metrics. Its status is what HTTP would say of it."""

    def operator(self, identity: Identity, facts: Facts = UNKNOWN) -> Operator:
        """What it may see and change of the gateway itself. Raises `Forbidden` for who manages
        nothing."""

    def prefix(self, mode: str, host: str, port: str) -> str:
        """Where a mode is by a binding, for who asks for that host (in lower case, without port)
        at that port: the beginning of its paths, without a slash at its end; "" at the root, and
        where no binding leads to it."""

    def account(self, account: str) -> Account | None: ...

    def account_by_email(self, email: str) -> Account | None:
        """The one account of that address, whatever its case; None when none or several have it."""

    def keep_up_with(self, look: Callable[[], object]) -> None:
        """Have `look` called before the first request, and within a second of each change of
        what the catalog has, by whomever: for who acts on settings without a request. It is
        called in one thread, which answers none, and again soon when it raises."""

    def look(self) -> None:
        """Have all of these look now, in this thread: what it has just changed is to have its
        effect here when that is acknowledged. Raises what they do."""

    def tell(self, document: Document) -> None:
        """Have webhooks told of changes, as it says, from before the first request on; what it
        says is looked at as by `keep_up_with`."""

    def access(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> Access:
        """The service as `identity` sees it. Raises `NoSuchStore`."""

    def feed(self, sid: str) -> Changes:
        """What `followers` follow: the changes of the service of that name, whichever it is
        when they are read. It raises `NoSuchStore` then. Who reads is not asked: only what its
        owner may know is to be told of it."""

    def services(self, identity: Identity, facts: Facts = UNKNOWN) -> Sequence[Access]:
        """All services that `identity` may see, by sid."""

    def measured(self, identity: Identity, facts: Facts = UNKNOWN) -> Measured:
        """How much is in each service that `identity` may see and measure, by sid; without
        those that do not know it, or cannot say it now. The buckets made here are measured in
        one look, so it costs about what `services` does."""

    def measured_of(self, services: Sequence[Access]) -> Measured:
        """The same of these, as a page of a list has them: it costs about what they do, however
        many others there are."""

    def numbers(self, identity: Identity, facts: Facts = UNKNOWN) -> Numbers:
        """Requests and bytes of all workers since the gateway started, by service, of those
        whose requests `identity` may read; of everything, too, for who may do everything. Asked
        for often, it costs little: it is a second old, at most."""

    def create(
        self,
        identity: Identity,
        sid: str,
        grants: Sequence[Grant] = (),
        settings: Sequence[Wanted] = (),
        protects: bool = False,
    ) -> Access:
        """Make a service, as `[buckets]` says, owned by the identity's account. Its grants and
        its settings (each with its kind) are there from the first moment on. `protects`: see
        `Buckets.create`.

        Raises `Forbidden` (anonymous, or the key's access is neither `own` nor `admin`),
        `AlreadyExists` (whoever owns it), `BadKey` when `sid` is no name of a
        bucket (`bucket_names`).
        """

    def drop(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> None:
        """Remove it. Raises `NotEmpty`, `NoSuchStore`, `Forbidden`; `Conflict` when it
        is declared in the configuration."""

    def flush(self, identity: Identity, sid: str, purge: Purge, facts: Facts = UNKNOWN) -> Mark:
        """Have a cache forget, which the audit notes. Raises `NoSuchStore`, `Forbidden`,
        `Unsupported`."""

    def set_grants(
        self, identity: Identity, sid: str, grants: Sequence[Grant], facts: Facts = UNKNOWN
    ) -> None:
        """Replace a service's grants. Needs `write-grants`; `Conflict` when it is declared."""

    def note_presigned(self, access: Access, key: str, method: str, *, expires: int) -> None:
        """Have it known that somebody was given a URL that carries the signature of the identity's
        own key, until when it counts (milliseconds since the epoch). Raises `NotFound` when that
        key may not be used now."""

    def keeps_versions(self, access: Access) -> bool:
        """Whether a setting of the service needs its versions (`SettingKind.needs_versions`)."""

    def set_versioning(self, access: Access, state: Versioning) -> None:
        """As `Access.set_versioning`. Raises `Conflict` where versions are to be suspended that a
        setting needs."""

    def setting(self, access: Access, kind: SettingKind[T]) -> Setting[T] | None:
        """A setting of the service, parsed; None when it has none. Needs `kind.read`."""

    def obeyed(self, access: Access, kind: SettingKind[T]) -> T | None:
        """What a setting says, for who obeys it: whoever asks for something is not asked
        whether they may look. Raises `Unavailable` when it cannot be read."""

    def having(self, kind: SettingKind[Any]) -> Sequence[str]:
        """The services that have such a setting, by sid, for what runs behind the requests."""

    def set_setting(
        self,
        access: Access,
        kind: SettingKind[T],
        wanted: Parsed[T],
        *,
        since: int | None = None,
    ) -> Setting[T]:
        """Raises `Conflict` when the configuration says it, and what `kind.fits` raises. Needs
        `kind.write`. `since`: the version that it is to replace, 0 for none; `Conflict` when it
        is another by now."""

    def remove_setting(
        self, access: Access, kind: SettingKind[Any], *, since: int | None = None
    ) -> bool:
        """Whether it was there. Raises `Conflict` likewise. Needs `kind.remove`."""


class Mode(Protocol):
    """One API. `claims` says by header or query that a request is this mode's."""

    name: str

    def claims(self, environ: dict[str, Any], /) -> bool: ...

    def app(self, gateway: Gateway) -> WSGIApp: ...


class Page(NamedTuple):
    """A document that a mode brings, below `/-/…` on the gateway's own listeners."""

    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    status: str = "200 OK"


@runtime_checkable
class AtPaths(Protocol):
    """A mode that has paths on the gateway's own names, besides its bindings: each with all that
    is below it ("/" alone without). It is asked there, before all others, and only there,
    whether it claims a request; the path is then in SCRIPT_NAME, as a binding's prefix is."""

    paths: tuple[str, ...]
    """Without a slash at their ends."""


@runtime_checkable
class Documented(Protocol):
    """A mode that brings pages of its own: asked for by ability, as stores are."""

    def pages(self) -> Mapping[str, Callable[[], Page]]:
        """By path. Each is made when it is asked for."""


@runtime_checkable
class Configuring(Protocol):
    """A mode that owns kinds of settings of services. They count whether it answers requests
    or not: what they say of who may do what holds through every mode."""

    def kinds(self) -> Collection[SettingKind[Any]]: ...


@runtime_checkable
class OfOneService(Protocol):
    """A mode that answers about one service, which its bindings name (`Binding.service`). A
    binding to any other mode names none."""

    one_service: Literal[True]


@runtime_checkable
class OfNamedService(OfOneService, Protocol):
    """One that has no other way to know which: each of its bindings has to name it, and nothing
    comes to it but by a binding."""

    needs_service: Literal[True]


@runtime_checkable
class HavingOptions(Protocol):
    """A mode whose bindings have options of their own, as drivers have: they are the fields of
    that dataclass, and each binding has one of it (`Binding.options`). All have defaults."""

    binding_options: type[Any]


@runtime_checkable
class CountedApart(Protocol):
    """Options of a binding by which reports count its requests under a name of their own."""

    @property
    def counted_as(self) -> str:
        """ "": under that of its service."""


@runtime_checkable
class HavingReports(Protocol):
    """A mode whose clients are told what was served: where it is on, reports are kept, whether the
    configuration has a table `[reports]` or not."""

    keeps_reports: Literal[True]


@runtime_checkable
class HavingTable(Protocol):
    """A mode that is configured by a table of its own, called as the mode is: its options are the
    fields of that dataclass. Without the table it is off: it gets no request, no document of its
    own is shown, and no binding may lead to it. With it, `Gateway.tables` has the dataclass. What
    its kinds of settings say counts either way (see `Configuring`)."""

    table: type[Any]


@runtime_checkable
class Cautioning(Protocol):
    """A mode that has something to tell of its table, before others find out, whoever runs the
    gateway."""

    def cautions(self, table: Any) -> Iterable[str]:
        """A sentence each, of that table (None: it has none)."""


@runtime_checkable
class Asking(Protocol):
    """A mode of which some options of a binding ask for what not every service can do."""

    def refused(self, options: Any, can: Callable[[type], bool]) -> Iterable[tuple[str, str]]:
        """(option, why it has no effect) of these options; `can` says whether the service has a
        capability."""


@runtime_checkable
class AskingFacts(Protocol):
    """A mode of which some options of a binding ask for facts that not every gateway knows."""

    def facts_asked(self, options: Any) -> Iterable[tuple[str, str]]:
        """(option, fact) of these options. Facts are called as in `access.rule_conditions`."""


@runtime_checkable
class Explains(Protocol):
    """A mode that has something to tell whoever runs the gateway of each of its bindings."""

    def told(self, service: str, options: Any) -> str:
        """One sentence, of a binding to that service with these options."""


@runtime_checkable
class Named(Protocol):
    """A mode that knows the names by which its requests' records call their operations."""

    def operations(self) -> Collection[str]: ...
