"""What the catalog gives: keys, services, certificates and entries as its rows say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import Row

from gateway.access.grants import Grant
from gateway.access.identity import KeyAccess
from gateway.storage import Secret

OrderState = Literal["waiting", "ordering", "issued", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """A key without its secret. `number` is never another key's, and 0 while it could not be
    given one; `user_name` is the name of its account. One that is not `active` is switched off,
    or `revoked`, which is for good. `declared` says by what it is declared, or is "";
    `set_aside`: it does not count while the environment gives the root key."""

    id: str
    account: str
    access: KeyAccess
    number: int = 0
    user_name: str = ""
    manages: bool = False
    active: bool = True
    revoked: bool = False
    created: int = 0
    description: str = ""
    declared: str = ""
    set_aside: bool = False


class MadeKey(NamedTuple):
    """The only answer that has the secret."""

    info: KeyInfo
    secret: Secret


class PresignedUrl(NamedTuple):
    """A URL that was made for others, without its signature. `id` is that of the entry; times
    are in milliseconds since the epoch."""

    id: int
    bucket: str
    key: str
    method: str
    access_key: str
    created: int
    expires: int


class AuditEntry(NamedTuple):
    """`key` and `account`: who, `client`: from where, `mode`: by which door, `request`: its id;
    all "" where there is none. `subject` is what was changed, `detail` to what. `time` is in
    milliseconds since the epoch; a later entry has a higher `id`."""

    id: int
    time: int
    key: str
    account: str
    client: str
    mode: str
    request: str
    action: str
    subject: str
    detail: Mapping[str, Any]


class StoreRow(NamedTuple):
    """The store of a service that is no bucket. `revision` is another after each change;
    `sealed` are its options (see `gateway.catalog.stores`). `part_of`: with what it is made,
    changed and removed, as in "zone 5"; "" where it is by itself."""

    driver: str
    name: str
    revision: int
    sealed: bytes
    part_of: str = ""


class Within(NamedTuple):
    """A volume, and what a bucket is called in it; both "" where it is in none."""

    volume: str = ""
    bucket: str = ""


NOWHERE = Within()


class VolumeRow(NamedTuple):
    """See `gateway.modes.volumes.VolumeInfo`. `declared`: it is one of the configuration;
    `revision` is higher than that of any that was changed before."""

    name: str
    owner: str
    user: str = ""
    quota: int | None = None
    created: int = 0
    created_by: str = ""
    declared: bool = False
    revision: int = 0


class ServiceRow(NamedTuple):
    """`id` is never used again, also when another service gets the same sid. `store` is None
    for a bucket."""

    id: int
    sid: str
    owner: str
    created: int
    grants: tuple[Grant, ...]
    store: StoreRow | None = None
    within: Within = NOWHERE


class ZoneRow(NamedTuple):
    """`document` is whole, with what is secret. `active`: it is served. `reuses` and `storage`
    are the numbers of those that it names. Times are in milliseconds since the epoch. A worker
    that serves the stores of `revision` serves the zone so."""

    number: int
    account: str
    document: Mapping[str, Any]
    active: bool
    reuses: int | None
    storage: int | None
    created: int
    changed: int
    revision: int


class CertificateRow(NamedTuple):
    """`hosts` are the names that it is for, in lower case; `chain` is PEM, `sealed` its key
    (see `gateway.catalog.secrets`). Times are in milliseconds since the epoch; `revision` is
    higher than that of any that was changed before."""

    name: str
    hosts: tuple[str, ...]
    chain: str
    sealed: bytes
    expires: int
    created: int
    changed: int
    revision: int


class UploadedRow(NamedTuple):
    """A certificate that an account has brought. `number` is never another's; `fingerprint` is
    the SHA-1 of its bytes, in hex; `name` is what the catalog calls it."""

    number: int
    name: str
    account: str
    fingerprint: str
    hosts: tuple[str, ...]
    expires: int


class StorageRow(NamedTuple):
    """Files of an account: `sid` is the service that has them, `key` the id of the key that reaches
    that and nothing else, and `secret` the key's, None where it is not active."""

    number: int
    account: str
    sid: str
    region: str
    key: str
    created: int
    secret: Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order of a certificate for `host`, and what comes of it. `wanted`: somebody asks for it;
    `declared`: the configuration does. While one is under way, `url` is where it is at the
    authority of `directory`, since `begun`, and `sealed` the key of the certificate; else "" and
    None. `due` is when the next step is to be taken, also the next try and the renewal; `look`:
    when the authority is asked for a better time. `tries` are when orders were begun lately,
    `failures` how many have failed in a row; `problem` and its `code` are the authority's words.
    `expires` is that of the certificate that there is. Times are in milliseconds since the
    epoch."""

    host: str
    wanted: bool = False
    declared: bool = False
    state: OrderState = "waiting"
    problem: str = ""
    code: str = ""
    directory: str = ""
    url: str = ""
    sealed: bytes | None = None
    begun: int = 0
    due: int = 0
    look: int = 0
    failures: int = 0
    tries: tuple[int, ...] = ()
    expires: int | None = None

    @property
    def asked_for(self) -> bool:
        return self.wanted or self.declared


class Challenge(NamedTuple):
    """What is answered at `token` to who asks for `host`; `told`: the authority knows that it
    may look."""

    host: str
    token: str
    answer: str
    told: bool


class PurgeJobRow(NamedTuple):
    """See `gateway.modes.purge_jobs.PurgeJob`. `sid` is the cache; `host` and `paths` together
    name the files: all, or the first of them where there are `files` and that was not asked."""

    number: int
    id: str
    account: str
    zone: int
    sid: str
    host: str
    status: str
    problem: str
    soft: bool
    files: int
    paths: tuple[str, ...]
    prefixes: tuple[str, ...]
    tags: tuple[str, ...]
    created: int


class EncryptionKey(NamedTuple):
    """`versions` are its secrets, the oldest first: version n is at n - 1."""

    name: str
    active: bool
    versions: tuple[Secret, ...]


class EncryptionKeyInfo(NamedTuple):
    """A key without its secrets. Times are in milliseconds since the epoch."""

    name: str
    active: bool
    default: bool
    versions: int
    created: int
    rotated: int


def service_row(row: Row[Any]) -> ServiceRow:
    grants = tuple(Grant(*one) for one in row.grants)
    store = row.driver and StoreRow(row.driver, row.name, row.revision, row.sealed, row.whole or "")
    within = NOWHERE if row.volume is None else Within(row.volume, row.bucket)
    return ServiceRow(row.id, row.sid, row.owner, row.created, grants, store, within)


def certificate_row(row: Row[Any]) -> CertificateRow:
    return CertificateRow(
        name=row.name,
        hosts=tuple(row.hosts),
        chain=row.chain,
        sealed=row.sealed,
        expires=row.expires,
        created=row.created,
        changed=row.changed,
        revision=row.revision,
    )


ORDERED = "acme/"
"""How certificates are called that an authority gave: no other name has a slash."""


def certificate_name(host: str) -> str:
    """That of the one that is ordered for this name."""
    return f"{ORDERED}{host}"


def order_row(row: Row[Any]) -> OrderRow:
    values = dict(row._mapping)
    for name in ("certificate", "changed"):
        del values[name]
    values["tries"] = tuple(values["tries"])
    return OrderRow(**values)


def grants_value(grants: Sequence[Grant]) -> list[list[str]]:
    return [list(one) for one in grants]
