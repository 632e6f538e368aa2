"""A bucket as a website: which page stands for a folder and for an error, and who is sent where.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html

What it says is decided here: of a key that is asked for, and of the status that it would get.
Who serves it is `website`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.access.settings import SettingKind
from gateway.common.xml import document as written
from gateway.common.xml import element, optional
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.setting import BucketSetting, of_text
from gateway.modes.s3.problems import S3Problem, malformed
from gateway.web.request_head import whole_number

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LIMIT = 128 << 10
"""Bytes of a document."""

MOST_RULES = 50
_REDIRECTS = frozenset({301, 302, 303, 304, 305, 307, 308})
_ERRORS = frozenset({*range(400, 418), *range(500, 506)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """`host` and `protocol` are "" for those of the request, `code` "" for 301; at most one of
    `key` and `prefix` is given."""

    host: str = ""
    protocol: str = ""
    key: str | None = None
    prefix: str | None = None
    code: str = ""

    @property
    def status(self) -> int:
        return int(self.code or 301)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRule:
    """`prefix` of the key that was asked for; `error` is the status that it would get, "" when
    the rule does not wait for one."""

    redirect: Redirect
    prefix: str = ""
    error: str = ""

    def key(self, asked: str) -> str:
        """What is asked for instead."""
        if self.redirect.key is not None:
            return self.redirect.key
        if self.redirect.prefix is not None:
            return self.redirect.prefix + asked[len(self.prefix) :]
        return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Website:
    """With `everything` there is nothing else."""

    everything: Redirect | None = None
    index: str = ""
    error: str = ""
    rules: tuple[RoutingRule, ...] = ()

    def page(self, asked: str) -> str:
        """The key of the page that stands for what was asked for."""
        return asked + self.index if asked.endswith("/") or not asked else asked

    def rule(self, asked: str, error: int | None) -> RoutingRule | None:
        """The rule of that key: without `error` of those that wait for none."""
        wanted = "" if error is None else str(error)
        return next(
            (one for one in self.rules if one.error == wanted and asked.startswith(one.prefix)),
            None,
        )


# reading


def _parse(data: bytes) -> Website:
    root = wire.parse(data, "WebsiteConfiguration")
    everything = wire.child(root, "RedirectAllRequestsTo")
    if everything is not None:
        if len(root) > 1:
            raise malformed("Beside RedirectAllRequestsTo there is nothing else.")
        return Website(everything=_everything(everything))
    rules = wire.child(root, "RoutingRules")
    return Website(
        index=_index(root),
        error=_error(root),
        rules=() if rules is None else _rules(rules),
    )


def _everything(node: Element) -> Redirect:
    host = wire.word_of(node, "HostName")
    if not host:
        raise malformed("RedirectAllRequestsTo needs a HostName.")
    return Redirect(host=host, protocol=_protocol(node))


def _index(root: Element) -> str:
    node = wire.child(root, "IndexDocument")
    if node is None:
        raise _argument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            "IndexDocument",
            "null",
        )
    suffix = wire.text_of(node, "Suffix") or ""
    if not suffix or "/" in suffix:
        raise _argument("The IndexDocument Suffix is not well formed", "IndexDocument", suffix)
    return suffix


def _error(root: Element) -> str:
    node = wire.child(root, "ErrorDocument")
    if node is None:
        return ""
    key = wire.text_of(node, "Key")
    if not key:
        raise _argument("The ErrorDocument Key is not well formed", "ErrorDocument", "")
    return key


def _rules(node: Element) -> tuple[RoutingRule, ...]:
    found = tuple(_rule(one) for one in node)
    if not found:
        raise malformed("RoutingRules needs a RoutingRule.")
    if len(found) > MOST_RULES:
        raise S3Problem(
            "InvalidRequest",
            f"{len(found)} routing rules provided, the number of routing rules in a website"
            f" configuration is limited to {MOST_RULES}.",
        )
    return found


def _rule(node: Element) -> RoutingRule:
    redirect, condition = wire.child(node, "Redirect"), wire.child(node, "Condition")
    if redirect is None or not len(redirect):
        raise malformed("A RoutingRule needs a Redirect with something in it.")
    if condition is None:
        return RoutingRule(redirect=_redirect(redirect))
    if not len(condition):
        raise malformed("A Condition needs a KeyPrefixEquals or an HttpErrorCodeReturnedEquals.")
    return RoutingRule(
        redirect=_redirect(redirect),
        prefix=wire.text_of(condition, "KeyPrefixEquals") or "",
        error=_code(condition, "HttpErrorCodeReturnedEquals", _ERRORS, "error", "4XX or 5XX"),
    )


def _redirect(node: Element) -> Redirect:
    key, prefix = wire.text_of(node, "ReplaceKeyWith"), wire.text_of(node, "ReplaceKeyPrefixWith")
    if key is not None and prefix is not None:
        raise S3Problem(
            "InvalidRequest", "You can only define ReplaceKeyPrefix or ReplaceKey but not both."
        )
    return Redirect(
        host=wire.word_of(node, "HostName"),
        protocol=_protocol(node),
        key=key,
        prefix=prefix,
        code=_code(node, "HttpRedirectCode", _REDIRECTS, "redirect", "3XX except 300"),
    )


def _protocol(node: Element) -> str:
    protocol = wire.word_of(node, "Protocol")
    if protocol not in ("", "http", "https"):
        raise S3Problem(
            "InvalidRequest",
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be"
            " selected automatically.",
        )
    return protocol


def _code(node: Element, name: str, allowed: frozenset[int], kind: str, valid: str) -> str:
    text = wire.word_of(node, name)
    if not text:
        return ""
    number = whole_number(text, 0, 999)
    if number is None:
        raise malformed(f"{name} has to be a number, not {text!r}.")
    if number not in allowed:
        raise S3Problem(
            "InvalidRequest",
            f"The provided HTTP {kind} code ({number}) is not valid. Valid codes are {valid}.",
        )
    return str(number)


def _argument(message: str, name: str, value: str) -> S3Problem:
    return S3Problem("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


# writing


def _render(site: Website) -> bytes:
    if site.everything is not None:
        inside = "".join(_written(site.everything))
        return written(
            "WebsiteConfiguration", f"<RedirectAllRequestsTo>{inside}</RedirectAllRequestsTo>"
        )
    rules = "".join(
        f"<RoutingRule>{''.join(_rule_written(one))}</RoutingRule>" for one in site.rules
    )
    return written(
        "WebsiteConfiguration",
        f"<IndexDocument>{element('Suffix', site.index)}</IndexDocument>",
        f"<ErrorDocument>{element('Key', site.error)}</ErrorDocument>" if site.error else "",
        f"<RoutingRules>{rules}</RoutingRules>" if rules else "",
    )


def _rule_written(rule: RoutingRule) -> Iterator[str]:
    if rule.prefix or rule.error:
        condition = optional("HttpErrorCodeReturnedEquals", rule.error)
        condition += optional("KeyPrefixEquals", rule.prefix)
        yield f"<Condition>{condition}</Condition>"
    yield f"<Redirect>{''.join(_written(rule.redirect))}</Redirect>"


def _written(redirect: Redirect) -> Iterator[str]:
    yield optional("Protocol", redirect.protocol)
    yield optional("HostName", redirect.host)
    if redirect.prefix is not None:
        yield element("ReplaceKeyPrefixWith", redirect.prefix)
    if redirect.key is not None:
        yield element("ReplaceKeyWith", redirect.key)
    yield optional("HttpRedirectCode", redirect.code)


_EXAMPLE = """\
<WebsiteConfiguration>
 <IndexDocument><Suffix>index.html</Suffix></IndexDocument>
 <ErrorDocument><Key>error.html</Key></ErrorDocument>
</WebsiteConfiguration>
"""


SETTING: BucketSetting[Website] = BucketSetting(
    SettingKind(
        name="website",
        read="read-website",
        write="write-website",
        remove="remove-website",
        parse=of_text(_parse),
        example=_EXAMPLE,
    ),
    _render,
    "NoSuchWebsiteConfiguration",
)
