"""Tags: their limits, and the header that gives an object's with a put.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from gateway.modes.s3.problems import S3Problem
from gateway.storage import NOTHING
from gateway.web.request_head import parse_query, well_encoded

HEADER = "x-amz-tagging"
MOST = 10
MOST_OF_BUCKET = 50
LONGEST_KEY = 128
LONGEST_VALUE = 256
_SIGNS = frozenset(" +-=._:/@")


def check(pairs: Iterable[tuple[str, str]], most: int = MOST) -> Mapping[str, str]:
    """The tags, once they are known to be within S3's limits. Raises InvalidTag; BadRequest
    when there are more than `most`."""
    tags: dict[str, str] = {}
    for key, value in pairs:
        if key in tags:
            raise S3Problem("InvalidTag", "Cannot provide multiple Tags with the same key")
        if not 0 < len(key) <= LONGEST_KEY or not _allowed(key) or key.startswith("aws:"):
            raise S3Problem("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > LONGEST_VALUE or not _allowed(value):
            raise S3Problem(
                "InvalidTag",
                "The TagValue you have provided is invalid",
                TagKey=key,
                TagValue=value,
            )
        tags[key] = value
    if len(tags) > most:
        what = "Object tags" if most == MOST else "Bucket tag count"
        raise S3Problem("BadRequest", f"{what} cannot be greater than {most}")
    return tags or NOTHING


def _allowed(text: str) -> bool:
    return all(one.isalnum() or one.isspace() or one in _SIGNS for one in text)


def as_header(found: Mapping[str, str]) -> Mapping[str, str]:
    return {HEADER: urlencode(found)}


def from_header(text: str) -> Mapping[str, str]:
    """`x-amz-tagging`: tags as a URL's query."""
    if not text:
        return NOTHING
    names = [pair.partition("=")[0] for pair in text.split("&") if pair]
    try:
        found = parse_query(text)
    except ValueError:
        found = {}
    if len(found) != len(names) or "" in found or not well_encoded(text):
        raise S3Problem(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query"
            " parameters without tag name duplicates.",
            ArgumentName=HEADER,
            ArgumentValue=text,
        )
    return check(found.items())
