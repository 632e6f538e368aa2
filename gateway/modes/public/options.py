"""What a binding of this mode may say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from gateway.access.evaluation import Compiled
from gateway.common.ids import ID, ID_RULE
from gateway.modes.public import error_pages, filters
from gateway.modes.public.signed_links import SignedLinks
from gateway.storage.options import Duration, OneOrMany, Size
from gateway.web.rates import SLOWEST, Rate, bytes_of

_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[!-.0-~]+")
_LONGEST = 100 * 365 * 86_400
"""Seconds: what is longer, some clients take for nothing (RFC 9111 §1.2.2 has 2 ** 31)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicOptions:
    """How a service is shown to everybody.

    `index`: the document that a folder has; "" for none. By default `index.html`, and nothing over
        an HTTP origin, which knows itself what is at `/`.
    `error_document`: the key of what is sent in place of an error.
    `listing`: a folder without a document is shown as a list.
    `precompressed`: of `k` its `k.br`, `k.zst` or `k.gz` is sent to who takes that.
    `client_cache_time`: so long browsers may keep what they got; by default as the objects say.
    `cors`: origins whose pages may read answers, or "*".
    `remove_query`: what is behind is asked without it, and a cache keeps one answer for all.
    `append_webp`: browsers that take WebP ask for `webp=1`, of a service that makes pictures.
    `trusted_content`: documents may run what is in them.
    `methods`: with "all" what is no read is passed on to the HTTP origin, where there is one.
    `signed_links`: a table; nobody gets in without a link that was signed with its secret.
    `limit_rate`: bytes a second for each answer ("20k"); "link": as its signed link says.
    `limit_rate_after`: bytes of an answer that come before the limit.
    `referers`: hosts whose pages may lead here, with all below them.
    `referers_deny`: hosts whose pages may not; "none": who says of no page.
    `countries_allow`: whose addresses alone may read (ISO 3166-1 alpha-2).
    `countries_deny`: whose may not.
    `counted_as`: the name that reports have its requests under, in place of the service's.
    `error_pages`: where errors lead, by status: "404:https://www.example.com/lost".
    `closed`: nobody gets in, and its names are nobody else's.

    `guarded`: not everybody who asks gets in. What answers say is remembered by these options
    (`replies`), so what has no effect on that is left out of the hash: it costs at each request.
    """

    index: str | None = None
    error_document: str = ""
    listing: bool = False
    precompressed: bool = False
    client_cache_time: Annotated[float, Duration] | None = None
    cors: Annotated[tuple[str, ...], OneOrMany] = ()
    remove_query: bool = False
    append_webp: bool = False
    trusted_content: bool = False
    methods: Literal["read", "all"] = "read"
    signed_links: SignedLinks | None = field(default=None, hash=False)
    limit_rate: str | int | None = field(default=None, hash=False)
    limit_rate_after: Annotated[int, Size] = field(default=0, hash=False)
    referers: Annotated[tuple[str, ...], OneOrMany] = field(default=(), hash=False)
    referers_deny: Annotated[tuple[str, ...], OneOrMany] = field(default=(), hash=False)
    countries_allow: Annotated[tuple[str, ...], OneOrMany] = field(default=(), hash=False)
    countries_deny: Annotated[tuple[str, ...], OneOrMany] = field(default=(), hash=False)
    filter: Compiled | None = field(init=False, default=None, hash=False, compare=False)
    error_pages: Annotated[tuple[str, ...], OneOrMany] = field(default=(), hash=False)
    pages: Mapping[int, str] = field(init=False, default_factory=dict, hash=False, compare=False)
    counted_as: str = field(default="", hash=False)
    closed: bool = field(default=False, hash=False)
    guarded: bool = field(init=False, default=False, hash=False)
    rate: Rate | None = field(init=False, default=None, hash=False)

    def __post_init__(self) -> None:
        if "/" in (self.index or ""):
            raise ValueError("index: the name of a document, without a slash")
        if self.error_document[:1] == "/":
            raise ValueError("error_document: a key, which does not begin with a slash")
        if not 0 <= (self.client_cache_time or 0) <= _LONGEST:
            raise ValueError("client_cache_time: 0s to 36500d")
        for origin in self.cors:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f'cors: "{origin}" is neither "*" nor as "https://example.com"')
        if self.counted_as and not ID.fullmatch(self.counted_as):
            raise ValueError(f"counted_as: {ID_RULE}")
        object.__setattr__(self, "filter", filters.compiled(self))
        guarded = self.closed or self.signed_links is not None or self.filter is not None
        object.__setattr__(self, "guarded", guarded)
        object.__setattr__(self, "pages", error_pages.parsed(self.error_pages))
        object.__setattr__(self, "rate", self._checked_rate())

    def _checked_rate(self) -> Rate | None:
        links, limit, after = self.signed_links, self.limit_rate, self.limit_rate_after
        if limit == "link":
            if links is None or links.form == "secure_link":
                raise ValueError('limit_rate: "link" needs signed_links, no secure_link')
            return None
        speed = None if limit is None else bytes_of(str(limit))
        if limit is not None and (speed is None or speed < SLOWEST):
            raise ValueError('limit_rate: bytes a second, as "20k" or "1m"; at least 1k; or "link"')
        if speed is None and after:
            raise ValueError("limit_rate_after: without limit_rate it has no effect")
        return None if speed is None else Rate(speed, after)
