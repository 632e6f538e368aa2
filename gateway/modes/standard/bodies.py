"""The body of an upload: raw, or one file of a form (multipart/form-data, RFC 7578).

A form is read as it comes, and never held. Its file has no length of its own:
its end is the delimiter, and that the form goes on as one after it. So the
end of the file is only told to who stores it (`read` gives b"") when the whole
form has been read: what breaks off before is `IncompleteBody`, and not stored.
Fields that are no files are skipped; a second file is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from falcon.media.multipart import (
    BodyPart,
    MultipartForm,
    MultipartParseError,
    MultipartParseOptions,
)
from falcon.util.mediatypes import parse_header

from gateway.modes.standard.problems import StandardProblem
from gateway.storage import (
    PIECE,
    BytesBody,
    IncompleteBody,
    InvalidRequest,
    Readable,
    TooLarge,
)
from gateway.web.http_fields import content_length, content_md5, utf8

_FORM = "multipart/form-data"
_FIELDS = 64


class Body(NamedTuple):
    """`size` is None where the source's end is its own proof: in a form."""

    source: Readable
    size: int | None
    content_type: str
    digests: Mapping[str, str]


def receive(environ: dict[str, Any], limit: int) -> Body:
    """Call it for who may write: it takes the request's place among those that may hold a
    thread while they read. Raises `StandardProblem`, `InvalidRequest` and `Busy`."""
    size = _length(environ, limit)
    digests = _content_md5(environ)
    kind = utf8(environ.get("CONTENT_TYPE") or "")
    if not size and not kind.lower().startswith(_FORM):
        return Body(BytesBody(b""), 0, kind, digests)
    if (admit := environ.get("gateway.admission")) is not None:
        admit()
    source: Readable = environ["wsgi.input"]
    if kind.lower().startswith(_FORM):
        return _of_form(source, size, kind, digests)
    return Body(source, size, kind, digests)


def _length(environ: dict[str, Any], limit: int) -> int:
    try:
        size = content_length(environ)
    except ValueError as error:
        raise StandardProblem("invalid_request", str(error)) from None
    if size is None:
        raise StandardProblem("length_required")
    if size > limit:
        raise TooLarge(limit=limit, size=size)
    return size


def _content_md5(environ: dict[str, Any]) -> Mapping[str, str]:
    """Of the file, in a form too."""
    try:
        return content_md5(environ)
    except ValueError as error:
        raise StandardProblem("bad_digest", str(error)) from None


def _of_form(source: Readable, size: int, kind: str, digests: Mapping[str, str]) -> Body:
    boundary = parse_header(kind)[1].get("boundary", "")
    if not (0 < len(boundary) <= 70 and boundary.isascii()):
        raise StandardProblem("invalid_request", "The form does not say its boundary.")
    options = MultipartParseOptions()
    options.max_body_part_count = _FIELDS
    counted = _Counted(source, size)
    form = MultipartForm(counted, boundary.encode(), size, options)
    parts = iter(form)
    part = _next_file(parts, counted)
    if part is None:
        raise StandardProblem("invalid_request", "The form has no file.")
    return Body(_FileOfForm(part, parts, counted), None, part.content_type, digests)


def _next_file(parts: Iterator[BodyPart], counted: _Counted) -> BodyPart | None:
    """The next part that is a file. Raises `InvalidRequest`."""
    try:
        return next((part for part in parts if part.filename is not None), None)
    except MultipartParseError as error:
        counted.check()
        raise InvalidRequest(f"The form is malformed: {error.description}.") from error


class _Counted:
    """The body of the form; `check` tells one that broke off from one that is malformed."""

    def __init__(self, source: Readable, announced: int) -> None:
        self._source, self._announced, self._received = source, announced, 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = self._source.read(PIECE if size is None or size < 0 else size)
        self._received += len(piece)
        return piece

    def check(self) -> None:
        while self.read(PIECE):
            pass
        if self._received < self._announced:
            raise IncompleteBody(expected=self._announced, received=self._received)


class _FileOfForm:
    def __init__(self, part: BodyPart, parts: Iterator[BodyPart], counted: _Counted) -> None:
        self._part, self._parts, self._counted = part, parts, counted
        self._done = False

    def read(self, size: int = PIECE, /) -> bytes:
        piece: bytes = b"" if self._done else self._part.stream.read(size)
        if not piece and not self._done:
            if _next_file(self._parts, self._counted) is not None:
                raise InvalidRequest("The form has more than one file.")
            self._counted.check()
            self._done = True
        return piece

    def close(self) -> None:
        """The server closes its input."""
