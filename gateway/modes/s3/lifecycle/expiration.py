"""What clients are told of a lifecycle: when an object will expire (`x-amz-expiration`), or an
upload be given up (`x-amz-abort-date`), and by which rule.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
What comes after the year 9999 is not told, for clients fail on such dates.
By the calendar, whatever the clock is by which rules are carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from gateway.common.moments import LAST
from gateway.modes.s3.configuration.lifecycle import SETTING, Rule
from gateway.modes.s3.lifecycle.deciding import abort, expiry
from gateway.modes.s3.replies import Headers, http_date
from gateway.modes.s3.request import S3Request
from gateway.storage import ObjectInfo, Unavailable, Upload


def said(request: S3Request, info: ObjectInfo) -> Headers:
    """Of the current object; nothing where no rule is about it."""
    if "versionId" in request.query:
        return []
    found = expiry(_rules(request), info.key, info.size, info.modified, lambda: info.tags)
    if found is None:
        return []
    when, rule = found
    if when > LAST:
        return []
    date, id = http_date(when), quote(rule.id, safe="")
    return [("x-amz-expiration", f'expiry-date="{date}", rule-id="{id}"')]


def of_upload(request: S3Request, upload: Upload) -> Headers:
    found = abort(_rules(request), upload.key, upload.begun)
    if found is None or not upload.begun:  # an upstream does not say so of one upload
        return []
    when, rule = found
    if when > LAST:
        return []
    return [("x-amz-abort-date", http_date(when)), ("x-amz-abort-rule-id", quote(rule.id, safe=""))]


def _rules(request: S3Request) -> Sequence[Rule]:
    try:
        lifecycle = request.obeyed(SETTING.kind)
    except Unavailable:  # it cannot be read, as the job tells: that is no reason to answer nothing
        return ()
    return () if lifecycle is None else lifecycle.of(request.access.service)
