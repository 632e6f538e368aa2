"""Parameters that several operations have, parsed the same way in all of them."""

from __future__ import annotations

import re

from gateway.common.xml import carries
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.wire import whole_number
from gateway.storage.paging import LIMIT

_LARGEST = 2**31 - 1
_NEGATIVE = re.compile("-[0-9]+")


def number(request: S3Request, name: str, default: int = LIMIT, most: int = LIMIT) -> int:
    """A count in the query, at most `most`. Raises InvalidArgument when it is none."""
    text = request.query.get(name)
    return default if text is None else min(_number(name, text), most)


def header_number(request: S3Request, name: str, default: int, most: int) -> int:
    text = request.header(name)
    return min(_number(name, text), most) if text else default


def header_flag(request: S3Request, name: str) -> bool:
    """A header that is `true` or `false`, in any case; without it: false. Raises
    InvalidArgument."""
    text = request.header(name)
    if text.lower() not in ("", "true", "false"):
        raise S3Problem("InvalidArgument", ArgumentName=name, ArgumentValue=text)
    return text.lower() == "true"


def bypass(request: S3Request) -> bool:
    """Whether a governance retention is to be overridden."""
    return header_flag(request, "x-amz-bypass-governance-retention")


def _number(name: str, text: str) -> int:
    found = whole_number(text, 0, _LARGEST)
    if found is None:
        raise S3Problem(
            "InvalidArgument",
            f"Argument {name} must be an integer between 0 and {_LARGEST}"
            if _NEGATIVE.fullmatch(text)
            else f"Provided {name} not an integer or within integer range",
            ArgumentName=name,
            ArgumentValue=text,
        )
    return found


def encoding(request: S3Request) -> str:
    """`encoding-type`: "url" or ""."""
    text = request.param("encoding-type")
    if text not in ("", "url"):
        raise S3Problem(
            "InvalidArgument",
            "Invalid Encoding Method specified in Request",
            ArgumentName="encoding-type",
            ArgumentValue=text,
        )
    return text


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
