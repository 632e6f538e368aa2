"""A request's body that is an object, in JSON or as a form, as its `Content-Type` says."""

from __future__ import annotations

from typing import Any

from gateway.web import request_head, short_bodies
from gateway.web.api import form_bodies, json_bodies

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class Untyped(Exception):
    """The body is of no kind that is read. The message is for the client."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def receive(environ: dict[str, Any], limit: int) -> dict[str, Any]:
    """No body is an empty object. Raises `Untyped`, and what `json_bodies.receive` raises."""
    if not request_head.has_body(environ):
        return {}
    said = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if said == JSON:
        return json_bodies.receive(environ, limit)
    if said == FORM:
        return form_bodies.read(short_bodies.receive(environ, limit))
    named = f"is {said}" if said.isprintable() and 0 < len(said) < 100 else "is not said"
    raise Untyped(f"Its Content-Type {named}: it has to be {JSON} or {FORM}.")
