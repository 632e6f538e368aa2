"""The gateway as modes see it, from its opening to its end, in the process that serves."""

from __future__ import annotations

import logging
import platform
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Literal

from gateway.access.access import Access
from gateway.access.identity import ANONYMOUS, Account, Identity, Keys
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.sessions import Sessions
from gateway.access.settings import SettingKind
from gateway.catalog import Catalog, open_catalog
from gateway.common.closing import Closing, close_all
from gateway.common.countries import Countries
from gateway.common.x509 import NamedCertificate
from gateway.config import Binding, Configuration
from gateway.modes import Attempts, Configuring, Options, telling
from gateway.modes.account_numbers import AccountNumbers
from gateway.modes.operating import Operator
from gateway.modes.purge_jobs import PurgeJobs
from gateway.modes.reports import Reports
from gateway.modes.storages import Storages
from gateway.modes.uploaded_certificates import UploadedCertificates
from gateway.modes.volumes import Volumes
from gateway.modes.zones import Zones
from gateway.services.account_numbers import GatewayAccountNumbers
from gateway.services.added import AddedServices
from gateway.services.administration import Administration
from gateway.services.attempts import KeptAttempts
from gateway.services.behind import OwnFollowers, OwnJobs
from gateway.services.certificate_feed import CertificateFeed
from gateway.services.chain import Chain
from gateway.services.events import Events
from gateway.services.issuing import carrying_out
from gateway.services.issuing.names import declared_names
from gateway.services.issuing.ordering import OrderedCertificates
from gateway.services.keeping_up import KeepingUp
from gateway.services.kept_reports import KeptReports
from gateway.services.key_service import CatalogKeyService
from gateway.services.lookup import Lookup
from gateway.services.making import NewBucket
from gateway.services.operator import GatewayOperator, ThisProcess
from gateway.services.purge_jobs import GatewayPurgeJobs
from gateway.services.serving import Serving
from gateway.services.settings import ServiceSettings
from gateway.services.storages import GatewayStorages
from gateway.services.telling import Services, Teller
from gateway.services.uploaded_certificates import GatewayUploadedCertificates
from gateway.services.volume_quotas import FollowedVolumes, uncounted
from gateway.services.volumes import GatewayVolumes
from gateway.services.webhooks import Webhook
from gateway.services.zones.zones import GatewayZones
from gateway.storage import (
    Followers,
    Full,
    Jobs,
    Meters,
    NoFollowers,
    NoJobs,
    NoSuchStore,
    StorageError,
    Unavailable,
)
from gateway.storage.objects import now
from gateway.telemetry.line_spool import LineSpool
from gateway.telemetry.record import Record
from gateway.telemetry.report_file import ReportFile
from gateway.telemetry.request_list import RequestList
from gateway.telemetry.traffic import Numbers

log = logging.getLogger("gateway.services")


