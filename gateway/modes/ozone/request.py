"""What a request is about, and what it has to have, looked at in one order: version, date,
names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.common.remembering import remembered
from gateway.modes import bucket_names
from gateway.modes.ozone import dates
from gateway.modes.ozone.problems import OzoneProblem
from gateway.web import request_head
from gateway.web.api import parameters

VERSION = "HTTP_X_OZONE_VERSION"

_is_name = remembered(texts=4096, longest=bucket_names.LONGEST)(bucket_names.fits_volumes)


class Place(NamedTuple):
    """ "" where the path goes no further. `depth`: how many of the three there are."""

    volume: str = ""
    bucket: str = ""
    key: str = ""
    depth: int = 0


def check(environ: Mapping[str, Any]) -> None:
    """Browsers let no page set `Date`: `x-ozone-date` counts where there is none. Raises
    `OzoneProblem`."""
    if not environ.get(VERSION):
        raise OzoneProblem("missingVersion")
    date = environ.get("HTTP_DATE") or environ.get("HTTP_X_OZONE_DATE")
    if not date:
        raise OzoneProblem("missingDate")
    if dates.parse(date) is None:
        raise OzoneProblem("badDate")


def place(environ: Mapping[str, Any]) -> Place:
    """Of `/volume/bucket/key`, with or without a slash behind a volume and a bucket. Raises
    `OzoneProblem`, and `BadKey`."""
    try:
        path = request_head.path(environ)
    except ValueError:
        raise OzoneProblem("invalidResourceName", "The path is not UTF-8.") from None
    volume, _, rest = path.removeprefix("/").partition("/")
    if not volume and not rest:
        return Place()
    if not _is_name(volume):
        raise _no_name("invalidVolumeName", "volume")
    bucket, _, key = rest.partition("/")
    if not bucket and not key:
        return Place(volume, depth=1)
    if not _is_name(bucket):
        raise _no_name("invalidBucketName", "bucket")
    if not key:
        return Place(volume, bucket, depth=2)
    return Place(volume, bucket, parameters.key(key), 3)


def _no_name(code: str, what: str) -> OzoneProblem:
    return OzoneProblem(code, f"The name of a {what} has {bucket_names.RULE_IN_VOLUMES}.")
