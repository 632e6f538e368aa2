"""What a policy says, and the rules that it makes. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.access.actions import Actions
from gateway.access.rule_conditions import AllOf
from gateway.access.rules import EVERYONE, Effect, Rule, RuleCondition, Who
from gateway.modes.s3.configuration.policy import actions as s3_actions
from gateway.modes.s3.configuration.policy.actions import OF_BUCKET, OF_OBJECT
from gateway.modes.s3.configuration.policy.conditions import Condition
from gateway.modes.s3.configuration.policy.problems import Place, malformed
from gateway.modes.s3.configuration.policy.public import narrows
from gateway.modes.s3.configuration.policy.resources import ResourceHolds, Resources

_ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Statement:
    """`actions` as they were written, unless they are those that are left out; `words` all that
    it is about. `place` is where it stands."""

    place: Place
    sid: str
    effect: Effect
    who: Who
    actions: tuple[str, ...]
    words: frozenset[str]
    resources: Resources
    conditions: tuple[Condition, ...]

    @property
    def public(self) -> bool:
        """Whether it allows everybody something, by no narrow condition ("The meaning of
        'public'", Amazon S3 User Guide)."""
        everybody = EVERYONE in self.who.accounts and self.effect == "allow"
        return everybody and not any(map(narrows, self.conditions))

    def check(self, bucket: str) -> None:
        """Raises MalformedPolicy where it is about nothing of that bucket."""
        self.resources.check(bucket, f"{self.place}.Resource")
        about = frozenset[str]()
        if self.resources.has_bucket(bucket):
            about |= OF_BUCKET
        if self.resources.has_objects(bucket):
            about |= OF_OBJECT
        for one in self.actions:
            if s3_actions.words(one).isdisjoint(about):
                raise malformed(
                    "Action does not apply to any resource(s) in statement",
                    f"{self.place}.Action",
                    one,
                )

    def rules(self, bucket: str) -> Iterator[Rule]:
        resources, denies = self.resources, self.effect == "deny"
        holds: tuple[RuleCondition, ...] = ()
        if not resources.fixed:
            holds = (ResourceHolds(resources, bucket, denies),)
        if resources.has_bucket(bucket):
            found = s3_actions.of_bucket(self.words, denies=denies)
            yield from self._rule(found, (), holds)
        keys = resources.keys(bucket) if resources.fixed else (_ANY,)
        if keys:
            found = s3_actions.of_objects(self.words)
            yield from self._rule(found, () if _ANY in keys else keys, holds)

    def _rule(
        self, actions: Actions, keys: tuple[str, ...], holds: tuple[RuleCondition, ...]
    ) -> Iterator[Rule]:
        conditions = (*(one.as_rules_have_it() for one in self.conditions), *holds)
        if actions:
            yield Rule(
                effect=self.effect,
                who=self.who,
                actions=actions,
                keys=keys,
                when=AllOf(conditions) if conditions else None,
                name=f"policy: {self.sid or self.place}",
                public=self.public,
            )


@dataclass(frozen=True, slots=True, eq=False)
class BucketPolicy:
    """`document` as it came."""

    document: bytes
    statements: tuple[Statement, ...]

    @property
    def public(self) -> bool:
        return any(one.public for one in self.statements)

    def check(self, bucket: str) -> None:
        """Raises MalformedPolicy where a statement is about nothing of that bucket."""
        for one in self.statements:
            one.check(bucket)
