"""Files: get, upload, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.http_fields import (
    CONDITIONAL,
    byte_range,
    etags,
    kept,
    parse_date,
    prefixed,
    read_conditions,
    write_conditions,
)
from gateway.modes.standard import bodies, versions, wire
from gateway.modes.standard.call import Call
from gateway.modes.standard.problems import Problem
from gateway.replies import Reply
from gateway.storage import (
    Busy,
    BytesBody,
    Forbidden,
    Get,
    InvalidRange,
    NotFound,
    ObjectInfo,
    Opened,
    Put,
    Range,
    WrongKey,
    resolve_range,
)

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
    )
    if want.range is not None and "HTTP_IF_RANGE" in environ and not _same(call):
        want = replace(want, range=None)
    return _ask(call, want) if call.head else _send(call, want)


def _same(call: Call) -> bool:
    """Whether the file is still the one of which the client has a part (RFC 9110 §13.1.5)."""
    info = versions.stat(call.access, call.path, Get(), call.values["version"])
    text: str = call.environ["HTTP_IF_RANGE"]
    date = None if '"' in text else parse_date(text)
    if date is not None:
        return info.modified // 1000 == date // 1000
    return info.etag in etags(text) and not info.etag.startswith("W/")


def _send(call: Call, want: Get) -> Reply:
    opened = versions.get(call.access, call.path, want, call.values["version"])
    if opened.trace:
        _note(call, opened.trace)
    headers = wire.described(opened.info)
    status = opened.status
    if want.range is not None and status == 200:
        status = 206
        headers.append(_extent(opened.info, opened.start, opened.length))
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


def _ask(call: Call, want: Get) -> Reply:
    info = versions.stat(call.access, call.path, want, call.values["version"])
    headers = wire.described(info)
    if want.range is None:
        return Reply(200, headers, length=info.size)
    start, length = _located(info, want.range)
    headers.append(_extent(info, start, length))
    return Reply(206, headers, length=length)


def _located(info: ObjectInfo, wanted: Range) -> tuple[int, int]:
    found = resolve_range(wanted, info.size)
    if found is None:
        raise InvalidRange(key=info.key, size=info.size)
    return found


def _extent(info: ObjectInfo, start: int, length: int) -> tuple[str, str]:
    return "content-range", f"bytes {start}-{start + length - 1}/{info.size}"


# uploadfile


def uploadfile(call: Call) -> Reply:
    call.access.require("write")
    environ = call.environ
    metadata = _metadata(environ)
    conditions = write_conditions(environ)
    body = bodies.receive(environ, call.gateway.settings.max_body)
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
    info = call.access.put(call.path, body.source, options)
    return wire.reply(wire.stored(info), 200 if before else 201)


def _metadata(environ: dict[str, Any]) -> Any:
    found = prefixed(environ, _META)
    if sum(len(name.encode()) + len(text.encode()) for name, text in found.items()) > (
        METADATA_LIMIT
    ):
        raise Problem("invalid_request", f"The metadata has more than {METADATA_LIMIT} bytes.")
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
    call.access.require("write")
    done = versions.delete(call.access, call.path, call.values["version"])
    return wire.reply({"path": call.path, "deleted": done.existed, "version": done.version})
