"""May this identity do this to that key? The deciding half of `Access`, for every mode.

A mode translates its own language of rules (S3 ACLs, …) into grants on a service or an
object, or into the rules of a setting; they are evaluated in `evaluation` only, so that what
one door denies no other door gives. What is decided about is an action and a key.

No answer depends on data before it is authorized: who may neither read a key
nor list its service cannot tell a missing key from a private one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from gateway.access.actions import Action, Actions, of
from gateway.access.evaluation import Compiled, Verdict
from gateway.access.grants import GRANTS
from gateway.access.identity import Identity
from gateway.access.rules import Facts, Question, Target
from gateway.access.ruleset import RuleSet
from gateway.access.target import SeenTarget, StoredTarget
from gateway.storage import (
    Annotate,
    Conditions,
    Delete,
    Forbidden,
    Get,
    MethodNotAllowed,
    NoSuchUpload,
    NotFound,
    ObjectInfo,
    Put,
    StorageError,
    Store,
    Upload,
    WrongKey,
)
from gateway.storage.folding import lower

_NEEDS_KEY: Actions = frozenset(("read", "read-version"))
"""For these a customer's key must fit."""


class Authorizer:
    """What the rules of a service (`said`, and `compiled` for the identity) let it do, where that
    depends on something: the key, the `facts` of the request, the object."""

    __slots__ = ("_compiled", "_facts", "_identity", "_said", "_store")

    def __init__(
        self, store: Store, identity: Identity, said: RuleSet, compiled: Compiled, facts: Facts
    ) -> None:
        self._store, self._identity, self._facts = store, identity, facts
        self._said, self._compiled = said, compiled

    def may(self, action: Action, key: str | None, version: str | None = None) -> bool:
        return self._may(action, key, self._target(key, Get(version=version)))

    def _may(self, action: Action, key: str | None, target: Target) -> bool:
        return action in self._compiled.always or self._decided(action, key, target) == "allow"

    def might(self, action: Action) -> bool:
        return self._compiled.might(action, self._facts, self._identity)

    def require(self, action: Action, key: str | None, version: str | None = None) -> None:
        if not self.may(action, key, version):
            raise Forbidden

    def _decided(self, action: Action, key: str | None, target: Target) -> Verdict:
        folded = not self._said.case_sensitive
        if folded and key is not None:
            key = lower(key)
        question = Question(action, key, self._facts, self._identity, target, folded)
        return self._compiled.decide(*question).verdict

    def _target(self, key: str | None, want: Get) -> StoredTarget:
        return StoredTarget(self._store, key, want)

    # of an object that is there

    def hidden(self, error: StorageError, key: str) -> StorageError:
        """What to say of a missing object to somebody who may perhaps not know of it."""
        return error if self.may("list", key) else Forbidden()

    def object(self, action: Action, key: str, want: Get) -> ObjectInfo:
        """The object, once it is sure that `action` may be done to it."""
        action = of(action, want.version)
        allowed = self._may_any(action, key, want)
        keyless = action not in _NEEDS_KEY
        try:
            info = self._store.stat(
                key, Get(version=want.version, encryption=want.encryption, keyless=keyless)
            )
        except (NotFound, MethodNotAllowed, WrongKey) as error:
            raise self.hidden(error, key) from None
        if not allowed:
            self.require_of(action, info, want.version)
        return info

    def _may_any(self, action: Action, key: str, want: Get) -> bool:
        """Whether the service's rules allow it whatever the object is; else it depends on that
        (`require_of`). Raises `Forbidden` when they deny it."""
        target = self._target(key, want)
        verdict = self._decided(action, key, target)
        if verdict == "deny":
            raise Forbidden(key=key)
        return verdict == "allow" and not target.looked

    def require_of(self, action: Action, info: ObjectInfo, version: str | None) -> None:
        """What depends on the object that was found: what the service's rules say of it, and
        where they say nothing, what it says itself."""
        verdict = self._decided(action, info.key, SeenTarget(info, version))
        if verdict == "deny" or (
            verdict == "none" and action not in self._said.given_by(info, self._identity)
        ):
            raise Forbidden(key=info.key)

    def may_read(self, action: Action, key: str, want: Get) -> bool:
        """False where it depends on the object, as it is now. Raises `Forbidden`."""
        if self._may_any(action, key, want):
            return True
        self.object("read", key, want)
        return False

    def require_found(self, action: Action, key: str, want: Get) -> None:
        """Of the version that a look at the key has found, and nobody named."""
        try:
            info = self._store.stat(key, Get(version=want.version, encryption=want.encryption))
        except (NotFound, MethodNotAllowed, WrongKey) as error:
            raise self.hidden(error, key) from None
        self.require_of(action, info, None)

    # of what is made and removed

    def require_making(self, key: str, options: Put) -> None:
        self.require("write", key)
        if options.tags:
            self.require("write-tags", key)
        if GRANTS in options.attributes:
            self._require_list(key, options.attributes[GRANTS])
        if options.protection is not None:
            if options.protection.mode is not None:
                self.require("write-retention", key)
            if options.protection.hold:
                self.require("write-hold", key)

    def _require_list(self, key: str, listed: Iterable[tuple[str, str]]) -> None:
        """One that gives nobody anything but who writes and who owns the service needs to be
        allowed by nobody, only not to be denied."""
        verdict = self._decided("write-new-acl", key, self._target(key, Get()))
        if verdict == "deny" or (
            verdict == "none" and not self._said.stays(listed, self._identity)
        ):
            raise Forbidden

    def require_begun(self, action: Action, key: str, find: Callable[[], Upload]) -> None:
        """What may be done to an upload by who may do it to any, and, where the rules say
        nothing, by who began that one ("Multipart upload API and permissions", Amazon S3 User
        Guide). Who may not, does not learn whether it is there."""
        verdict = self._decided(action, key, self._target(key, Get()))
        if verdict == "allow":
            return
        if verdict == "none":
            with suppress(NoSuchUpload):
                if self._said.is_its_own(find(), self._identity):
                    return
        raise Forbidden

    def require_compared(self, key: str, conditions: Conditions) -> None:
        """What is compared with an object tells what it is, so that is for who may read it, as
        at S3; whether there is one, who writes may ask."""
        self._require_compared(key, conditions, self._target(key, Get()))

    def _require_compared(self, key: str, conditions: Conditions, target: StoredTarget) -> None:
        if not conditions.compares:
            return
        version = target.version
        action = of("read", version)
        if self._may(action, key, target):
            return
        try:
            info = self._store.stat(key, Get(version=version, keyless=True))
        except (NotFound, MethodNotAllowed):
            self.require("list", key)
        else:
            self.require_of(action, info, version)

    def require_changing(
        self, key: str, version: str | None, *actions: Action
    ) -> Mapping[str, Any] | None:
        """What of the object it was decided by, where it was: who acts names that in a
        condition."""
        target = self._target(key, Get(version=version))
        if not all(self._may(action, key, target) for action in actions):
            raise Forbidden
        return target.seen

    def require_removing(
        self, action: Action, key: str, options: Delete | Annotate
    ) -> Mapping[str, Any] | None:
        """As `require_changing`; `action` removes or replaces something."""
        target = self._target(key, Get(version=options.version))
        if not self._may(of(action, options.version), key, target):
            raise Forbidden
        if options.bypass and not self._may("bypass-governance", key, target):
            raise Forbidden("The key may not override a retention.")
        if options.conditions is not None:
            self._require_compared(key, options.conditions, target)
        return target.seen
