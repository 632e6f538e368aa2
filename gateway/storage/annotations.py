"""Annotations: named payloads beside the bytes of a version of an object.

They are small (`LARGEST`), have no versions of their own, and go with the version that has
them. What they may be called, and what may be in them, is for the mode to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.storage.bodies import Readable
from gateway.storage.conditions import Conditions
from gateway.storage.objects import NOTHING, ObjectInfo

LARGEST = 1 << 20
"""Bytes of a payload: so it is handed over whole, and read whole for a copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What is known of one without its payload; in the units of an `ObjectInfo`."""

    name: str
    size: int
    etag: str
    """As that of an object: the MD5 of what is in plain bytes or under the gateway's own key."""
    modified: int
    checksums: Mapping[str, str] = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotate:
    """How one is put. `version`: of which version; without it, of the current object.
    `checksums` (base64 text) are kept with it. `conditions` say at most the object's ETag and
    its tags.
    `most`: how many an object may have. `bypass` overrides a governance retention, where one
    is to be replaced."""

    version: str | None = None
    checksums: Mapping[str, str] = NOTHING
    conditions: Conditions | None = None
    most: int | None = None
    bypass: bool = False


class Annotated(NamedTuple):
    """An annotation, and the version that has it."""

    annotation: Annotation
    object: ObjectInfo


class OpenedAnnotation(NamedTuple):
    """One that is being read; whoever opened it closes `body`."""

    annotation: Annotation
    object: ObjectInfo
    body: Readable


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationQuery:
    """A page of an object's annotations: those that begin with `prefix` and come `after` a
    name, in the order of their UTF-8 bytes, at most `limit`."""

    version: str | None = None
    prefix: str = ""
    after: str = ""
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationPage:
    """`next`: the last name on a page that has successors."""

    object: ObjectInfo
    annotations: tuple[Annotation, ...]
    next: str | None = None


class Brought(NamedTuple):
    """One that an object is made with, as another object has it. `read` gives its payload, and
    raises `Conflict` when it is another by now."""

    annotation: Annotation
    read: Callable[[], bytes]
