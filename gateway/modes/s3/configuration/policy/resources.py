"""What a statement is about: a bucket, and objects in it, by their Amazon Resource Names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.access.actions import OBJECT_ACTIONS
from gateway.access.rules import Question
from gateway.modes.s3.configuration.policy.keys import value_of
from gateway.modes.s3.configuration.policy.problems import Place, malformed
from gateway.modes.s3.configuration.policy.text import Text, fits_text, remainders, text
from gateway.storage.folding import lower

_ARN = re.compile(r"arn:aws[a-z-]*:s3:::(?!/)(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Resources:
    """`texts` are of `bucket` or `bucket/key`. `negated`: all but those."""

    texts: tuple[Text, ...]
    negated: bool

    def has_bucket(self, bucket: str) -> bool:
        """Whether it may be about the bucket itself."""
        return self.negated or any(fits_text(one.widest, bucket) for one in self.texts)

    def has_objects(self, bucket: str) -> bool:
        return self.negated or any(remainders(one.widest, f"{bucket}/") for one in self.texts)

    def check(self, bucket: str, place: Place) -> None:
        """Raises MalformedPolicy for a name that is nothing of this bucket's."""
        for one in self.texts:
            alone = Resources((one,), negated=False)
            if not (alone.has_bucket(bucket) or alone.has_objects(bucket)):
                raise malformed("Policy has invalid resource", place, one.widest)

    @property
    def fixed(self) -> bool:
        """Whether they are the same for all requests, and named themselves."""
        return not (self.negated or any(one.variables for one in self.texts))

    def keys(self, bucket: str) -> tuple[str, ...]:
        """Patterns of the keys that it is about."""
        found = {key for one in self.texts for key in remainders(one.widest, f"{bucket}/")}
        return tuple(sorted(found - {""}))


@dataclass(frozen=True, slots=True, eq=False)
class ResourceHolds:
    """Whether a statement is about what is asked for; asked for no object in particular, whether
    it may be."""

    resources: Resources
    bucket: str
    denies: bool

    def __call__(self, question: Question) -> bool:
        if question.action not in OBJECT_ACTIONS:
            name = self.bucket
        elif question.key is None:
            return not self.denies
        else:
            name = f"{self.bucket}/{question.key}"
        patterns = [one.pattern(value_of(question)) for one in self.resources.texts]
        if question.folded:
            patterns = [one and lower(one) for one in patterns]
        found = any(one is not None and fits_text(one, name) for one in patterns)
        return found is not self.resources.negated


def parsed(names: tuple[str, ...], place: Place, *, negated: bool, variables: bool) -> Resources:
    """Raises MalformedPolicy."""
    return Resources(tuple(_text(one, place, variables) for one in names), negated)


def _text(name: str, place: Place, variables: bool) -> Text:
    match = _ARN.fullmatch(name)
    if match is None and name != "*":
        raise malformed("Policy has invalid resource", place, name)
    try:
        return text("*" if match is None else match[1], wild=True, variables=variables)
    except ValueError as error:
        raise malformed("Policy has invalid resource", place, error) from None
