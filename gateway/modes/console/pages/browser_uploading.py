"""Files that are uploaded: by a plain form, and by `static/upload.js`, which sends large ones in
parts and is answered in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gateway.common.media_types import UNKNOWN, guessed
from gateway.modes.console import errors
from gateway.modes.console.browsing import uploading
from gateway.modes.console.browsing.browsed import Browsed, checked, keys_of
from gateway.modes.console.call import Call
from gateway.modes.console.forms import Parts, length, text_of
from gateway.modes.console.page import Handler
from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import PIECE, Busy, Put, StorageError, TooLarge
from gateway.web import request_head, short_bodies
from gateway.web.forms import FormPart
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

_LARGEST_LIST = 4 << 20
"""Bytes of 10,000 ETags in JSON, however long a store makes them."""


def in_json(handler: Handler) -> Handler:
    """What goes wrong is told to the script in words."""

    def answer(call: Call) -> Reply:
        try:
            return handler(call)
        except (StorageError, ConsoleProblem) as error:
            code, status, told = errors.told(error)
            call.environ["gateway.record"].code = code
            _swallow(call)
            return _json({"message": told}, status)

    return answer


def _swallow(call: Call) -> None:
    """Take what is still sent of a body that was refused: a browser that cannot send on does not
    read why. Parts are no longer, but those of files beyond 160 GB."""
    if not request_head.has_body(call.environ):
        return
    with suppress(Busy):
        call.environ["gateway.admission"]()
        left = uploading.SMALLEST
        while left > 0 and (piece := call.body.read(PIECE)):
            left -= len(piece)


def _json(content: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status, [("content-type", "application/json")], json.dumps(content).encode())


# by a script


@in_json
def put(call: Call) -> Reply:
    """A whole file."""
    seen = Browsed(call)
    key = seen.new_key
    seen.access.require("write", key)
    size = _size(call)
    info = seen.access.put(key, call.body, Put(size=size, content_type=_type(call, key)))
    return _json({"size": info.size})


@in_json
def begin(call: Call) -> Reply:
    """An upload in parts, and how large they are to be."""
    seen = Browsed(call)
    key, size = seen.new_key, _number(call, "size")
    limit = call.gateway.options.max_body
    if size > limit:
        raise TooLarge(limit=limit, size=size, key=key)
    upload = seen.access.begin(key, Put(content_type=_type(call, key)))
    return _json({"upload": upload.id, "part": uploading.part_size(size)})


@in_json
def parts(call: Call) -> Reply:
    """Those that are there, by their numbers: they need not be sent again."""
    seen = Browsed(call)
    found = seen.access.all_parts(seen.key, _upload(call))
    there = {str(one.number): {"size": one.size, "etag": one.etag} for one in found}
    return _json({"parts": there})


@in_json
def part(call: Call) -> Reply:
    seen = Browsed(call)
    key, upload, number = seen.key, _upload(call), _number(call, "number")
    if not 0 < number <= uploading.MOST_PARTS:
        raise ConsoleProblem("BadRequest", "Parts have numbers from 1 to 10,000.")
    seen.access.upload(key, upload)
    size = _size(call)
    stored = seen.access.put_part(key, upload, number, call.body, Put(size=size))
    return _json({"size": stored.size, "etag": stored.etag})


@in_json
def complete(call: Call) -> Reply:
    """The body has the ETags of all parts, in their order."""
    seen = Browsed(call)
    key, upload, size = seen.key, _upload(call), _number(call, "size")
    seen.access.require("write", key)
    info = uploading.complete(seen.access, key, upload, _etags(call), size)
    return _json({"size": info.size})


@in_json
def abort(call: Call) -> Reply:
    seen = Browsed(call)
    seen.access.abort(seen.key, _upload(call))
    return _json({})


def _size(call: Call) -> int:
    """Of the body, for which a place is taken. Raises `TooLarge` and `Busy`."""
    size, limit = length(call.environ), call.gateway.options.max_body
    if size > limit:
        raise TooLarge(limit=limit, size=size)
    if size:
        call.environ["gateway.admission"]()
    return size


def _type(call: Call, key: str) -> str:
    """What the browser says of the file; or what its name does."""
    said = call.query.get("type", "")
    return said if said.isascii() and said.isprintable() and said else guessed(key)


def _upload(call: Call) -> str:
    return call.query.get("upload", "")


def _number(call: Call, name: str) -> int:
    number = whole_number(call.query.get(name, ""))
    if number is None:
        raise ConsoleProblem("BadRequest", f"The address has no number as its {name}.")
    return number


def _etags(call: Call) -> list[str]:
    data = short_bodies.receive(call.environ, _LARGEST_LIST)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ConsoleProblem("BadRequest", "The body is no list of ETags in JSON.")
    return found


# by a plain form


def form(call: Call) -> Reply:
    """Files of a form, one after the other, into the folder that the form names before them."""
    seen = Browsed(call)
    limit, size = call.gateway.options.max_body, length(call.environ)
    if size > limit:
        raise TooLarge(limit=limit, size=size)
    assert call.parts is not None, "the page takes such a form"
    folder, count, files = "", 0, _Files(call.parts)
    while (found := files.next()) is not None:
        if found.part.filename is None:
            if found.part.name == "folder":
                (folder,) = keys_of([text_of(found.part, 4096)])
            continue
        name = _base(found.part.filename)
        if not name:  # nothing was chosen
            continue
        key = checked(folder + name)
        kind = found.part.content_type
        if not kind or kind in {"text/plain", UNKNOWN}:
            kind = guessed(name)
        seen.access.put(key, found, Put(content_type=kind))
        count += 1
    if not count:
        raise ConsoleProblem("BadRequest", "No file was chosen.")
    return call.see(seen.place, "uploaded", prefix=folder)


def _base(filename: str) -> str:
    """Some browsers say where the file was on its machine."""
    return filename.replace("\\", "/").rpartition("/")[2]


class _Files:
    """The parts of a form. That one is whole is known once the next has begun, or the form has
    ended: until then who stores it is not told its end."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._following = parts, iter(parts)
        self._ahead: list[FormPart | None] = []

    def next(self) -> _File | None:
        part = self._ahead.pop() if self._ahead else self._forward()
        return None if part is None else _File(part, self)

    def _forward(self) -> FormPart | None:
        part = next(self._following, None)
        if part is None:
            self._parts.end()
        return part

    def look(self) -> None:
        """Raises `IncompleteBody` and `InvalidRequest`."""
        self._ahead.append(self._forward())


class _File:
    """A part as a store reads it."""

    def __init__(self, part: FormPart, files: _Files) -> None:
        self.part, self._files, self._over = part, files, False

    def read(self, size: int = PIECE, /) -> bytes:
        piece = b"" if self._over else self.part.read(size)
        if not piece and not self._over:
            self._files.look()
            self._over = True
        return piece

    def close(self) -> None:
        """The server closes its input."""