class Runtime(Administration):
    """Implements `gateway.modes.Gateway`. Open it with `open_runtime`; `close` ends all."""

    def __init__(
        self,
        chain: Chain,
        catalog: Catalog,
        options: Options,
        *,
        clock: Callable[[], int] = now,
        requests: RequestList | None = None,
        lines: LineSpool | None = None,
        service_settings: ServiceSettings | None = None,
        followers: Followers | None = None,
        jobs: Jobs | None = None,
        added: AddedServices | None = None,
        followed_volumes: FollowedVolumes | None = None,
        server: str = "",
        numbers: Callable[[], Numbers] = Numbers,
        reports: ReportFile | None = None,
        note: Callable[[Record], object] = lambda _: None,
    ) -> None:
        super().__init__(
            chain,
            catalog,
            clock,
            service_settings or _settings(chain.configuration, catalog),
            added or AddedServices(chain, catalog, clock),
        )
        self.options = options
        self.tables: Mapping[str, Any] = chain.configuration.mode_tables
        self.keys: Keys = catalog
        self.sessions: Sessions = catalog
        countries = chain.configuration.server.countries
        self._countries = None if countries is None else Countries(countries)
        self._attempts = KeptAttempts(chain.configuration.data, clock)
        self.attempts: Attempts = self._attempts
        own = OwnFollowers(followers or NoFollowers(), chain.behind)
        own_jobs = OwnJobs(jobs or NoJobs(), chain.behind)
        self.followers: Followers = own
        self.jobs: Jobs = own_jobs
        self.before_close: list[Callable[[], object]] = [own.close, own_jobs.close]
        self._observed = (jobs, followers)
        self._notice: Callable[[], object] = lambda: None
        self._bindings: Sequence[Binding] = chain.configuration.bindings
        self.server = server
        self._looks: list[Callable[[], object]] = []
        webhooks = chain.configuration.webhooks.items()
        self.webhooks: Mapping[str, telling.Webhook] = {
            name: Webhook(name, options, clock) for name, options in webhooks
        }
        self.events = Events(chain.configuration, catalog, lambda: self.added.rows)
        self._events = self._teller(self.events)
        self.requests, self._own_requests = requests or RequestList(), requests is None
        self.lines, self._own_lines = lines or LineSpool(), lines is None
        self._numbers, self._note = numbers, note
        self.reports: Reports = KeptReports(reports, self.looked_at, clock)
        self.listening = _listening(chain.configuration)
        self.kinds: Mapping[str, SettingKind[Any]] = chain.configuration.plugins.kinds
        self.offered: Collection[str] = frozenset(_offered(chain.configuration))
        self._offer(chain.configuration)
        self._issue(chain.configuration)
        self._followed_volumes = followed_volumes or FollowedVolumes(chain.volumes, catalog)
        self.stopping = threading.Event()

    def _offer(self, configuration: Configuration) -> None:
        """What accounts have beside services; each asks itself who may."""
        self.volumes: Volumes = GatewayVolumes(self)
        self.storages: Storages = GatewayStorages(self, self.notice, self.listening)
        self.uploaded_certificates: UploadedCertificates = GatewayUploadedCertificates(
            self, self.notice
        )
        self.account_numbers: AccountNumbers = GatewayAccountNumbers(self.catalog)
        self.certificates = OrderedCertificates(self.catalog, configuration.acme, self.clock)
        self.serving = Serving(configuration.data)
        self.zones: Zones = GatewayZones(
            configuration, self.catalog, self.serving, self.notice, self._release
        )
        self.purge_jobs: PurgeJobs = GatewayPurgeJobs(self, self.zones)

    def _issue(self, configuration: Configuration) -> None:
        """Have what is ordered of an authority carried out, where there is one."""
        options = configuration.acme
        if options is None:
            return

        def names() -> frozenset[str]:
            certificates = self.catalog.certificates()[1]
            return declared_names(
                options, configuration, self._bindings, certificates, self.clock()
            )

        who = f"{platform.node()} {configuration.data}"
        job = carrying_out.CarryingOut(self.catalog, options, names, self.clock, who)
        self.jobs.add(carrying_out.JOB, carrying_out.INTERVAL, job.run)
        self.keep_up_with(self.certificates.count)

    def country(self, address: str) -> str | None:
        return None if self._countries is None else self._countries.country(address)

    def _release(self, names: Sequence[str]) -> None:
        if self.certificates.offered:
            self.certificates.release(names)

    def notice(self) -> None:
        """See now, in this process, what was just changed in the catalog. It is changed, whatever
        comes of that: who follows the catalog sees it soon."""
        with suppress(StorageError):
            self._notice()

    def note(self, record: Record) -> None:
        self._note(record)

    def make(self, new: NewBucket) -> None:
        announced = self.chain.configuration.buckets.events
        if announced and self._events.full:
            raise Full("As many buckets as the gateway takes announce their changes already.")
        super().make(new)
        if announced:  # what is acknowledged from now on is told
            self._events.begin(new.sid)

    def operator(self, identity: Identity, facts: Facts = UNKNOWN) -> Operator:
        jobs, followers = self._observed
        process = ThisProcess(
            server=self.server, jobs=jobs, followers=followers, notice=self._notice
        )
        return GatewayOperator(self, identity, facts, process)

    def numbers(self, identity: Identity, facts: Facts = UNKNOWN) -> Numbers:
        found = self._numbers()
        if identity.manages_everything:
            return found
        # Those that were asked for something are fewer than all that there are.
        return found.of({sid for sid in found.services if self._tells(identity, sid, facts)})

    def _tells(self, identity: Identity, sid: str, facts: Facts) -> bool:
        """As of the requests that they are the sums of: who may list a bucket of another
        account need not know how much it is asked for."""
        try:
            return self.looked_at(identity, sid, facts).may("read-requests")
        except (NoSuchStore, Unavailable):
            return False

    def prefix(self, mode: str, host: str, port: str) -> str:
        found = [one for one in self._bindings if one.mode == mode and one.takes(host, port)]
        # The nearest to the host's own, and of these the one that is least deep.
        nearest = max((len(one.host or "") for one in found), default=0)
        prefixes = [one.prefix for one in found if len(one.host or "") == nearest]
        return min(prefixes, key=len, default="").rstrip("/")

    def account(self, account: str) -> Account | None:
        return self.catalog.account(account)

    def account_by_email(self, email: str) -> Account | None:
        return self.catalog.account_by_email(email)

    def tell(self, document: telling.Document) -> None:
        self.keep_up_with(self._teller(document).look)

    def _teller(self, document: telling.Document) -> Teller:
        def access(sid: str) -> Access:  # as in `feed`: it is no request
            return Lookup.access(self, ANONYMOUS, sid)

        return Teller(document, Services(access, self.feed, self.followers, self.webhooks))

    def keep_up_with(self, look: Callable[[], object]) -> None:
        self._looks.append(look)

    def look(self) -> None:
        for look in self._looks:
            look()

    def keep_up(
        self,
        bind: Callable[[Sequence[Binding]], object],
        certify: Callable[[Sequence[NamedCertificate]], object] = lambda _: None,
    ) -> None:
        """Follow the catalog without requests, too, from now on; `bind` gets its bindings, and
        `certify` its certificates."""
        certificates = CertificateFeed(self.catalog, certify)
        looks = (certificates.look, self._events.look, self._followed_volumes.look, *self._looks)

        def noted(added: Sequence[Binding]) -> None:
            self._bindings = (*self.chain.configuration.bindings, *added)
            bind(added)

        keeping_up = KeepingUp(self.catalog.version, self.added, noted, looks, self.serving.note)
        self.before_close.append(self.serving.close)
        keeping_up.notice()
        self._notice = keeping_up.notice
        configuration = self.chain.configuration
        if configuration.data is not None or self._looks or configuration.buckets.events:
            keeping_up.start()
        self.before_close.append(keeping_up.stop)

    def close(self) -> None:
        """May be called twice. What was given stays open."""
        close_all(log, self._ends())

    def _ends(self) -> Iterator[Closing]:
        while self.before_close:
            yield "what runs behind", self.before_close.pop()
        yield "accounts", self.accounts.close
        yield "added services", self.added.close
        yield "services", self.chain.close
        yield "attempts to sign in", self._attempts.close
        yield "the catalog", self.catalog.close
        if self._own_requests:
            yield "the request list", self.requests.close
        if self._own_lines:
            yield "lines that wait", self.lines.stop


