"""Where a bucket's website sends those who ask for an object: it is said with the object, kept
with it, and said again by GET and HEAD; only websites (`website`) go by it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.modes.s3.problems import S3Problem
from gateway.storage import NOTHING, REDIRECT
from gateway.web.http_fields import Headers, utf8, value

NAME = "x-amz-website-redirect-location"
HEADER = "HTTP_X_AMZ_WEBSITE_REDIRECT_LOCATION"
LONGEST = 2048
"""Bytes."""


def attributes(environ: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises InvalidRedirectLocation."""
    location = utf8(environ.get(HEADER, ""))
    if not location:
        return NOTHING
    if not location.startswith(("/", "http://", "https://")):
        raise S3Problem("InvalidRedirectLocation")
    if len(location.encode()) > LONGEST:
        raise S3Problem(
            "InvalidRedirectLocation",
            f"The length of website redirect location cannot exceed {LONGEST:,} characters.",
        )
    return {REDIRECT: location}


def said(attributes: Mapping[str, Any]) -> Headers:
    location = attributes.get(REDIRECT)
    return [] if location is None else [(NAME, value(location))]
