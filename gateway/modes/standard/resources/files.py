"""Files: get, upload, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.modes.standard import bodies, versions, wire
from gateway.modes.standard.call import Call
from gateway.modes.standard.problems import StandardProblem
from gateway.storage import (
    Busy,
    BytesBody,
    Forbidden,
    Get,
    NoSuchKey,
    NotFound,
    ObjectInfo,
    Opened,
    PreconditionFailed,
    Put,
    Varies,
    WrongKey,
    range_of,
)
from gateway.web import http_ranges, request_head
from gateway.web.http_fields import (
    CONDITIONAL,
    byte_range,
    kept,
    prefixed,
    read_conditions,
    write_conditions,
)
from gateway.web.replies import Reply

METADATA_LIMIT = 2048
"""Bytes of all names and values, so that the S3 API can show them too."""

_META = "HTTP_X_META_"


# getfile


def getfile(call: Call) -> Reply:
    environ = call.environ
    wanted = environ.get("HTTP_RANGE")
    want = Get(
        range=byte_range(wanted) if wanted else None,
        conditions=None if CONDITIONAL.isdisjoint(environ) else read_conditions(environ),
        query=_variant(call),
    )
    if_range = environ.get("HTTP_IF_RANGE") if want.range is not None else None
    return _ask(call, want, if_range) if call.head else _send(call, want, if_range)


def _variant(call: Call) -> str:
    """What a store reads in a query (an image's width). The rest is this mode's, or nobody's."""
    varies = call.access.service.store.find(Varies)
    names = varies.parameters if varies is not None else None
    return request_head.only(call.environ["QUERY_STRING"], names) if names else ""


def _send(call: Call, want: Get, if_range: str | None) -> Reply:
    def ask(wish: Get) -> Opened:
        return versions.get(call.access, call.path, wish, call.values["version"])

    opened, want = http_ranges.read(ask, want, if_range)
    if opened.trace:
        _note(call, opened.trace)
    headers = wire.described(opened.info)
    status = opened.status
    if want.range is not None and status == 200 and opened.length:
        status = 206
        headers += http_ranges.extent(opened.info, opened.start, opened.length)
    body = opened.body
    if isinstance(body, BytesBody):
        return Reply(status, headers, body.data)
    _admit(call, opened)
    return Reply(status, headers, body, opened.length)


def _note(call: Call, trace: tuple[str, ...]) -> None:
    record = call.environ.get("gateway.record")
    if record is not None:
        record.cache = ", ".join(trace)


def _admit(call: Call, opened: Opened) -> None:
    """Take a place for a long answer here, where a refusal is still an error in JSON."""
    try:
        if (admit := call.environ.get("gateway.admission")) is not None:
            admit(answer=True)
    except Busy:
        opened.close()
        raise


def _ask(call: Call, want: Get, if_range: str | None) -> Reply:
    def ask(wish: Get) -> ObjectInfo:
        return versions.stat(call.access, call.path, wish, call.values["version"])

    info, want = http_ranges.read(ask, want, if_range)
    if info.trace:
        _note(call, info.trace)
    headers = wire.described(info)
    if want.range is None:
        return Reply(200, headers, length=info.size)
    start, length = range_of(info, want)
    headers += http_ranges.extent(info, start, length)
    return Reply(206 if length else 200, headers, length=length)


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
