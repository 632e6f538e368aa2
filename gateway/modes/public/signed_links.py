"""Links that somebody with the secret has signed: what they open, and until when.

| form | a link says | signed is |
|---|---|---|
| `ucdn` | `cdn_hash`, `cdn_creation_time`; perhaps `cdn_ttl`, `cdn_net`, `cdn_bw`, `cdn_bw_fs`, `cdn_cv_…` | path, secret, and those values, one behind the other |
| `hmac-sha256` | the same | the path and all of the query but `cdn_hash`, as they stand in the link |
| `secure_link` | `md5`, `expires` | an expression, as nginx has it (ngx_http_secure_link_module) |

May surprise: in the form `ucdn` nothing separates one value from the next, so who has a link can
move digits from one to another. A time that has not ten digits is refused; a `cdn_ttl` that took
digits of what is behind it (`cdn_net`, `cdn_bw`) cannot be told from one that is right. Whoever may
choose takes `hmac-sha256`.
"""  # noqa: E501 - a table

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from string import Template
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote

from gateway.modes.public.problems import PublicProblem
from gateway.storage import Secret
from gateway.storage.options import Duration
from gateway.web.request_head import form_decoded, whole_number

_EARLY = 300
"""Seconds by which a clock may be behind that of who makes links."""

_TIME = re.compile("[1-9][0-9]{9}")
_SIGNED = ("cdn_creation_time", "cdn_ttl", "cdn_net", "cdn_bw", "cdn_bw_fs")
_OWN_VALUES = "cdn_cv_"
_LONGEST = 100 * 365 * 86_400
_NGINX = {"secure_link_expires", "uri", "remote_addr", "secret"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedLinks:
    """A binding's option.

    `secret`: who has it makes links.
    `form`: what links look like.
    `algorithm`: of the hash in links of the form `ucdn`.
    `ttl`: for so long a link counts that does not say it itself.
    `expression`: what is signed in the form `secure_link`.
    `refused`: the status of an answer to who has no good link.
    """

    secret: Secret
    form: Literal["ucdn", "hmac-sha256", "secure_link"] = "ucdn"
    algorithm: Literal["md5", "sha1"] = "md5"
    ttl: Annotated[float, Duration] = 3600.0
    expression: str = "$secure_link_expires$uri$remote_addr $secret"
    refused: Literal[403, 405] = 403

    def __post_init__(self) -> None:
        if not 1 <= self.ttl <= _LONGEST:
            raise ValueError("ttl: 1s to 36500d")
        if self.algorithm != "md5" and self.form != "ucdn":
            raise ValueError(f'algorithm: "{self.form}" has its own; leave it out')
        template = Template(self.expression)
        if (
            not template.is_valid()
            or not {"uri", "secret"} <= {*template.get_identifiers()} <= _NGINX
        ):
            names = ", ".join(f"${name}" for name in sorted(_NGINX))
            raise ValueError(f"expression: has $uri and $secret, and of variables only {names}")


class Link(NamedTuple):
    """As it was asked for: `path` whole and decoded, `query` as it came, `address` the client's;
    `now` in seconds."""

    path: str
    query: str
    address: str
    now: int


class Opened(NamedTuple):
    """A good one: `query` is what is left of its own for who answers; `values` what else it says
    of its signed names."""

    query: str
    values: Mapping[str, str]


def opened(links: SignedLinks, link: Link) -> Opened:
    """Raises `PublicProblem`; `ValueError` for a query that is not UTF-8."""
    form = _FORMS[links.form]
    values: dict[str, str] = {}
    rest, all_but_hash = [], []
    for pair in link.query.split("&"):
        name, _, value = pair.partition("=")
        name = form_decoded(name)
        if name != form.hash:
            all_but_hash.append(pair)
        if not form.owns(name):
            rest.append(pair)
        elif name in values:  # which of them was signed?
            raise _refused(links)
        else:
            values[name] = form_decoded(value)
    wanted = form.signed(links, link._replace(query="&".join(all_but_hash)), values)
    given = values.get(form.hash, "").rstrip("=") if form.hash == "md5" else values.get(form.hash)
    if not given or not hmac.compare_digest(wanted.encode(), given.encode()):
        raise _refused(links)
    form.check(links, link, values)
    return Opened("&".join(rest), values)


def _refused(links: SignedLinks) -> PublicProblem:
    if links.refused == 405:
        return PublicProblem("MethodNotAllowed", ("allow", "GET, HEAD, OPTIONS"))
    return PublicProblem("Forbidden")


# what is signed


def _ucdn(links: SignedLinks, link: Link, values: Mapping[str, str]) -> str:
    own = [text for name, text in values.items() if name.startswith(_OWN_VALUES)]
    given = [values.get(name, "") for name in _SIGNED]
    text = "".join([link.path, links.secret.reveal(), *given, *own])
    return hashlib.new(links.algorithm, text.encode(), usedforsecurity=False).hexdigest()


def _hmac_sha256(links: SignedLinks, link: Link, _: Mapping[str, str]) -> str:
    signed = f"{quote(link.path, safe='/~')}?{link.query}"
    return hmac.digest(links.secret.reveal_bytes(), signed.encode("latin-1"), "sha256").hex()


def _secure_link(links: SignedLinks, link: Link, values: Mapping[str, str]) -> str:
    signed = Template(links.expression).substitute(
        secure_link_expires=values.get("expires", ""),
        uri=link.path,
        remote_addr=link.address,
        secret=links.secret.reveal(),
    )
    digest = hashlib.md5(signed.encode(), usedforsecurity=False).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


# for whom, and until when: of links that are signed so


def _check_window(links: SignedLinks, link: Link, values: Mapping[str, str]) -> None:
    created = values.get("cdn_creation_time", "")
    ttl: float | None = links.ttl
    if said := values.get("cdn_ttl"):
        ttl = whole_number(said)
    if ttl is None or not _TIME.fullmatch(created) or link.now < int(created) - _EARLY:
        raise _refused(links)
    if not _within(link.address, values.get("cdn_net", "")):
        raise _refused(links)
    if link.now >= int(created) + ttl:
        raise PublicProblem("Gone")


def _within(address: str, net: str) -> bool:
    """`80.249.0.0.16`: the last dot stands for a slash; without a length it is one address."""
    if not net:
        return True
    try:
        return ip_address(address) in ip_network(_network(net), strict=False)
    except ValueError:
        return False


def _network(net: str) -> str:
    try:
        return str(ip_address(net))
    except ValueError:
        return "/".join(net.rsplit(".", 1))


def _check_expires(links: SignedLinks, link: Link, values: Mapping[str, str]) -> None:
    expires = whole_number(values.get("expires", ""))
    if expires is None:
        raise _refused(links)
    if link.now > expires:
        raise PublicProblem("Gone")


class _Form(NamedTuple):
    """`hash` is the parameter that has the signature, `owns` says which are of the link alone."""

    hash: str
    owns: Callable[[str], bool]
    signed: Callable[[SignedLinks, Link, Mapping[str, str]], str]
    check: Callable[[SignedLinks, Link, Mapping[str, str]], None]


def _is_cdn(name: str) -> bool:
    return name.startswith("cdn_")


_FORMS = {
    "ucdn": _Form("cdn_hash", _is_cdn, _ucdn, _check_window),
    "hmac-sha256": _Form("cdn_hash", _is_cdn, _hmac_sha256, _check_window),
    "secure_link": _Form("md5", {"md5", "expires"}.__contains__, _secure_link, _check_expires),
}
