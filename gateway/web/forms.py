"""Forms (multipart/form-data, RFC 7578), read as they come and never held.

A part has no length of its own: its end is the delimiter, and that the form goes on as one
after it. So who stores a part tells its end only when `Form.end` has come back: what breaks
off before is `IncompleteBody`.
"""

from __future__ import annotations

from collections.abc import Iterator

from falcon.media.multipart import (
    BodyPart,
    MultipartForm,
    MultipartParseError,
    MultipartParseOptions,
)
from falcon.util.mediatypes import parse_header

from gateway.storage import PIECE, IncompleteBody, InvalidRequest, Readable

FORM = "multipart/form-data"
_LONGEST_BOUNDARY = 70
"""Characters (RFC 2046 §5.1.1)."""


def is_form(content_type: str) -> bool:
    return content_type.lower().startswith(FORM)


class FormPart:
    """One part. `filename` is None for a field that is no file. Raises ValueError for a name
    that is no text: some encodings that a form may say have halves of surrogates."""

    __slots__ = ("_part", "content_type", "filename", "name")

    def __init__(self, part: BodyPart) -> None:
        self._part = part
        self.name, self.filename = part.name, part.filename
        (self.filename or "").encode()
        self.content_type = part.content_type

    def read(self, size: int = PIECE, /) -> bytes:
        """b"" at its end, which is not yet known to be one."""
        piece: bytes = self._part.stream.read(size)
        return piece


class Form:
    """The parts of a form's body, of which `size` bytes were announced; at most `most`.

    Raises ValueError when the content type has no boundary.
    """

    __slots__ = ("_counted", "_parts")

    def __init__(self, source: Readable, size: int, content_type: str, *, most: int) -> None:
        boundary = parse_header(content_type)[1].get("boundary", "")
        if not (0 < len(boundary) <= _LONGEST_BOUNDARY and boundary.isascii()):
            raise ValueError("The form does not say its boundary.")
        options = MultipartParseOptions()
        options.max_body_part_count = most
        self._counted = _Counted(source, size)
        form = MultipartForm(self._counted, boundary.encode(), size, options)
        self._parts: Iterator[BodyPart] = iter(form)

    def next(self) -> FormPart | None:
        """The next part, what is left of the one before being skipped; None after the last.

        Raises `InvalidRequest`, and `IncompleteBody`.
        """
        try:
            part = next(self._parts, None)
            return None if part is None else FormPart(part)
        except MultipartParseError as error:
            self.end()
            raise InvalidRequest(f"The form is malformed: {error.description}.") from error
        except ValueError as error:  # a part's headers are in no encoding that is known
            raise InvalidRequest("The form is malformed: a header is not text.") from error

    def end(self) -> None:
        """Read what is left. Raises `IncompleteBody` when less came than was announced."""
        self._counted.end()


class _Counted:
    def __init__(self, source: Readable, announced: int) -> None:
        self._source, self._announced, self._received = source, announced, 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = self._source.read(PIECE if size is None or size < 0 else size)
        self._received += len(piece)
        return piece

    def end(self) -> None:
        while self.read(PIECE):
            pass
        if self._received < self._announced:
            raise IncompleteBody(expected=self._announced, received=self._received)
