"""`python -m benchmarks rules`: what a decision costs, of 1,000 rules on a service.

In this process, with nothing around it: the request's own work is not in it. The rules are such
as are met: keys below a folder, of an ending, with a word in them, exactly one, for some accounts,
from some networks, by what some headers say.
"""

from __future__ import annotations

import timeit
from argparse import Namespace
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks.report import load_average, markdown
from gateway.access.identity import Identity
from gateway.access.rule_conditions import AddressWithin, Fact, FactMatches
from gateway.access.rules import ANYBODY, Question, Rule, RuleCondition, Unknown, Who
from gateway.access.ruleset import RuleSet

COUNT = 1000
_ASKED = 2000
_KEY = "tenants/0777/2026/11/29/report-0000042.parquet"

OWNER = Identity(key="key", account="owner")
GUEST = Identity(key="guest", account="account-0500")


class Request(Unknown):
    """What is known of the request that is decided about."""

    address, tls = "192.0.2.1", True

    def header(self, name: str) -> str | None:
        return "Browser/5.0 (compatible)"


FACTS = Request()


def _rule(
    number: int, keys: str, effect: str, who: Who = ANYBODY, when: RuleCondition | None = None
) -> Rule:
    return Rule(
        effect="deny" if effect == "deny" else "allow",
        who=who,
        actions=frozenset(("read", "read-version", "write", "list")),
        keys=(keys,) if keys else (),
        when=when,
        name=f"rule {number}",
    )


def _within(number: int) -> RuleCondition:
    network = ip_network(f"10.{number // 256}.{number % 256}.0/24")
    return AddressWithin(networks=(network,), unknown=False)


def _agent(pattern: str) -> RuleCondition:
    return FactMatches(fact=Fact("header", "user-agent"), patterns=(pattern,), unknown=False)


def _function(number: int) -> RuleCondition:
    start = f"10.{number % 256}."

    def begins(question: Question) -> bool:
        return question.facts.address.startswith(start)

    return begins


_SHARED = _function(0)


def _account(number: int) -> Who:
    return Who(accounts=frozenset((f"account-{number:04}",)))


SETS: dict[str, tuple[str, Identity, Callable[[int], Rule]]] = {
    "folders": (
        "each denies a folder of its own",
        OWNER,
        lambda n: _rule(n, f"tenants/{n:04}/private/*", "deny"),
    ),
    "nested": (
        "each denies a network a folder that the key is in",
        OWNER,
        lambda n: _rule(n, f"{_KEY[: n % len(_KEY)]}*", "deny", when=_within(n)),
    ),
    "endings": (
        "each denies an ending",
        OWNER,
        lambda n: _rule(n, f"*.type{n:04}", "deny"),
    ),
    "single keys": (
        "each denies one key",
        OWNER,
        lambda n: _rule(n, f"tenants/{n:04}/secret", "deny"),
    ),
    "accounts": (
        "each allows an account a folder",
        GUEST,
        lambda n: _rule(n, f"tenants/{777 if n == 500 else n:04}/*", "allow", _account(n)),
    ),
    "words": (
        "each denies what has a word in it",
        OWNER,
        lambda n: _rule(n, f"*word{n:04}*", "deny"),
    ),
    "several parts": (
        "each denies a name in all folders",
        OWNER,
        lambda n: _rule(n, f"tenants/*/word{n:04}-*.parquet", "deny"),
    ),
    "networks": (
        "each denies all keys from a network",
        OWNER,
        lambda n: _rule(n, "", "deny", when=_within(n)),
    ),
    "headers": (
        "each denies one user agent",
        OWNER,
        lambda n: _rule(n, "", "deny", when=_agent(f"Agent/{n}.0")),
    ),
    "words in headers": (
        "each denies user agents with a word",
        OWNER,
        lambda n: _rule(n, "", "deny", when=_agent(f"*bot{n:04}*")),
    ),
    "one function": (
        "each denies a folder that the key is in, where a function that all share says so",
        OWNER,
        lambda n: _rule(n, f"{_KEY[: n % len(_KEY)]}*", "deny", when=_SHARED),
    ),
    "functions": (
        "each denies all keys where a function of its own says so: nothing but to ask each",
        OWNER,
        lambda n: _rule(n, "", "deny", when=_function(n)),
    ),
}
"""What is said, who asks, and the rules."""


def rules(options: Namespace, _: Path) -> int:
    """The command."""
    print(f"load average before: {load_average()}\n")
    rows = [["none", *_measured(RuleSet("sid", "owner"), OWNER, options.rounds), "no rules"]]
    for name, (about, who, make) in SETS.items():
        said = RuleSet("sid", "owner", rules=[make(number) for number in range(COUNT)])
        rows.append([name, *_measured(said, who, options.rounds), about])
    print(markdown(["rules", "decided µs", "compiled ms", "what"], rows))
    return 0


def _measured(said: RuleSet, who: Identity, rounds: int) -> tuple[str, str]:
    """Of a processor: microseconds of a decision that is looked up as a request does it, and
    milliseconds of the first one."""
    started = process_time()
    said.compiled(who).decide("read", _KEY, FACTS)
    first = process_time() - started

    def decide() -> None:
        rules = said.compiled(who)
        if "read" not in rules.always:
            rules.decide("read", _KEY, FACTS)

    times = timeit.repeat(decide, timer=process_time, number=_ASKED, repeat=rounds)
    return f"{median(times) / _ASKED * 1e6:.2f}", f"{first * 1e3:.1f}"
