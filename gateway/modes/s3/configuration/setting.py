"""What the kinds of a bucket's configuration have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from gateway.access.access import Access
from gateway.access.settings import Parsed, SettingKind
from gateway.modes import Gateway
from gateway.modes.s3.problems import S3Problem, malformed

T = TypeVar("T")


class RefusedDocument(ValueError):
    """A document that S3 refuses: `problem` says how, and perhaps where (`Detail`)
    or what would be right (`Advice`)."""

    def __init__(self, problem: S3Problem) -> None:
        place = problem.extra.get("Detail") or problem.extra.get("Advice")
        super().__init__(f"{problem} ({place})" if place else str(problem))
        self.problem = problem


def of_text(parse: Callable[[bytes], T]) -> Callable[[str], T]:
    """`parse`, which raises `S3Problem`, as `SettingKind` wants it."""

    def parsed(text: str) -> T:
        try:
            return parse(text.encode())
        except S3Problem as problem:
            raise RefusedDocument(problem) from None

    return parsed


def fitting(check: Callable[[Gateway, Access, T], None]) -> Callable[[Any, Any, T], None]:
    """`check`, which raises `S3Problem`, as `SettingKind` wants it."""

    def fits(gateway: Gateway, access: Access, value: T) -> None:
        try:
            check(gateway, access, value)
        except S3Problem as problem:
            raise RefusedDocument(problem) from None

    return fits


class BucketSetting(NamedTuple, Generic[T]):
    """`render` writes what was parsed as S3 answers it. Where a bucket has no such setting,
    `missing` is S3's code, or `nothing` the document that says so. `malformed` is the code of a
    document that is no text."""

    kind: SettingKind[T]
    render: Callable[[T], bytes]
    missing: str = ""
    malformed: str = "MalformedXML"
    nothing: bytes = b""

    def read(self, data: bytes) -> Parsed[T]:
        """Raises S3Problem."""
        try:
            return self.kind.parsed(data.decode())
        except UnicodeDecodeError:
            raise malformed("It is not UTF-8.", self.malformed) from None
        except RefusedDocument as error:
            raise error.problem from None

    def of(self, value: T) -> Parsed[T]:
        """The document that says so."""
        return Parsed(self.render(value).decode(), value)
