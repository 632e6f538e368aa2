"""`python -m benchmarks rules`: what a decision costs, of 1,000 rules on a service.

In this process, with nothing around it: the request's own work is not in it. The rules are such
as are met: keys below a folder, of an ending, exactly one, for some accounts, from some networks.
"""

from __future__ import annotations

import timeit
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks.report import load_average, markdown
from gateway.access.identity import Identity
from gateway.access.rules import ANYBODY, UNKNOWN, Question, Rule, RuleCondition, Who
from gateway.access.ruleset import RuleSet

COUNT = 1000
_ASKED = 2000
_KEY = "tenants/0777/2026/11/29/report-0000042.parquet"

OWNER = Identity(key="key", account="owner")
GUEST = Identity(key="guest", account="account-0500")


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
    network = f"10.{number % 256}."

    def within(question: Question) -> bool:
        return question.facts.address.startswith(network)

    return within


def _account(number: int) -> Who:
    return Who(accounts=frozenset((f"account-{number:04}",)))


SETS: dict[str, tuple[str, Identity, Callable[[int], Rule]]] = {
    "folders": (
        "each denies a folder of its own",
        OWNER,
        lambda n: _rule(n, f"tenants/{n:04}/private/*", "deny"),
    ),
    "nested": (
        "each denies a network a folder that the key is in: nothing but to ask each",
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
    "networks": (
        "each denies all keys from a network: nothing but to ask each",
        OWNER,
        lambda n: _rule(n, "", "deny", when=_within(n)),
    ),
    "anywhere": (
        "each denies what has a word in it: nothing but to search for each",
        OWNER,
        lambda n: _rule(n, f"*word{n:04}*", "deny"),
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
    said.compiled(who).decide("read", _KEY, UNKNOWN)
    first = process_time() - started

    def decide() -> None:
        rules = said.compiled(who)
        if "read" not in rules.always:
            rules.decide("read", _KEY, UNKNOWN)

    times = timeit.repeat(decide, timer=process_time, number=_ASKED, repeat=rounds)
    return f"{median(times) / _ASKED * 1e6:.2f}", f"{first * 1e3:.1f}"