def _listening(configuration: Configuration) -> Mapping[str, Sequence[tuple[str, int]]]:
    found = dict[str, list[tuple[str, int]]]()
    for one in configuration.listeners:
        address = one.listener.address
        found.setdefault(one.kind.protocol, []).append((address.host, address.port))
    return found


def _offered(configuration: Configuration) -> Iterator[str]:
    """Kinds of settings by name."""
    for mode in configuration.modes.values():
        if isinstance(mode, Configuring):
            yield from (kind.name for kind in mode.kinds())


def _settings(configuration: Configuration, catalog: Catalog) -> ServiceSettings:
    declared = {sid: one.settings for sid, one in configuration.services.items()}
    return ServiceSettings(catalog, configuration.plugins.kinds.values(), declared)


def _followed_volumes(chain: Chain, catalog: Catalog, *, serves: bool) -> FollowedVolumes:
    """`serves`: it is no command beside a gateway, which leaves it to that to write down what is
    declared, and to set right what was left."""
    followed, configuration = FollowedVolumes(chain.volumes, catalog), chain.configuration
    if serves or configuration.data is None:
        catalog.declare_volumes()
        followed.look_at_all()
        for warning in uncounted(catalog, configuration.volumes):
            log.warning("%s", warning)
    return followed


def open_runtime(
    configuration: Configuration,
    *,
    server: Literal["granian", "waitress"] = "granian",
    jobs: Jobs | None = None,
    meters: Meters | None = None,
    followers: Followers | None = None,
    clock: Callable[[], int] = now,
    environ: Mapping[str, str] | None = None,
    requests: RequestList | None = None,
    lines: LineSpool | None = None,
    threads: int = 0,
    before: Runtime | None = None,
    numbers: Callable[[], Numbers] = Numbers,
    reports: ReportFile | None = None,
    note: Callable[[Record], object] = lambda _: None,
) -> Runtime:
    """Open catalog and chain, in the process that will serve; `server` decides about
    the largest body; `requests` and `lines` are kept in memory unless they are given;
    `threads`: as many serve, if that is known; `before`: the one that this is to follow, which
    serves on until it is closed: what both need is open once; `numbers`: those of all workers
    (see `Metrics`); `reports`: where they are read from, None where none are kept; `note`: see
    `Gateway.note`. Raises `CatalogError` and `ChainError`."""
    chain = Chain(configuration, None if before is None else before.chain)
    catalog = open_catalog(configuration, environ, None if before is None else before.catalog)
    with ExitStack() as begun:  # is ended where what comes next fails
        begun.callback(catalog.close)
        begun.callback(chain.close)
        chain.open(
            folder=configuration.data,
            master_key=catalog.keyring.storage,
            key_service=CatalogKeyService(catalog),
            clock=clock,
            jobs=jobs,
            meters=meters,
            followers=followers,
            threads=threads,
        )
        chain.date(catalog.declared_since(chain.services, configuration.origin.written))
        runtime = Runtime(
            chain,
            catalog,
            configuration.mode_options(server),
            clock=clock,
            requests=requests,
            lines=lines,
            followers=followers,
            jobs=jobs,
            added=AddedServices(chain, catalog, clock, None if before is None else before.added),
            followed_volumes=_followed_volumes(chain, catalog, serves=jobs is not None),
            server=server,
            numbers=numbers,
            reports=reports,
            note=note,
        )
        begun.pop_all()
        begun.callback(runtime.close)
        runtime.added.take_over()
        begun.pop_all()
    runtime.accounts.report()
    return runtime
