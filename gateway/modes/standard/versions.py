"""What versions are called in this mode, and how they are found again.

A service that keeps no versions calls what it has the null version, whatever
its bytes. A follower of the change feed must never get newer bytes under an
older name; so here the null version is called `null-` and its ETag: who asks
for it gets those bytes, or `version_gone`. Plain `null` is understood as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gateway.access.access import Access
from gateway.storage import (
    NULL_VERSION,
    Conditions,
    Delete,
    Deleted,
    Get,
    NoSuchKey,
    NoSuchVersion,
    NotModified,
    ObjectInfo,
    Opened,
    PreconditionFailed,
    Versions,
)

_NULL = f"{NULL_VERSION}-"
T = TypeVar("T", ObjectInfo, Opened)


def name(version: str | None, etag: str) -> str | None:
    """None: what is there cannot be named."""
    if version is not None and version != NULL_VERSION:
        return version
    return _NULL + etag if etag else version


def get(access: Access, path: str, want: Get, named: str | None) -> Opened:
    """Open it. Raises `NoSuchVersion` when `named` is not there any more."""
    if named is None:
        return access.get(path, want)
    opened = _find(access, path, want, named, access.get)
    if not _fits(opened.info, named):
        opened.close()
        raise NoSuchVersion(key=path, version=named)
    return opened


def stat(access: Access, path: str, want: Get, named: str | None) -> ObjectInfo:
    """The same without the bytes."""
    if named is None:
        return access.stat(path, want)
    info = _find(access, path, want, named, access.stat)
    if not _fits(info, named):
        raise NoSuchVersion(key=path, version=named)
    return info


def _find(access: Access, path: str, want: Get, named: str, read: Callable[[str, Get], T]) -> T:
    if not named.startswith(_NULL):
        access.service.need(Versions)
        return read(path, replace(want, version=named))
    try:
        return read(path, replace(want, version=_null(access)))
    except NotModified as error:
        if _fits(error.info, named):
            raise
    except NoSuchKey:
        pass
    raise NoSuchVersion(key=path, version=named)


def stored(access: Access, named: str | None) -> str | None:
    """How the store itself calls it."""
    return _null(access) if named is not None and named.startswith(_NULL) else named


def _null(access: Access) -> str | None:
    """One without versions has no names."""
    return None if access.service.find(Versions) is None else NULL_VERSION


def _fits(info: ObjectInfo, named: str) -> bool:
    return not named.startswith(_NULL) or name(info.version, info.etag) == named


def delete(
    access: Access, path: str, named: str | None, conditions: Conditions | None = None
) -> Deleted:
    """Remove it; a version that is not there any more is no error. `conditions` are for what
    has no name."""
    if named is None:
        return access.delete(path, Delete(conditions=conditions))
    if not named.startswith(_NULL):
        access.service.need(Versions)
        return access.delete(path, Delete(version=named))
    same = Conditions(if_match=(named.removeprefix(_NULL),))
    try:
        done = access.delete(path, Delete(version=_null(access), conditions=same))
    except (NoSuchKey, NoSuchVersion, PreconditionFailed):
        return Deleted(path, existed=False, version=named)
    return done._replace(version=named)
