"""`x-amz-expiration`: when an object will expire, and by which rule.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
"""

from __future__ import annotations

from urllib.parse import quote

from gateway.modes.s3.configuration.lifecycle import SETTING
from gateway.modes.s3.lifecycle.deciding import expiry
from gateway.modes.s3.replies import Headers, http_date
from gateway.modes.s3.request import S3Request
from gateway.storage import ObjectInfo


def said(request: S3Request, info: ObjectInfo) -> Headers:
    """Of the current object; nothing where no rule is about it. By the calendar, whatever the
    clock is by which rules are carried out."""
    lifecycle = request.obeyed(SETTING.kind)
    if lifecycle is None or "versionId" in request.query:
        return []
    found = expiry(lifecycle.enabled, info.key, info.size, info.modified, lambda: info.tags)
    if found is None:
        return []
    when, rule = found
    date, id = http_date(when), quote(rule.id, safe="")
    return [("x-amz-expiration", f'expiry-date="{date}", rule-id="{id}"')]
