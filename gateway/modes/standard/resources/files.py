"""Files: get, upload, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.modes.standard import bodies, versions, wire
from gateway.modes.standard.call import Call
from gateway.modes.standard.problems import StandardProblem
from gateway.storage import (
    Forbidden,
    Get,
    NoSuchKey,
    NotFound,
    ObjectInfo,
    Opened,
    PreconditionFailed,
    Put,
    WrongKey,
)
from gateway.web.api import downloads
from gateway.web.http_fields import (
    kept,
    prefixed,
    write_conditions,
)
from gateway.web.replies import Reply

METADATA_LIMIT = 2048
"""Bytes of all names and values, so that the S3 API can show them too."""

_META = "HTTP_X_META_"


# getfile


def getfile(call: Call) -> Reply:
    access, path, version = call.access, call.path, call.values["version"]
    want = downloads.wanted(call.environ, access.service.store)
    if call.head:

        def stat(wish: Get) -> ObjectInfo:
            return versions.stat(access, path, wish, version)

        return downloads.told(call.environ, want, stat, wire.described)

    def get(wish: Get) -> Opened:
        return versions.get(access, path, wish, version)

    return downloads.sent(call.environ, want, get, wire.described)


# uploadfile


def uploadfile(call: Call) -> Reply:
    call.require()
    environ = call.environ
    metadata = _metadata(environ)
    conditions = write_conditions(environ)
    body = bodies.receive(environ, call.gateway.options.max_body)
    options = Put(
        size=body.size,
        headers=kept(environ),
        metadata=metadata,
        digests=body.digests,
        conditions=conditions,
    )
    if body.content_type:
        options = replace(options, content_type=body.content_type)
    before = _was_there(call)
    try:
        info = call.access.put(call.path, body.source, options)
    except NoSuchKey as error:  # what is not there has no tag that matches (RFC 9110 §13.1.1)
        raise PreconditionFailed(key=call.path, condition="If-Match") from error
    return wire.reply(wire.stored(info), 200 if before else 201)


def _metadata(environ: dict[str, Any]) -> Any:
    found = prefixed(environ, _META)
    if sum(len(name.encode()) + len(text.encode()) for name, text in found.items()) > (
        METADATA_LIMIT
    ):
        raise StandardProblem(
            "invalid_request", f"The metadata has more than {METADATA_LIMIT} bytes."
        )
    return found


def _was_there(call: Call) -> bool:
    """Whether the upload replaces a file. It decides about 200 or 201 only: of two uploads
    at once both may say that theirs is the new one."""
    environ = call.environ
    if environ.get("HTTP_IF_NONE_MATCH", "").strip() == "*":
        return False
    if environ.get("HTTP_IF_MATCH"):
        return True
    try:
        call.access.stat(call.path)
    except (NotFound, Forbidden):
        return False
    except WrongKey:  # it is there, encrypted with a customer's key
        return True
    return True


# deletefile


def deletefile(call: Call) -> Reply:
    named = call.values["version"]
    call.require(versions.stored(call.access, named))
    conditions = write_conditions(call.environ)
    if named is not None and conditions is not None:
        raise StandardProblem(
            "invalid_request", "Conditions are for the file, and not for a version."
        )
    try:
        done = versions.delete(call.access, call.path, named, conditions)
    except NoSuchKey as error:
        if conditions is None:
            raise
        raise PreconditionFailed(key=call.path, condition="If-Match") from error
    return wire.reply({"path": call.path, "deleted": done.existed, "version": done.version})
