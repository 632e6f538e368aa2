"""What the kinds of a bucket's configuration have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from gateway.access.settings import SettingKind
from gateway.modes.s3.problems import S3Problem

T = TypeVar("T")


class Refused(ValueError):
    """A document that S3 refuses: `problem` says how, and perhaps where (`Detail`)."""

    def __init__(self, problem: S3Problem) -> None:
        place = problem.extra.get("Detail")
        super().__init__(f"{problem} ({place})" if place else str(problem))
        self.problem = problem


def document(parse: Callable[[bytes], T]) -> Callable[[str], T]:
    """`parse`, which raises `S3Problem`, as `SettingKind` wants it."""

    def parsed(text: str) -> T:
        try:
            return parse(text.encode())
        except S3Problem as problem:
            raise Refused(problem) from None

    return parsed


class BucketSetting(NamedTuple, Generic[T]):
    """`render` writes what was parsed as S3 answers it. `missing` is S3's code where a bucket
    has no such setting."""

    kind: SettingKind[T]
    render: Callable[[T], bytes]
    missing: str
