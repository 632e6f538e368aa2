"""What a POST brings. Whatever it is, its token was compared before a handler sees any of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import Readable
from gateway.web import forms, request_head, short_bodies
from gateway.web.http_fields import content_length

TOKEN = "csrf"  # noqa: S105 — the field's name
URLENCODED = "application/x-www-form-urlencoded"
_LONGEST_TOKEN = 1 << 10
MOST_PARTS = 10_000
MOST_FIELDS = 20_000
"""Twice as many as any page has. Without a bound they would be held apart: a form of 32 MiB as
1.6 GB."""


class Fields(dict[str, str]):
    """Each field's first value; `every` has all of a name that comes several times."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__()
        self._pairs = pairs
        for name, value in pairs:
            self.setdefault(name, value)

    def every(self, name: str) -> list[str]:
        return [value for one, value in self._pairs if one == name]

    def text(self, name: str) -> str:
        """Without blanks around it; "" where it is missing."""
        return self.get(name, "").strip()


NO_FIELDS = Fields([])


def read_fields(environ: Mapping[str, Any], limit: int) -> Fields:
    """Raises `ConsoleProblem` and `IncompleteBody`."""
    if not request_head.has_body(environ):
        return NO_FIELDS
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind != URLENCODED:
        raise ConsoleProblem("UnsupportedMediaType")
    if length(environ) > limit:
        raise ConsoleProblem("TooLarge", f"A form of this page has {limit} bytes at most.")
    data = short_bodies.receive(environ, limit)
    if data.count(b"&") >= MOST_FIELDS:
        raise ConsoleProblem("TooLarge", f"A form has {MOST_FIELDS:,} fields at most.")
    try:
        return Fields(list(request_head.pairs(data.decode("latin-1"))))
    except ValueError:
        raise ConsoleProblem("BadRequest", "The form is not UTF-8.") from None


def length(environ: Mapping[str, Any]) -> int:
    """Bytes of the body. Raises `ConsoleProblem` when they were not announced."""
    try:
        found = content_length(environ)
    except ValueError:
        found = None
    if found is None:
        raise ConsoleProblem("LengthRequired")
    return found


class Parts:
    """A form with files: its first field is the token, then come the others, as they are sent."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        kind = environ.get("CONTENT_TYPE", "")
        if not forms.is_form(kind):
            raise ConsoleProblem("UnsupportedMediaType")
        size = length(environ)
        environ["gateway.admission"]()
        source: Readable = environ["wsgi.input"]
        try:
            self._form = forms.Form(source, size, kind, most=MOST_PARTS)
        except ValueError as error:
            raise ConsoleProblem("BadRequest", str(error)) from None
        first = self._form.next()
        given = first is not None and first.name == TOKEN and first.filename is None
        self.token = text_of(first) if first is not None and given else ""

    def __iter__(self) -> Iterator[forms.FormPart]:
        while (part := self._form.next()) is not None:
            yield part

    def end(self) -> None:
        """Read what is left. Raises `IncompleteBody`: until then the last part may be cut."""
        self._form.end()


def text_of(part: forms.FormPart, limit: int = _LONGEST_TOKEN) -> str:
    """A field's value. Raises `ConsoleProblem`."""
    data = b""
    while piece := part.read(limit + 1):
        data += piece
        if len(data) > limit:
            raise ConsoleProblem("TooLarge", f"The field {part.name!r} is too long.")
    try:
        return data.decode()
    except ValueError:
        raise ConsoleProblem("BadRequest", "The form is not UTF-8.") from None
