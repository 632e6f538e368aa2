"""Parameters that several operations have, parsed the same way in all of them. That they are
well-formed is known (`constraints`)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from gateway.common.xml import carries
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.storage.paging import LIMIT


def number(request: S3Request, name: str, default: int = LIMIT, most: int = LIMIT) -> int:
    """A count in the query, at most `most`."""
    text = request.query.get(name)
    return default if text is None else min(int(text), most)


def header_number(request: S3Request, name: str, default: int, most: int) -> int:
    text = request.header(name)
    return min(int(text), most) if text else default


def header_flag(request: S3Request, name: str) -> bool:
    """A header that is `true` or `false`, in any case; without it: false."""
    return request.header(name).lower() == "true"


def bypass(request: S3Request) -> bool:
    """Whether a governance retention is to be overridden."""
    return header_flag(request, "x-amz-bypass-governance-retention")


def marker_id(request: S3Request, name: str) -> str:
    """A marker that names a version or an upload. Lists say it again as it is, whatever their
    encoding; so what no document can hold is refused."""
    text = request.param(name)
    if not carries(text):
        raise S3Problem(
            "InvalidArgument", "Invalid id specified", ArgumentName=name, ArgumentValue=text
        )
    return text


def upload_id(request: S3Request) -> str:
    return request.param("uploadId")


def token_of(text: str) -> str:
    """An opaque token from which a list goes on behind `text`."""
    return urlsafe_b64encode(b"1" + text.encode()).decode()


def behind_token(token: str) -> str:
    """Raises InvalidArgument for a token that is not ours."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii"))
        if raw[:1] == b"1" and urlsafe_b64encode(raw) == token.encode("ascii"):
            return raw[1:].decode("utf-8")
    except ValueError:
        pass
    raise no_token(token)


def no_token(text: str) -> S3Problem:
    """Of a continuation token that no answer had."""
    return S3Problem(
        "InvalidArgument",
        "The continuation token provided is incorrect",
        ArgumentName="continuation-token",
        ArgumentValue=text,
    )
