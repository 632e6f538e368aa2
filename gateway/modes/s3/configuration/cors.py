"""Which pages of other origins may use a bucket.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html

May surprise: `*` stands for any origin, and the answer says `*` then; in every other origin it
stands for any text, and the answer says the origin that asked. Origins count with their case,
headers without.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from gateway.access.pattern_index import PatternIndex
from gateway.access.patterns import literal
from gateway.access.settings import SettingKind
from gateway.common.xml import document as written
from gateway.common.xml import element, optional
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.setting import BucketSetting, of_text
from gateway.modes.s3.problems import S3Problem, malformed
from gateway.web.http_fields import is_token

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LIMIT = 64 << 10
"""Bytes of a document."""

METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
MOST_RULES = 100
LONGEST_ID = 255
_ANY = "*"
_NUMBER = re.compile(r"-?[0-9]{1,10}")


@dataclass(frozen=True, kw_only=True)
class CorsRule:
    """Patterns as they came, each with one `*` at most; `max_age` in seconds, "" for none. Who
    asks is looked up among them: anybody may ask, and for as many headers as a head holds."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: str = ""
    id: str = ""

    def origin(self, asked: str) -> str | None:
        """The origin that the answer says; None for one that may not."""
        if self._by_origin.find(asked):
            return asked
        return _ANY if _ANY in self.origins else None

    def lets(self, method: str, headers: Iterable[str]) -> bool:
        """`headers` in lower case."""
        return method in self.methods and all(map(self._by_header.find, headers))

    @cached_property
    def _by_origin(self) -> PatternIndex:
        """Those before the one that is for any: behind it none counts."""
        return _index(takewhile(_ANY.__ne__, self.origins))

    @cached_property
    def _by_header(self) -> PatternIndex:
        return _index(map(str.lower, self.headers))


class Match(NamedTuple):
    rule: CorsRule
    origin: str


def match(
    rules: Iterable[CorsRule], origin: str, method: str, headers: Collection[str]
) -> Match | None:
    """The first rule that lets that origin do so, with what it says to whom."""
    for rule in rules:
        found = rule.origin(origin)
        if found is not None and rule.lets(method, headers):
            return Match(rule, found)
    return None


def _index(patterns: Iterable[str]) -> PatternIndex:
    """Only the `*` stands for something in them."""
    return PatternIndex((_ANY.join(map(literal, one.split(_ANY))), 0) for one in patterns)


def _parse(data: bytes) -> tuple[CorsRule, ...]:
    root = wire.parse(data, "CORSConfiguration")
    rules = tuple(_rule(one) for one in root)
    if not rules:
        raise malformed("CORSConfiguration needs a CORSRule.")
    if len(rules) > MOST_RULES:
        raise S3Problem(
            "InvalidRequest",
            f"The number of CORS rules should not exceed allowed limit of {MOST_RULES} rules.",
        )
    return rules


def _rule(node: Element) -> CorsRule:
    origins, methods = _texts(node, "AllowedOrigin"), _texts(node, "AllowedMethod")
    if not origins or not methods:
        raise malformed("A CORSRule needs an AllowedOrigin and an AllowedMethod.")
    for method in methods:
        if method not in METHODS:
            raise _refused(
                "Found unsupported HTTP method in CORS config. Unsupported method is " + method
            )
    for origin in origins:
        _one_wildcard("AllowedOrigin", origin)
    headers, exposed = _texts(node, "AllowedHeader"), _texts(node, "ExposeHeader")
    for name in headers:
        _one_wildcard("AllowedHeader", name)
    for name in exposed:
        if _ANY in name:
            raise _refused(
                f'ExposeHeader "{name}" contains wildcard. We currently do not support wildcard'
                " for ExposeHeader."
            )
    for kind, names in (("AllowedHeader", headers), ("ExposeHeader", exposed)):
        for name in names:
            if not is_token(name):
                raise _refused(f'{kind} "{name}" contains invalid character.')
    rule_id, max_age = wire.word_of(node, "ID"), wire.word_of(node, "MaxAgeSeconds")
    if max_age and not _NUMBER.fullmatch(max_age):
        raise malformed(f"MaxAgeSeconds has to be a number, not {max_age!r}.")
    if len(rule_id) > LONGEST_ID:
        raise S3Problem("InvalidArgument", "The ID of a CORS rule is too long.", ArgumentName="ID")
    return CorsRule(
        origins=origins,
        methods=methods,
        headers=headers,
        exposed=exposed,
        max_age=max_age,
        id=rule_id,
    )


def _texts(node: Element, name: str) -> tuple[str, ...]:
    return tuple((one.text or "").strip() for one in wire.children(node, name))


def _one_wildcard(kind: str, text: str) -> None:
    if text.count(_ANY) > 1:
        raise _refused(f'{kind} "{text}" can not have more than one wildcard.')


def _refused(message: str) -> S3Problem:
    return S3Problem("InvalidRequest", message)


def _render(rules: Iterable[CorsRule]) -> bytes:
    return written(
        "CORSConfiguration",
        *(f"<CORSRule>{''.join(_written(one))}</CORSRule>" for one in rules),
    )


def _written(rule: CorsRule) -> Iterator[str]:
    yield optional("ID", rule.id)
    for name, texts in (
        ("AllowedHeader", rule.headers),
        ("AllowedMethod", rule.methods),
        ("AllowedOrigin", rule.origins),
        ("ExposeHeader", rule.exposed),
    ):
        yield from (element(name, text) for text in texts)
    yield optional("MaxAgeSeconds", rule.max_age)


_EXAMPLE = """\
<CORSConfiguration>
 <CORSRule>
  <AllowedOrigin>https://www.example.com</AllowedOrigin>
  <AllowedMethod>GET</AllowedMethod>
 </CORSRule>
</CORSConfiguration>
"""


SETTING: BucketSetting[tuple[CorsRule, ...]] = BucketSetting(
    SettingKind(
        name="cors",
        read="read-cors",
        write="write-cors",
        remove="write-cors",
        parse=of_text(_parse),
        example=_EXAMPLE,
    ),
    _render,
    "NoSuchCORSConfiguration",
)
