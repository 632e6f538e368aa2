"""All that is said about a service: by the keys that ask, by its grants, by its settings.

A set is made once per service and version of its settings, and compiled once for all
identities of which it says the same. Without grants and settings only the key's access
counts, and that is compiled once for all services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from gateway.access.actions import (
    ALL,
    LISTING,
    READING,
    READING_ACL,
    READING_ANNOTATIONS,
    WRITING,
    WRITING_ANNOTATIONS,
    Actions,
)
from gateway.access.evaluation import Compiled
from gateway.access.grants import GRANTS, Grant, rules_of_object, rules_of_service
from gateway.access.identity import ANONYMOUS, Identity, acting_for
from gateway.access.rules import ANYBODY, AUTHENTICATED, EVERYONE, Limits, Rule
from gateway.storage import ObjectInfo, Put, Upload
from gateway.storage.folding import lower

_TOLD: Actions = frozenset(("read-grants", "read-changes", "read-requests"))
_READ: Actions = LISTING | READING | READING_ACL | READING_ANNOTATIONS | _TOLD
_WRITE: Actions = _READ | WRITING | WRITING_ANNOTATIONS | {"delete-version"}
_OF_LEVEL: Mapping[str, Actions] = {
    "read": _READ,
    "write": _WRITE,
    "admin": ALL,
    "read-all": _READ,
    "write-all": _WRITE,
    "own": frozenset(),
    "": frozenset(),
}
_RULES = {
    level: Rule(effect="allow", who=ANYBODY, actions=actions, name="access of the key")
    for level, actions in _OF_LEVEL.items()
}
_ALONE = {level: Compiled([rule], ANONYMOUS) for level, rule in _RULES.items()}
"""What there is where the key's access alone counts."""

_LIMIT = 1024
"""Identities for which a set remembers what was compiled."""

_COUNTING = ("none", "named", "all")
"""Which grants count, from the narrowest on."""

_OF_OBJECT: dict[tuple[object, ...], Actions] = {}


Default = Callable[[Put, int], Put]
"""What is said of an object that is made, and the time → what it has."""


class RuleSet:
    """`sid` and `owner` of the service; of its settings the `rules`, with how far others count,
    the `defaults`, and which there are (`settings`), so that who obeys one learns without a
    look that there is none. Of a service that is not `case_sensitive` rules hold for keys in
    any case: one that denied an object by one of its names would deny it by no other."""

    __slots__ = (
        "_closed",
        "_grants",
        "_known",
        "_owner",
        "_rules",
        "_same",
        "_sid",
        "case_sensitive",
        "defaults",
        "keeper",
        "settings",
    )

    def __init__(
        self,
        sid: str,
        owner: str,
        grants: Iterable[Grant] = (),
        rules: Iterable[Rule | Limits] = (),
        *,
        defaults: Iterable[Default] = (),
        settings: Iterable[str] = (),
        case_sensitive: bool = True,
    ) -> None:
        self.case_sensitive = case_sensitive
        self._sid, self._owner = sid, owner
        made = tuple(rules)
        self.defaults, self.settings = tuple(defaults), frozenset(settings)
        limits = [one for one in made if isinstance(one, Limits)]
        said = [self._in_case(one) for one in made if isinstance(one, Rule)]
        self._grants = min((one.grants for one in limits), key=_COUNTING.index, default="all")
        self.keeper = owner if self._grants == "none" else ""
        """Whose is all that is made, whoever makes it; "": each makes its own."""
        self._closed = any(one.public for one in said) and not all(one.public for one in limits)
        """To all but the owner's account."""
        self._rules = (*rules_of_service(self._counting(grants)), *said)
        self._known: dict[str, tuple[Identity, Compiled]] = {}
        self._same: dict[tuple[object, ...], Compiled] = {}
        """By what they are made of: for most who ask the same is said."""

    def _in_case(self, rule: Rule) -> Rule:
        if self.case_sensitive or not rule.keys:
            return rule
        return replace(rule, keys=tuple(map(lower, rule.keys)))

    def _counting(self, grants: Iterable[Grant]) -> Sequence[Grant]:
        if self._grants == "none":
            return ()
        if self._grants == "all":
            return tuple(grants)
        return [one for one in grants if one.grantee not in (EVERYONE, AUTHENTICATED)]

    def _keeps_out(self, identity: Identity) -> bool:
        """Whether nothing counts that would allow it something, but what its key may do."""
        return self._closed and not (identity.account == self._owner != "")

    def given_by(self, info: ObjectInfo, identity: Identity) -> Actions:
        """What an object itself allows: to its writer, and to who has a grant on it. Made once
        for all objects and accounts of which it says the same."""
        if self._grants == "none" or self._keeps_out(identity):
            return frozenset()
        listed = info.attributes.get(GRANTS, ())
        grants = self._counting(Grant(*one) for one in listed) if listed else ()
        same = (info.owner, acting_for(identity), *grants)
        found = _OF_OBJECT.get(same)
        if found is None:
            if len(_OF_OBJECT) >= _LIMIT:
                _OF_OBJECT.clear()
            rules = rules_of_object(info.owner, grants)
            found = _OF_OBJECT[same] = Compiled(rules, identity).always
        return found

    def stays(self, listed: Iterable[tuple[str, str]], identity: Identity) -> bool:
        """Whether a list of an object gives something to its writer and to the service's owner
        alone."""
        return all(grantee in (self._owner, identity.account) for grantee, _ in listed)

    def is_its_own(self, upload: Upload, identity: Identity) -> bool:
        """Whether it counts that they began an upload."""
        return not self._keeps_out(identity) and acting_for(identity) == upload.options.owner != ""

    def compiled(self, identity: Identity) -> Compiled:
        access = identity.access
        if not isinstance(access, str):
            level: str = access.get(self._sid, "")
        elif access == "own" and identity.account and identity.account == self._owner:
            level = "admin"
        else:
            level = access
        if not self._rules:
            return _ALONE[level]
        known = self._known.get(identity.key)
        if known is not None and known[0] is identity:
            return known[1]
        if len(self._known) >= _LIMIT:
            self._known.clear()
            self._same.clear()
        found = self._compile(identity, level)
        self._known[identity.key] = identity, found
        return found

    def _compile(self, identity: Identity, level: str) -> Compiled:
        owner = acting_for(identity) == self._owner != ""
        closed = self._keeps_out(identity)
        said = [
            one
            for one in self._rules
            if one.who.includes(identity, one.effect) and not (closed and one.effect == "allow")
        ]
        same = (level, owner, *map(id, said))
        found = self._same.get(same)
        if found is None:
            rules = (_RULES[level], *said)
            found = self._same[same] = Compiled(rules, identity, owner=owner)
        return found
