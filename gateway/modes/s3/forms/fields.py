"""The fields of a form, which come before its file, and what they are as headers.

A field has the effect of the header of its name, through the same functions: once it is known
who signed the form, `fold` puts the fields beside the request's headers. What no header is
called (`acl`, `tagging`) gets the name that it has there.

May surprise: names count without their case. `${filename}` stands in any field for the name of
the file, without the folders that some browsers give with it. What comes behind the file is
not read for what it says, as in S3.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from gateway.modes.s3 import parsing
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.signatures.auth import BY_NETWORK
from gateway.modes.s3.sums import unknown_checksum
from gateway.storage import IncompleteBody, InvalidRequest, Readable
from gateway.storage.checksums import CHECKSUMS
from gateway.web import http_fields
from gateway.web.request_head import variable

if TYPE_CHECKING:
    from gateway.web.forms import Form, FormPart

LIMIT = 20 << 10
"""Bytes of all fields before the file, names and values (AWS: 20 KB)."""

_MOST = 256
"""Parts, the file too."""

_FILENAME = "${filename}"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_CHECKSUM = "x-amz-checksum-"
_AS_HEADERS = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-type",
        "expires",
        "x-amz-acl",
        "x-amz-expected-bucket-owner",
        "x-amz-request-payer",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-storage-class",
        "x-amz-tagging",
        "x-amz-website-redirect-location",
        *(f"{_CHECKSUM}{name.lower()}" for name in CHECKSUMS),
    }
)
_AS_HEADERS_BY_PREFIX = (
    "x-amz-grant-",
    "x-amz-meta-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
)
_OTHER_NAMES = {
    "acl": "x-amz-acl",
    "tagging": "x-amz-tagging",
    "x-amz-checksum-algorithm": "x-amz-sdk-checksum-algorithm",
}
"""Fields that in a request are called otherwise."""

_OF_SIGNATURE = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"})
"""For rules that ask how a request is signed."""


class Submission(NamedTuple):
    """`fields` by their names in lower case; `form` goes on with what `file` leaves unread."""

    fields: Mapping[str, str]
    file: FormPart
    form: Form

    def end(self) -> None:
        """Behind the file: its end is one when the form goes on there, and all came that was
        announced. Raises S3Problem, and `IncompleteBody`."""
        try:
            self.form.next()
        except IncompleteBody:
            raise
        except InvalidRequest:
            raise S3Problem("MalformedPOSTRequest") from None
        self.form.end()


def read(request: S3Request, size: int) -> Submission:
    """All fields up to the file; `size` is the body's. It is to be called when the request has
    its place among those that read. Raises S3Problem, and `IncompleteBody`."""
    # Here: few upload by forms, and their parser is a fifth of all that the mode would load.
    from gateway.web.forms import Form, is_form

    kind = http_fields.utf8(request.environ.get("CONTENT_TYPE") or "")
    if not is_form(kind):
        raise S3Problem(
            "PreconditionFailed",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
    source: Readable = request.environ["wsgi.input"]
    try:
        form = Form(source, size, kind, most=_MOST)
        return _upload(form)
    except IncompleteBody:
        raise
    except (ValueError, InvalidRequest):
        raise S3Problem("MalformedPOSTRequest") from None


def _upload(form: Form) -> Submission:
    fields: dict[str, str] = {}
    left = LIMIT
    while (part := form.next()) is not None:
        name = (part.name or "").lower()
        if name == "file":
            return Submission(_expanded(fields, part.filename), part, form)
        value = _all(part, left)
        left -= len(name) + len(value)
        if left < 0:
            raise S3Problem("MaxPostPreDataLengthExceeded", MaxPostPreDataLengthBytes=str(LIMIT))
        if name in fields:
            raise wrong(name, "The form has a field twice.", fields[name])
        fields[name] = value.decode()
    raise wrong("file", "POST requires exactly one file upload per request.", "0")


def _all(part: FormPart, limit: int) -> bytes:
    """Its bytes, of which one is beyond `limit` when there are more."""
    found = b""
    while len(found) <= limit and (piece := part.read(limit + 1 - len(found))):
        found += piece
    return found


def _expanded(fields: Mapping[str, str], filename: str | None) -> Mapping[str, str]:
    """A file that has no name gives none: then the text stays as it is."""
    if filename is None:
        return fields
    name = re.split(r"[/\\]", filename)[-1]
    return {field: text.replace(_FILENAME, name) for field, text in fields.items()}


def fold(request: S3Request, fields: Mapping[str, str]) -> None:
    """Put the fields beside the request's headers, of which none may say such things by
    itself. Raises S3Problem."""
    environ = request.environ
    if any(key.startswith("HTTP_X_AMZ_") for key in environ.keys() - BY_NETWORK):
        raise S3Problem(
            "InvalidRequest", "What an upload by a form says of its object are fields, not headers."
        )
    for key, _ in http_fields.KEPT:  # a browser's own, as Cache-Control of a page that is reloaded
        environ.pop(key, None)
    environ["CONTENT_TYPE"] = ""
    for name, text in _as_headers(fields):
        if not http_fields.is_token(name) or _CONTROL.search(text):
            raise wrong(name, "A field that stands for a header must be one.", text)
        environ[variable(name)] = text.strip(" ").encode().decode("latin-1")


def _as_headers(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    for name, text in fields.items():
        if name in _AS_HEADERS or name in _OF_SIGNATURE or name.startswith(_AS_HEADERS_BY_PREFIX):
            found.append((name, text))
        elif name in _OTHER_NAMES:
            header = _OTHER_NAMES[name]
            if header in fields:
                raise wrong(name, f"The form has {name} and {header}.", text)
            found.append((header, _tags(text) if name == "tagging" else text))
        elif name.startswith(_CHECKSUM):
            raise unknown_checksum()
        elif name.startswith("x-amz-"):
            raise wrong(name, "An upload by a form has no such field.", text)
    if "signature" in fields:  # of version 2: rules ask how a request is signed
        found.append(("x-amz-signature", fields["signature"]))
    return found


def _tags(document: str) -> str:
    """In a form they are XML."""
    return urlencode(parsing.tagging(document.encode()))


def wrong(name: str, message: str, value: str) -> S3Problem:
    return S3Problem("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def missing(name: str) -> S3Problem:
    return wrong(
        name,
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the"
        " order of the fields.",
        "",
    )
