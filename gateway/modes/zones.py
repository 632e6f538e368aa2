"""Zones, as modes see and change them: a name on the net, an origin, and a cache between them.

A zone is made of a service that is a cache, one that asks its origin, and a public binding for
each of its names; all of these are made, changed and removed with it, in one commit. Who may is
asked in each method, first: another account's zone is `NotFound`, as if it were not there.

What is asked for is a document, as the interface that zones come from has it (specification:
cdn): `upstream` or `storage_id`, `object_size`, `custom_domains`, and so on. Here texts may be
lists or have commas, and numbers be texts, as forms have them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal, Protocol

from gateway.access.identity import Identity
from gateway.storage.options import AtLeast, OneOrMany, Size

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LONGEST = 180
"""Characters: a zone's label and a dot come before it, and a name has 253."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneOptions:
    """Of the table of a mode that has zones.

    `suffix`: the domain below which zones have their names; whoever runs the gateway leads all
        names below it here (`*.cdn.example.com`).
    `allow`: networks beyond the public one in which zones may have their origins.
    `max_zones`: that an account may have.
    `cache_size`: of all that the cache of one zone keeps.
    `hash_refused`: the status of an answer to who has no good link, where a zone's are signed.
    """

    suffix: str
    allow: Annotated[tuple[IPv4Network | IPv6Network, ...], OneOrMany] = ()
    max_zones: Annotated[int, AtLeast(0)] = 512
    cache_size: Annotated[int, Size, AtLeast(1)] = 10 << 30
    hash_refused: Literal[403, 405] = 403

    def __post_init__(self) -> None:
        if len(self.suffix) > _LONGEST or not re.fullmatch(DOMAIN, self.suffix):
            raise ValueError(
                f'suffix: "{self.suffix}" is no domain: small letters, digits, hyphens and dots,'
                ' such as "cdn.example.com"'
            )


HELPERS: Mapping[str, tuple[str, ...]] = {
    "enable": (),
    "disable": (),
    "clear_security_token": ("hash_secret", "hash_algorithm", "hash_ttl", "limit_rate_security"),
    "clear_geo_filters": ("geo_filter_allow", "geo_filter_deny"),
    "clear_limit_rates": ("limit_rate_global", "limit_rate_security"),
    "clear_origins_auth": ("upstream.auth",),
    "clear_referers": ("referers",),
    "clear_referer_filter_rules": ("referers",),
    "clear_custom_domains": ("custom_domains",),
    "clear_origins_header": ("upstream.host_header",),
    "clear_reuse_cache": ("cache_reuse_from",),
}
"""What a change may be helped with, and which parts of the document are then as in one that does
not say them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneInfo:
    """`cdn_domain` is its own name, beside `custom_domains`. `sid` is the cache that its requests
    are answered by, which may be another zone's; `counted_as` what reports call it. `document` has
    each member, those that say nothing too; of the origin's secrets none. `active`: it is served.
    `ready`: every worker serves it as it is here. Times are in milliseconds since the epoch."""

    number: int
    account: str
    cdn_domain: str
    custom_domains: tuple[str, ...]
    sid: str
    counted_as: str
    document: Mapping[str, Any]
    active: bool
    storage: int | None
    created: int
    changed: int
    ready: bool


class Zones(Protocol):
    """`Gateway.zones`. Every answer is current in every worker; what was changed is served by
    this one when it is acknowledged, and by the others within a second (`ZoneInfo.ready`).

    All raise `Unsupported` where none are `offered`, and `Forbidden` for who acts for no
    account."""

    offered: bool
    """Whether a mode that is on has zones (`ZoneOptions`)."""

    def make(self, identity: Identity, document: Mapping[str, Any]) -> ZoneInfo:
        """Of the identity's account. Raises `InvalidRequest` with all that is wrong."""

    def replace(self, identity: Identity, number: int, document: Mapping[str, Any]) -> ZoneInfo:
        """What is not in the document is as if it had never been said; but the zone stays enabled
        or disabled, its `object_size` is as it was made, and its cache keeps what it has."""

    def patch(
        self,
        identity: Identity,
        number: int,
        changes: Mapping[str, Any],
        helpers: Collection[str] = (),
    ) -> ZoneInfo:
        """What is not in the changes stays; the `HELPERS` come before these."""

    def drop(self, identity: Identity, number: int) -> None:
        """With all that its cache has. Raises `Conflict` while another zone uses that."""

    def find(self, identity: Identity, number: int) -> ZoneInfo: ...

    def list(
        self,
        identity: Identity,
        *,
        every: bool = False,
        after: int = 0,
        limit: int | None = None,
    ) -> Sequence[ZoneInfo]:
        """Those of the identity's account, by number, above `after`; `every`: all, for who
        manages everything, else `Forbidden`."""

    def count(self, identity: Identity) -> int:
        """How many these are."""

    def is_certified(self, zone: ZoneInfo) -> bool:
        """Whether there is a certificate for one of its domains."""

    def settle(self) -> None:
        """Have all zones be as the table says now (`ZoneOptions`), where that was another when
        they were made: for what runs behind the requests. It costs a look where it was not."""
