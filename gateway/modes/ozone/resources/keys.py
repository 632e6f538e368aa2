"""Keys: put, got, told about, listed, renamed, deleted."""

from __future__ import annotations

from gateway.modes.ozone import wire
from gateway.modes.ozone.call import Call
from gateway.modes.ozone.problems import OzoneProblem
from gateway.storage import (
    BytesBody,
    Conditions,
    Conflict,
    Delete,
    Entry,
    Get,
    ListQuery,
    MethodNotAllowed,
    NoSuchKey,
    ObjectInfo,
    Opened,
    PreconditionFailed,
    Put,
    Readable,
    TooLarge,
    carried,
)
from gateway.storage.paging import LIMIT
from gateway.web.api import downloads, parameters
from gateway.web.http_fields import (
    content_length,
    content_md5,
    kept,
    utf8,
    write_conditions,
)
from gateway.web.replies import Reply

_THERE = Conditions(if_match=("*",))
_FREE = Conditions(if_none_match=("*",))


# reading


def get(call: Call) -> Reply:
    access, key = call.access, call.place.key
    want = downloads.wanted(call.environ, access.service.store)
    if call.head:

        def stat(wish: Get) -> ObjectInfo:
            return access.stat(key, wish)

        return downloads.told(call.environ, want, stat, wire.described)

    def get(wish: Get) -> Opened:
        return access.get(key, wish)

    return downloads.sent(call.environ, want, get, wire.described)


def info(call: Call) -> Reply:
    found = call.access.stat(call.place.key)
    return wire.document(wire.key(found, wire.md5(found.etag, found.encryption)))


def listed(call: Call) -> Reply:
    prefix, wanted = call.values["prefix"] or "", call.values["max-keys"]
    found, truncated = _page(call, prefix, call.values["prev-key"] or "", wanted)
    said = {
        "name": call.place.bucket,
        "prefix": call.values["prefix"],
        "maxKeys": wanted,
        "truncated": truncated,
        "keyList": [wire.key(one, wire.md5(one.etag)) for one in found],
    }
    return wire.document(said)


def _page(call: Call, prefix: str, after: str, wanted: int) -> tuple[list[Entry], bool]:
    """As many as are wanted, which may be more than a store gives at once; and whether there
    are others."""
    found: list[Entry] = []
    following: str | None = after
    while following is not None and len(found) < wanted:
        limit = min(wanted - len(found), LIMIT)
        page = call.access.list(ListQuery(prefix=prefix, after=following, limit=limit, brief=True))
        found += page.entries
        following = page.next
    return found, following is not None


# writing


def put(call: Call) -> Reply:
    call.require("write")
    environ = call.environ
    size = _length(call)
    options = Put(
        size=size,
        content_type=utf8(environ.get("CONTENT_TYPE") or "") or wire.BINARY,
        headers=kept(environ),
        digests=_digests(call),
        conditions=write_conditions(environ),
    )
    try:
        call.access.put(call.place.key, _body(call, size), options)
    except NoSuchKey as error:  # what is not there has no tag that matches (RFC 9110 §13.1.1)
        raise PreconditionFailed(key=call.place.key, condition="If-Match") from error
    return wire.done(201)


def _length(call: Call) -> int:
    try:
        size = content_length(call.environ)
    except ValueError as error:
        raise OzoneProblem("invalidRequest", str(error)) from None
    if size is None:
        raise OzoneProblem("invalidRequest", "A key is put with a Content-Length.")
    limit = call.gateway.options.max_body
    if size > limit:
        raise TooLarge(limit=limit, size=size)
    return size


def _digests(call: Call) -> dict[str, str]:
    try:
        return content_md5(call.environ)
    except ValueError as error:
        raise OzoneProblem("badDigest", str(error)) from None


def _body(call: Call, size: int) -> Readable:
    if not size:
        return BytesBody(b"")
    call.environ["gateway.admission"]()
    source: Readable = call.environ["wsgi.input"]
    return source


def delete(call: Call) -> Reply:
    """Of a key that is there: where versions are kept, one that is not there gets no marker."""
    call.require("delete")
    conditions = write_conditions(call.environ)
    try:
        done = call.access.delete(call.place.key, Delete(conditions=conditions or _THERE))
    except (PreconditionFailed, MethodNotAllowed):
        if conditions is not None:
            raise
        raise NoSuchKey(key=call.place.key) from None
    if done.existed is False:
        raise NoSuchKey(key=call.place.key)
    return wire.done()


def rename(call: Call) -> Reply:
    """A copy to a key that is not there, on the side of the store; then the key is removed, if it
    is still what was copied."""
    access, key, target = call.access, call.place.key, parameters.key(call.values["toKey"])
    access.require("write", target)
    access.require("delete", key)
    source = access.stat(key)
    if access.service.fold(key) == access.service.fold(target):
        raise OzoneProblem("keyOperationConflict", "The key is called that.")
    same = Conditions(if_match=(source.etag,)) if _is_strong(source) else None
    options = Put(**carried(source, owner="", protection=None), conditions=_FREE)
    try:
        access.copy(access, key, target, Get(conditions=same), options)
    except PreconditionFailed:
        raise OzoneProblem(
            "keyOperationConflict", f"Something is at {target!r}, or the key was changed meanwhile."
        ) from None
    try:
        access.delete(key, Delete(conditions=same or _THERE))
    except (NoSuchKey, PreconditionFailed):
        raise Conflict("The key was changed while it was renamed: both are there now.") from None
    return wire.done()


def _is_strong(info: ObjectInfo) -> bool:
    return bool(info.etag) and not info.etag.startswith("W/")
