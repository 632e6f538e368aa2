"""Rules: the form that every language is translated into which says who may do what.

Bucket policies, access control lists, levels of keys, public access blocks, filters of a
zone: each is parsed where it is at home, and what comes out are these. They are evaluated in
`evaluation` only, so that what one door denies no other door gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from gateway.access.actions import Action, Actions
from gateway.access.identity import ANONYMOUS, Identity, acting_for
from gateway.storage import NOTHING

Effect = Literal["allow", "deny"]

EVERYONE = "*"
AUTHENTICATED = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """`accounts` by id, or `EVERYONE`, or `AUTHENTICATED` (any account); `keys` by id; `users`
    by account and key. `others`: all but those that are named."""

    accounts: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    users: frozenset[tuple[str, str]] = frozenset()
    others: bool = False

    def includes(self, identity: Identity, effect: Effect) -> bool:
        """What is given to an account is for the keys that act for it; what it is denied, or
        kept out of, all of its keys are."""
        account = identity.account
        if effect == "allow" and not self.others:
            account = acting_for(identity)
        named = (
            EVERYONE in self.accounts
            or (account != "" and (account in self.accounts or AUTHENTICATED in self.accounts))
            or (identity.key != "" and identity.key in self.keys)
            or (identity.account, identity.key) in self.users
        )
        return named is not self.others


ANYBODY = Who(accounts=frozenset((EVERYONE,)))


class Facts(Protocol):
    """What is known of a request. The mode gives it, and computes of it what is asked for;
    where there is no request (a command, a job), all is unknown: `UNKNOWN`."""

    @property
    def address(self) -> str:
        """The client's, behind trusted proxies too; "" when it is unknown."""

    @property
    def country(self) -> str | None:
        """Where that address is (ISO 3166-1 alpha-2), "ZZ" when nobody knows; None where there
        is no database of countries, or no address."""

    @property
    def tls(self) -> bool | None:
        """Whether the client came by TLS; None when it is unknown."""

    @property
    def tls_versions(self) -> Sequence[str]:
        """As in "1.3": the one that was agreed on with the client, or those that it may be; ()
        where it may be any."""

    @property
    def time(self) -> int | None:
        """Milliseconds since the epoch."""

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags that the request asks an object to have."""

    def header(self, name: str) -> str | None:
        """By its name in lower case. Only what the client said: see `address` and `tls`
        for what proxies say."""

    def query(self, name: str) -> str | None:
        """The first value of a parameter."""


class Unknown:
    """Facts of something that no request asked for."""

    address = ""
    country: str | None = None
    tls: bool | None = None
    tls_versions: Sequence[str] = ()
    time: int | None = None
    tags: Mapping[str, str] = NOTHING

    def header(self, name: str) -> str | None:
        return None

    def query(self, name: str) -> str | None:
        return None


UNKNOWN = Unknown()


class Inside(Unknown):
    """Facts of what the gateway does by itself, as somebody told it to: nothing of it passes a
    network. `time` in milliseconds since the epoch."""

    def __init__(self, time: int) -> None:
        self.tls: bool | None = True
        self.tls_versions: Sequence[str] = ("1.3",)
        self.time: int | None = time


class Target(Protocol):
    """The object that something is to be done to. It is looked at when a rule asks for what it
    has, and not before; who asks learns nothing of it but the decision."""

    @property
    def version(self) -> str | None:
        """The one that is named."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Those that it has now; none where there is no such object."""


class Untouched:
    """Where there is no object, or none that may be looked at."""

    version: str | None = None
    tags: Mapping[str, str] = NOTHING


UNTOUCHED = Untouched()


class Question(NamedTuple):
    """May `identity` do this? `key` is None for what is done to the service itself. `folded`:
    the service does not tell keys apart by case; this one is in lower case, and whatever it is
    compared with has to be."""

    action: Action
    key: str | None
    facts: Facts
    identity: Identity = ANONYMOUS
    target: Target = UNTOUCHED
    folded: bool = False


RuleCondition = Callable[[Question], bool]
"""What is unknown never allows. So where a fact is unknown that it asks for, or a key where
there is none, the condition of an allowance does not hold, and that of a denial does. Those
of `rule_conditions` are data, and as fast for many rules as for one; any other function is
called, once for all rules that have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`effect` for `who` does one of `actions`.

    `keys`: patterns (`patterns.py`), of which a key must fit one; a question without a key fits
    none. () is whatever it is done to. `when`: holds for the request; None: always. `name` says
    where the rule is from, for people. `public`: its language calls what it allows public.
    """

    effect: Effect
    who: Who
    actions: Actions
    keys: tuple[str, ...] = ()
    when: RuleCondition | None = None
    name: str = ""
    public: bool = False

    @property
    def plain(self) -> bool:
        """It counts whatever the key and the facts."""
        return not self.keys and self.when is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far others count that allow something. `grants` that do: all, those to accounts by
    name, or none, and then an object's writer has nothing of it either. `public`: whether rules
    that are public (`Rule.public`) may allow others than the owner's account anything; where
    they may not and there is one, nothing does."""

    grants: Literal["all", "named", "none"] = "all"
    public: bool = True
