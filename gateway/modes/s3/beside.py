"""What a request does beside what it is for: it removes each key of a DeleteObjects, it reads the
source of a copy. Access logs have a line for each of these."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

_NAME = "gateway.s3.beside"


class Beside(NamedTuple):
    """`operation` as access logs call it; `code` is that of an error."""

    bucket: str
    operation: str
    key: str
    version: str = ""
    status: int = 200
    code: str = ""


def note(environ: MutableMapping[str, Any], one: Beside) -> None:
    environ.setdefault(_NAME, []).append(one)


def noted(environ: Mapping[str, Any]) -> Sequence[Beside]:
    found: Sequence[Beside] = environ.get(_NAME, ())
    return found
