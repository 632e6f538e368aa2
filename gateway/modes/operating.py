"""What a mode sees and changes of the gateway itself: services of any driver, doors, and what runs
behind the requests.

It is for who manages the gateway (`Gateway.operator`), and does what the command line does, by
the same functions: a change counts in this process when it is acknowledged, and in every other
one within a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from gateway.access.identity import ROOT_ACCOUNT, Credential, KeyAccess
from gateway.storage import Secret, Stats

ServiceOrigin = Literal["declared", "added", "bucket"]
"""A service of the configuration; one of the catalog with a driver of its own; one that was made
through an API."""

ServiceState = Literal["open", "waiting", "resting", "failing"]
"""Of a service in this process. `waiting`: it is opened soon, or when it is asked for; `resting`:
when it is asked for, and not before."""


class Trouble(NamedTuple):
    """What is wrong with what was given: `place` is that of the option, as a file's notation has
    it (`services.thumbs.max_size`)."""

    place: str
    message: str


class NotAccepted(Exception):
    """What was given cannot be: all that is wrong with it."""

    def __init__(self, troubles: Iterable[Trouble]) -> None:
        self.troubles = tuple(troubles)
        super().__init__("\n".join(": ".join(filter(None, one)) for one in self.troubles))


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionInfo:
    """An option of a driver or of a mode's bindings. `kind` says in words what may be written,
    `choices` which words, where there are no others; `default` is as it would be written, "" for
    none. `secret`: it is never shown. `link`: it is the id of another service. `about` says what
    it is for, "" where nobody has said so."""

    name: str
    kind: str
    default: str = ""
    required: bool = False
    secret: bool = False
    link: bool = False
    choices: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverInfo:
    """`layer`: it stands in front of another service. What is not `shared` lives in one process:
    it is added only to a gateway that was started as one."""

    name: str
    about: str
    plugin: str
    layer: bool
    capabilities: tuple[str, ...]
    options: tuple[OptionInfo, ...]
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeInfo:
    """`one_service`: its bindings name the service that they are about, or may; `needs_service`:
    they have to."""

    name: str
    one_service: bool
    needs_service: bool
    options: tuple[OptionInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """`declared` is the place in the configuration; `created` in milliseconds since the epoch.
    `links` are the services that it stands in front of. `part_of` says with what it is changed and
    removed, as in "zone 5"; "" where it is by itself. `volume` is the one that it is in, and
    `bucket` what it is called there; both "" where it is in none. `trouble` says what is wrong
    with it, "" where nothing is, or nobody knows. `stats`: None where nobody counts."""

    sid: str
    driver: str
    owner: str
    origin: ServiceOrigin
    name: str = ""
    declared: str = ""
    created: int = 0
    links: tuple[str, ...] = ()
    part_of: str = ""
    volume: str = ""
    bucket: str = ""
    state: ServiceState = "open"
    trouble: str = ""
    stats: Stats | None = None


class ServicePage(NamedTuple):
    """`next` is what to ask for those after, None at the end."""

    items: Sequence[ServiceInfo]
    next: str | None


class Given(NamedTuple):
    """An option as it would be written. `text` is "" of a secret."""

    name: str
    text: str
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDetails:
    """`options` are those that were given, without secrets; `capabilities` what its driver can do,
    or hand through, by name; `needed_by` the services and bindings without which it could be
    removed; `settings` its documents by kind; `grants` are (grantee, permission)."""

    info: ServiceInfo
    options: tuple[Given, ...]
    capabilities: tuple[str, ...]
    needed_by: tuple[str, ...]
    settings: Mapping[str, str]
    grants: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingInfo:
    """A door. `options` are those of its mode that are not as by default. `declared` is its place
    in the configuration; "" when it was added. `part_of`: as in `ServiceInfo`. `notes` are for
    whoever runs the gateway."""

    host: str
    port: int
    prefix: str
    mode: str
    service: str
    options: tuple[Given, ...]
    declared: str = ""
    part_of: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """By which requests: "img.example.com", ":8080/images"."""
        return f"{self.host}{f':{self.port}' if self.port else ''}{self.prefix}"


class CertificateInfo(NamedTuple):
    """`name` is that of the catalog, or the file of one that is declared. `expires` is in
    milliseconds since the epoch, None when it cannot be read."""

    name: str
    hosts: tuple[str, ...]
    expires: int | None
    declared: bool


class AuditInfo(Protocol):
    """What was changed. `key` and `account`: by whom, `client`: from where, `mode`: by which door,
    `request`: its id; all "" where there is none. `subject` is what was changed, `detail` to
    what, without secrets. `time` is in milliseconds since the epoch; a later entry has a higher
    `id`."""

    @property
    def id(self) -> int: ...
    @property
    def time(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def request(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def detail(self) -> Mapping[str, Any]: ...


class JobRun(Protocol):
    """The last run of a job. Times are in milliseconds since the epoch; `ended` None: it is under
    way. `done` of `total` is how far it is, where it tells."""

    @property
    def begun(self) -> int: ...
    @property
    def ended(self) -> int | None: ...
    @property
    def result(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def done(self) -> int | None: ...
    @property
    def total(self) -> int | None: ...


class JobInfo(Protocol):
    """`interval` is in seconds; `next` when it is to run."""

    @property
    def name(self) -> str: ...
    @property
    def interval(self) -> float: ...
    @property
    def last(self) -> JobRun | None: ...
    @property
    def next(self) -> int: ...


class FollowerInfo(Protocol):
    """`done` is the last sync id that it has handled, `lag` how many changes it has not, `since`
    when the oldest of these was made; `error`: what it failed by, `failures` times in a row, and
    `retry` when it tries again. Times are in milliseconds since the epoch."""

    @property
    def name(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def lag(self) -> int: ...
    @property
    def since(self) -> int | None: ...
    @property
    def failures(self) -> int: ...
    @property
    def error(self) -> str: ...
    @property
    def retry(self) -> int | None: ...


class ReplicaInfo(NamedTuple):
    """A service that follows one elsewhere. `progress` is None when it has not begun."""

    sid: str
    follows: str
    progress: FollowerInfo | None


class Section(NamedTuple):
    """A table of the configuration."""

    name: str
    options: tuple[Given, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayInfo:
    """What is configured, and what runs. `file`: "" when there is none. `unsafe` are sentences,
    each about what an operator should know before others find out; `missing`, about what does
    not run. `versions` are (what, which)."""

    file: str
    sections: tuple[Section, ...]
    unsafe: tuple[str, ...]
    missing: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]


class CredentialInfo(Protocol):
    """A key without its secret. `number` is never another key's; `user_name` is the name of its
    account. One that is not `active` proves nothing until it is again, nor does one that is
    `set_aside` while the environment gives the root key. `declared` says by what it is declared,
    or is ""."""

    @property
    def number(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def user_name(self) -> str: ...
    @property
    def access(self) -> KeyAccess: ...
    @property
    def manages(self) -> bool: ...
    @property
    def active(self) -> bool: ...
    @property
    def created(self) -> int: ...
    @property
    def description(self) -> str: ...
    @property
    def declared(self) -> str: ...
    @property
    def set_aside(self) -> bool: ...


class MadeCredential(Protocol):
    """The only answer that has the secret."""

    @property
    def info(self) -> CredentialInfo: ...
    @property
    def secret(self) -> Secret: ...


class PresignedInfo(Protocol):
    """A URL that was made for others, without its signature. Times are in milliseconds since the
    epoch."""

    @property
    def id(self) -> int: ...
    @property
    def bucket(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def access_key(self) -> str: ...
    @property
    def created(self) -> int: ...
    @property
    def expires(self) -> int: ...


class Operator(Protocol):
    """What one identity may of it. All raise `StorageError`; what changes something raises
    `NotAccepted`, too. Who manages an account has of this its keys and their URLs, and is refused
    the rest."""

    # keys

    def credentials(
        self, after: int = 0, limit: int = 1000, text: str = ""
    ) -> Sequence[CredentialInfo]:
        """By number, those above `after`, that have `text` in id, user or description."""

    def count_credentials(self) -> int: ...

    def credential(self, number: int) -> CredentialInfo: ...

    def add_credential(
        self,
        *,
        user_name: str = "",
        access_key: str = "",
        secret_key: Secret | None = None,
        access: KeyAccess | None = None,
        manages: bool = False,
        description: str = "",
    ) -> MadeCredential:
        """A key of the user of that name, who is made when there is none; without a name of one
        that is called as the key, or of the account that is managed. `access`: None is that of
        an owner, or as much as one has. What is not given is made."""

    def change_credential(
        self,
        number: int,
        *,
        user_name: str | None = None,
        active: bool | None = None,
        access: KeyAccess | None = None,
        manages: bool | None = None,
        description: str | None = None,
    ) -> CredentialInfo:
        """What is None stays; `user_name` is what its account is called from now on, as who
        manages everything says."""

    def rotate_credential(self, number: int) -> MadeCredential:
        """Another secret, in place of the one that it had."""

    def may_give(self, access: KeyAccess) -> bool:
        """Whether that is no more than it has itself: only such keys are made and changed."""

    def remove_credential(self, number: int) -> None:
        """Raises `Conflict` when its account owns buckets that nobody could reach then."""

    # URLs that carry their own signature

    def signing(self, access_key: str) -> Credential:
        """That key with its secret, to sign for others by it. Raises `NotFound` where it is not
        active."""

    def presigned(self, after: int = 0, limit: int = 1000) -> Sequence[PresignedInfo]:
        """By id, those above `after` that are not over."""

    def count_presigned(self) -> int: ...

    # services

    def services(self, after: str = "", limit: int = 100, text: str = "") -> ServicePage:
        """By id, those that have `text` in it: declared ones, added ones and buckets."""

    def service(self, sid: str) -> ServiceDetails: ...

    def chain(self, sid: str = "") -> Sequence[ServiceInfo]:
        """With all that it stands in front of, and all that stand in front of it, directly or
        not; without sizes. "": all of which one stands in front of another."""

    def drivers(self) -> Sequence[DriverInfo]:
        """By name."""

    def written(self, driver: str, typed: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Options of a driver that somebody typed as texts, as a file has them."""

    def add_service(
        self,
        sid: str,
        driver: str,
        options: Mapping[str, Any],
        *,
        name: str = "",
        account: str = ROOT_ACCOUNT,
    ) -> str:
        """`options` as a file has them, links too; secrets as they are, for no variable and no
        file of them is read here. Who owned the one of that id that was removed before, whose
        objects may be there still; "" for nobody else."""

    def change_service(
        self,
        sid: str,
        options: Mapping[str, Any],
        *,
        unset: Iterable[str] = (),
        name: str | None = None,
    ) -> None:
        """Give it these options besides those that it has, and take `unset` away."""

    def remove_service(self, sid: str) -> None:
        """What it stores stays. Raises `Conflict` when something needs it."""

    # doors

    def bindings(self) -> Sequence[BindingInfo]:
        """Declared ones first."""

    def modes(self) -> Sequence[ModeInfo]:
        """Those that a binding may lead to, by name."""

    def written_binding(self, mode: str, typed: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Options of a mode's bindings that somebody typed as texts, as a file has them."""

    def add_binding(self, table: Mapping[str, Any]) -> BindingInfo:
        """One of `[[bindings]]`, as a file has it."""

    def remove_binding(self, host: str, port: int, prefix: str) -> None:
        """That of the catalog with these three; "" and 0 for what it does not say."""

    def certificates(self) -> Sequence[CertificateInfo]:
        """Declared ones first."""

    # what runs, and what was done

    def audit(
        self,
        before: int | None = None,
        limit: int = 100,
        *,
        since: int = 0,
        actor: str = "",
        action: str = "",
        subject: str = "",
    ) -> Sequence[AuditInfo]:
        """The newest first, those with a lower id than `before`. `since`: milliseconds since the
        epoch; `actor`: a key, an account or an address; `action`: one, or what several begin
        with up to their dot; `subject`: what it begins with."""

    def jobs(self) -> Sequence[JobInfo]: ...

    def followers(self) -> Sequence[FollowerInfo]: ...

    def replicas(self) -> Sequence[ReplicaInfo]: ...

    def about(self) -> GatewayInfo: ...
