"""A query's `x-amz-*` parameters → headers.

Presigners (of JavaScript, Ruby, Java, PHP, Go) move headers of a request into its
URL. A signature covers the whole query, that in an Authorization header too, so what
stands there has the effect that it has as a header; where header and parameter differ,
the request is refused, and so is a parameter that nothing signed.

May surprise: the checksum of an empty body is left alone, with the name of its algorithm:
presigners that have no body yet write it (`x-amz-checksum-crc32=AAAAAA==`). Any other is a
promise of what will be sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.common import sigv4
from gateway.modes.s3 import known_headers
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.storage.checksums import CHECKSUMS, compute
from gateway.web import request_head
from gateway.web.http_fields import is_token

_PREFIX = "x-amz-"
_CHECKSUMS = {f"x-amz-checksum-{name.lower()}": name for name in CHECKSUMS}
_NAMED = "x-amz-sdk-checksum-algorithm"

_OF_SIGNATURE = {
    name.lower(): name
    for name in (
        "X-Amz-Algorithm",
        "X-Amz-Content-Sha256",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    )
}
"""What `claims` reads of a URL's signature, in the one spelling that it knows."""


def fold(request: S3Request) -> bool:
    """Put the query's parameters beside the headers of a request whose signature was
    verified. False: there were none. Raises S3Problem."""
    if not any(name[:6].lower() == _PREFIX for name in request.query):
        return False
    by_url = _signed(request) and "HTTP_AUTHORIZATION" not in request.environ
    seen: set[str] = set()
    for spelled, value in request_head.pairs(request.environ["QUERY_STRING"]):
        name = spelled.lower()
        if not name.startswith(_PREFIX):
            continue
        if name in seen:
            raise _malformed(f"The parameter {spelled} is there twice.")
        seen.add(name)
        if name in _OF_SIGNATURE:
            if not by_url or spelled != _OF_SIGNATURE[name]:
                raise _malformed(f"The parameter {spelled} is of no use here.")
            if name != "x-amz-content-sha256":
                continue
        if not _of_no_body(name, value):
            _add(request, name, value)
    return True


def _of_no_body(name: str, value: str) -> bool:
    if name == _NAMED:
        return value.upper() in CHECKSUMS
    return name in _CHECKSUMS and value == compute(_CHECKSUMS[name], b"")


def unknown(query: Mapping[str, str]) -> tuple[str, ...]:
    """The parameters for headers that nobody has decided about (`known_headers`)."""
    names = {name.lower() for name in query} - _OF_SIGNATURE.keys()
    return known_headers.unknown(sorted(names))


def _signed(request: S3Request) -> bool:
    return request.authenticated.credential is not None


def _add(request: S3Request, name: str, text: str) -> None:
    if not _signed(request):
        raise S3Problem(
            "AccessDenied",
            "There were parameters present in the request which were not signed",
            ParametersNotSigned=name,
        )
    if not is_token(name) or any(ord(one) < 32 or ord(one) == 127 for one in text):
        raise _wrong(name, "A parameter that stands for a header must be one.")
    key, value = request_head.variable(name), text.strip(" ").encode().decode("latin-1")
    given = request.environ.setdefault(key, value)
    if sigv4.canonical_value(given) != sigv4.canonical_value(value):
        raise _wrong(name, "A header and the parameter of its name say different things.")


def _malformed(text: str) -> S3Problem:
    return S3Problem("AuthorizationQueryParametersError", text)


def _wrong(name: str, text: str) -> S3Problem:
    return S3Problem("InvalidArgument", text, ArgumentName=name)
