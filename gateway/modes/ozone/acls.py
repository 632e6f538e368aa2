"""Access control lists of buckets: `user:peregrin:rw`, `group:hobbits:r`, `world::r`.

A list only gives: to a key by its id, to the keys that act for an account (a group), or to
whoever has signed in. `r` is to list and to read, `w` to write and to delete. It is a setting of
the service, of which rules are made: so every mode obeys it. There is one entry for each whom it
names, so what is given twice is given once.

May surprise: a verb (`ADD`, `REMOVE`) is for all entries up to the next one, for WSGI joins lines
of one header by commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, cast

from gateway.access.actions import LISTING, READING, WRITING, Actions
from gateway.access.rules import AUTHENTICATED, Rule, Who
from gateway.access.settings import Parsed, SettingKind
from gateway.common.ids import ID, ID_RULE

Kind = Literal["user", "group", "world"]
Rights = frozenset[str]

MOST = 1000
"""Entries of a list."""

_ENTRY = re.compile(r"(user|group|world):([^:]*):(r|w|rw|wr)", re.IGNORECASE | re.ASCII)
_VERB = re.compile(r"(ADD|REMOVE)\s+(.*)", re.IGNORECASE | re.ASCII)
_NAMES: Mapping[Rights, str] = {
    frozenset("r"): "READ",
    frozenset("w"): "WRITE",
    frozenset("rw"): "READ_WRITE",
}
RULE = "as user:NAME:rw, group:NAME:r or world::w, with the rights r, w or rw"

_READ: Actions = LISTING | READING
_WRITE: Actions = WRITING - {"list-parts", "abort", "flush", "write-retention", "write-hold"}
"""Without what keeps others from removing it again."""


class Acl(NamedTuple):
    """`name` is "" of the world."""

    kind: Kind
    name: str
    rights: Rights

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}:{'r' * self.reads}{'w' * self.writes}"

    @property
    def reads(self) -> bool:
        return "r" in self.rights

    @property
    def writes(self) -> bool:
        return "w" in self.rights

    @property
    def shown(self) -> dict[str, str]:
        return {"type": self.kind.upper(), "name": self.name, "rights": _NAMES[self.rights]}


class Change(NamedTuple):
    removes: bool
    acl: Acl


Acls = tuple[Acl, ...]


def entry(text: str) -> Acl:
    """Raises `ValueError`."""
    found = _ENTRY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"An entry of an access control list is {RULE}.")
    kind, name = cast(Kind, found[1].lower()), found[2]
    if kind == "world":
        if name:
            raise ValueError("The world has no name: world::r.")
    elif not ID.fullmatch(name):
        raise ValueError(f"That is no name of a user or group: {ID_RULE}.")
    return Acl(kind, name, frozenset(found[3].lower()))


def changes(text: str) -> list[Change]:
    """What a header asks for. Raises `ValueError`."""
    found, removes = list[Change](), False
    for one in text.split(","):
        asked = one.strip()
        if (verb := _VERB.fullmatch(asked)) is not None:
            removes, asked = verb[1].upper() == "REMOVE", verb[2]
        found.append(Change(removes, entry(asked)))
    return found


def changed(acls: Iterable[Acl], asked: Iterable[Change]) -> Acls:
    """The list after that. Raises `ValueError` when it is too long."""
    rights: dict[tuple[Kind, str], Rights] = {(one.kind, one.name): one.rights for one in acls}
    for removes, (kind, name, given) in asked:
        had = rights.get((kind, name), frozenset())
        rights[kind, name] = had - given if removes else had | given
    found = tuple(Acl(*whom, given) for whom, given in rights.items() if given)
    if len(found) > MOST:
        raise ValueError(f"A bucket's access control list has at most {MOST} entries.")
    return found


def parse(document: str) -> Acls:
    """An entry a line. Raises `ValueError`, which says what is wrong, and where."""
    found: list[Change] = []
    for number, line in enumerate(document.splitlines(), 1):
        try:
            found += [Change(False, entry(line))] if line.strip() else []
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return changed((), found)


def document(acls: Sequence[Acl]) -> Parsed[Acls]:
    return Parsed("".join(f"{one}\n" for one in acls), tuple(acls))


def _rules(acls: Acls, _: str) -> Iterator[Rule]:
    for actions, given in (
        (_READ, [one for one in acls if one.reads]),
        (_WRITE, [one for one in acls if one.writes]),
    ):
        named = Who(
            keys=frozenset(one.name for one in given if one.kind == "user"),
            accounts=frozenset(one.name for one in given if one.kind == "group"),
        )
        if named != Who():
            yield Rule(effect="allow", who=named, actions=actions, name="ozone-acl")
        if any(one.kind == "world" for one in given):
            world = Who(accounts=frozenset((AUTHENTICATED,)))
            yield Rule(effect="allow", who=world, actions=actions, name="ozone-acl", public=True)


ACLS: SettingKind[Acls] = SettingKind(
    name="ozone-acl",
    read="read-policy",
    write="write-policy",
    remove="remove-policy",
    parse=parse,
    rules=_rules,
    example="user:peregrin:rw\ngroup:hobbits:r\nworld::r\n",
)
"""Who may do what, as a policy says it: so it is for who may read and write a policy."""
