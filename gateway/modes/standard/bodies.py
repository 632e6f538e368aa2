"""The body of an upload: raw, or one file of a form (multipart/form-data, RFC 7578).

A form is read as it comes (`gateway.web.forms`): the end of its file is only told to who
stores it (`read` gives b"") when the whole form has been read. Fields that are no files are
skipped; a second file is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.modes.standard.problems import StandardProblem
from gateway.storage import PIECE, BytesBody, InvalidRequest, Readable, TooLarge
from gateway.web.forms import Form, FormPart, is_form
from gateway.web.http_fields import content_length, content_md5, utf8

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
    if not size and not is_form(kind):
        return Body(BytesBody(b""), 0, kind, digests)
    if (admit := environ.get("gateway.admission")) is not None:
        admit()
    source: Readable = environ["wsgi.input"]
    if is_form(kind):
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
    try:
        form = Form(source, size, kind, most=_FIELDS)
    except ValueError as error:
        raise StandardProblem("invalid_request", str(error)) from None
    part = _next_file(form)
    if part is None:
        raise StandardProblem("invalid_request", "The form has no file.")
    return Body(_FileOfForm(part, form), None, part.content_type, digests)


def _next_file(form: Form) -> FormPart | None:
    """The next part that is a file. Raises `InvalidRequest`."""
    while (part := form.next()) is not None and part.filename is None:
        pass
    return part


class _FileOfForm:
    def __init__(self, part: FormPart, form: Form) -> None:
        self._part, self._form = part, form
        self._done = False

    def read(self, size: int = PIECE, /) -> bytes:
        piece = b"" if self._done else self._part.read(size)
        if not piece and not self._done:
            if _next_file(self._form) is not None:
                raise InvalidRequest("The form has more than one file.")
            self._form.end()
            self._done = True
        return piece

    def close(self) -> None:
        """The server closes its input."""
