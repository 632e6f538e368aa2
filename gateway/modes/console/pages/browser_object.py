"""One object: what is known of it, its versions, a look at it, a link for somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gateway.modes.console import object_names
from gateway.modes.console.browsing import media_types
from gateway.modes.console.browsing.browsed import Browsed
from gateway.modes.console.browsing.media_types import Preview
from gateway.modes.console.browsing.rows import of_key
from gateway.modes.console.call import Call
from gateway.modes.console.paging import pager, position
from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import (
    NOTHING,
    NULL_VERSION,
    Get,
    MethodNotAllowed,
    NotFound,
    ObjectInfo,
    Put,
    VersionEntry,
    VersionQuery,
    carried,
)
from gateway.web.replies import Reply

PAGE = 50
"""Versions on a page."""

_COPY = "copy"
"""The cause of a restored version, which is one: the same word as for every other."""


def about(call: Call) -> Reply:
    return show(Browsed(call))


class Link(NamedTuple):
    """A URL for somebody else, and until when it counts."""

    url: str
    expires: int


def show(seen: Browsed, link: Link | None = None) -> Reply:
    """`link`: one that was just made. Raises `NotFound` where there is neither an object nor a
    version of it."""
    key, version = seen.key, seen.version
    versions, older = _versions(seen, key)
    info = _look(seen, key, version, has_versions=bool(versions))
    return seen.call.show(
        "browser_object.html",
        seen=seen,
        able=seen.able,
        key=key,
        version=version,
        name=object_names.name_of(key, object_names.folder_of(key)),
        folder=object_names.folder_of(key),
        crumbs=[*object_names.crumbs(object_names.folder_of(key))],
        old=any(one.version == version and not one.latest for one in versions),
        info=info,
        tags=_tags(seen, info),
        secret=info is not None and _is_customers(info),
        preview=None if info is None else _preview(info),
        versions=versions,
        pager=pager(seen.call, older, key=key, version=version),
        link=link,
        shortened=not {".", ".."}.isdisjoint(key.split("/")),
    )


def _look(seen: Browsed, key: str, version: str | None, *, has_versions: bool) -> ObjectInfo | None:
    """None for a delete marker, and for what is deleted while older versions are there."""
    try:
        return seen.access.stat(key, Get(version=version, keyless=True))
    except MethodNotAllowed:
        return None
    except NotFound:
        if version is not None or not has_versions:
            raise
        return None


def _tags(seen: Browsed, info: ObjectInfo | None) -> Mapping[str, str]:
    """What the key may read of them."""
    if info is None or not seen.access.may("read-tags", info.key, seen.version):
        return NOTHING
    return info.tags


@dataclass(frozen=True, slots=True)
class Look:
    """How an object is shown. `cut`: only its beginning is."""

    kind: Preview
    cut: bool = False


def _preview(info: ObjectInfo) -> Look | None:
    kind = media_types.preview(info.content_type, info.key)
    if kind is None or not info.size or _is_customers(info):
        return None
    return Look(kind, kind == "text" and info.size > media_types.TEXT_SHOWN)


def _is_customers(info: ObjectInfo) -> bool:
    """Whether its bytes need a key that only its owner has, and no browser sends."""
    return info.encryption is not None and info.encryption.kind == "customer"


# versions


def _versions(seen: Browsed, key: str) -> tuple[list[VersionEntry], str]:
    """Newest first, and after which the next page begins; "" where there is none."""
    if not seen.able.versions:
        return [], ""
    key = seen.access.service.fold(key)
    after = position(seen.call).after
    query = VersionQuery(prefix=key, limit=PAGE + 1)
    if after:
        query = replace(query, after=key, after_version=after)
    found = [*of_key(seen.access.versions(query).entries, key)]
    if not after and [one.version for one in found] == [NULL_VERSION] and not found[0].marker:
        return [], ""  # nothing but what is shown above
    older = found[PAGE - 1].version if len(found) > PAGE else ""
    return found[:PAGE], older


def restore(call: Call) -> Reply:
    """An older version becomes the current one: a copy of it, so that nothing is lost."""
    seen = Browsed(call)
    key, version = seen.key, seen.version
    if version is None:
        raise ConsoleProblem("BadRequest", "The address does not say which version is meant.")
    access = seen.access
    info = access.stat(key, Get(version=version))
    if info.tags:
        access.require_of("read-tags", info, version)
    own: dict[str, Any] = {"protection": None, "owner": ""}
    options = Put(**carried(info, **own), checksums=dict.fromkeys(info.checksums, ""))
    options = replace(options, checksum_type="FULL_OBJECT" if info.checksums else None, cause=_COPY)
    access.copy(access, key, key, Get(version=version), options)
    return call.see(f"{seen.place}/object", "restored", key=key)
