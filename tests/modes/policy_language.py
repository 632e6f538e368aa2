"""A small language of policies, as a mode would bring one: a line for each rule.

    deny * read,read-version secret/* from 192.0.2.0/24
    allow bob list,read shared/*
    deny * * * plain

effect, who (`*`, an account's id, `key:ID`), actions (`*` or names), a pattern of keys (`*` for
whatever it is done to), and perhaps a condition: `from` or `outside` a network, or `plain`: not
by TLS. It is kept as a setting of the kind `lines`, by a mode that does nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from ipaddress import ip_network
from typing import Any

from gateway.access.actions import ALL
from gateway.access.identity import ANONYMOUS
from gateway.access.rule_conditions import AddressWithin, Fact, FactMatches
from gateway.access.rules import Rule, RuleCondition, Who
from gateway.access.settings import SettingKind
from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode, WSGIApp
from gateway.storage import StorageError
from gateway.web.request_facts import RequestFacts

PARSED: list[str] = []
"""Each document that was parsed."""


def parse(document: str) -> tuple[Rule, ...]:
    PARSED.append(document)
    return tuple(_rule(line) for line in document.splitlines() if line.strip())


def _rule(line: str) -> Rule:
    words = line.split()
    if len(words) < 4 or words[0] not in ("allow", "deny"):
        raise ValueError(f"{line.strip()!r}: no rule")
    effect, who, actions, keys, *condition = words
    does = ALL if actions == "*" else frozenset(actions.split(","))
    if unknown := does - ALL:
        raise ValueError(f"{line.strip()!r}: no actions: {', '.join(sorted(unknown))}")
    return Rule(
        effect="deny" if effect == "deny" else "allow",
        who=_who(who),
        actions=does,  # type: ignore[arg-type]  # they are among ALL
        keys=() if keys == "*" else (keys,),
        when=_when(condition, effect),
        name=line.strip(),
    )


def _who(text: str) -> Who:
    if text.startswith("key:"):
        return Who(keys=frozenset((text[4:],)))
    return Who(accounts=frozenset((text,)))


def _when(words: list[str], effect: str) -> RuleCondition | None:
    """What is unknown never allows: a denial counts then, and an allowance does not."""
    if not words:
        return None
    denies = effect == "deny"
    if words == ["plain"]:
        return FactMatches(fact=Fact("tls"), patterns=("true",), negated=True, unknown=denies)
    if len(words) != 2 or words[0] not in ("from", "outside"):
        raise ValueError(f"{' '.join(words)!r}: no condition")
    outside = words[0] == "outside"
    networks = (ip_network(words[1]),)
    return AddressWithin(networks=networks, negated=outside, unknown=denies)


def _rules(value: tuple[Rule, ...], _: str) -> Iterable[Rule]:
    return value


POLICY: SettingKind[tuple[Rule, ...]] = SettingKind(
    name="lines",
    read="read-policy",
    write="write-policy",
    remove="remove-policy",
    parse=parse,
    rules=_rules,
)


class PolicyMode:
    """`/SID` by GET, PUT and DELETE; the header `X-Policy-Key` has a key's secret."""

    name = "policies"

    def claims(self, environ: dict[str, Any]) -> bool:
        return "HTTP_X_POLICY_KEY" in environ

    def kinds(self) -> Collection[SettingKind[Any]]:
        return [POLICY]

    def app(self, gateway: Gateway) -> WSGIApp:
        return partial(_answer, gateway)


def _answer(gateway: Gateway, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    try:
        status, text = "200 OK", _done(gateway, environ)
    except ValueError as error:
        status, text = "400 Bad Request", str(error)
    except StorageError as error:
        status, text = f"409 {type(error).__name__}", str(error)
    start(status, [("Content-Length", str(len(text.encode())))])
    return [text.encode()]


def _done(gateway: Gateway, environ: dict[str, Any]) -> str:
    found = gateway.keys.credential_by_secret(environ["HTTP_X_POLICY_KEY"])
    identity = ANONYMOUS if found is None else found.identity
    facts = RequestFacts(environ, {}, gateway.clock)
    access = gateway.access(identity, environ["PATH_INFO"][1:], facts)
    method = environ["REQUEST_METHOD"]
    if method == "GET":
        setting = gateway.setting(access, POLICY)
        return "" if setting is None else setting.document
    if method == "DELETE":
        return str(gateway.remove_setting(access, POLICY))
    access.require(POLICY.write)
    document = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
    return str(gateway.set_setting(access, POLICY, POLICY.parsed(document)).version)


class PolicyPlugin:
    @hookimpl
    def gateway_modes(self) -> list[Mode]:
        return [PolicyMode()]
