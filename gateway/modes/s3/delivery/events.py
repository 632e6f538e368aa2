"""Changes → the messages in which AWS tells of them.

What a change feed does not know is an empty text: who made the change, from where, in which
request.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from gateway.modes.s3.configuration.notification import (
    EXPIRED,
    MADE,
    REMOVED,
    Notification,
)
from gateway.storage import NULL_VERSION, Change

_VERSION = "2.1"
_LATER = "2.3"
"""Of what AWS has told since 2020: expirations, tags, lists, retentions."""
_SEQUENCER = 18
"""Digits: the right one of two is found by comparing texts."""


class Bucket(NamedTuple):
    name: str
    owner: str
    region: str

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"


def record(change: Change, event: str, told: Notification, bucket: Bucket) -> dict[str, Any]:
    """One of `Records`. A key is written as in a form: a blank is `+`."""
    found: dict[str, Any] = {"key": quote_plus(change.key, safe="/")}
    if event in MADE:
        found["size"] = change.size
    if event not in REMOVED and event not in EXPIRED:
        found["eTag"] = change.etag
    if change.version not in (None, "", NULL_VERSION):
        found["versionId"] = change.version
    found["sequencer"] = f"{change.sequence:0{_SEQUENCER}X}"
    return {
        "eventVersion": _VERSION if event in (*MADE, *REMOVED) else _LATER,
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": _time(change.time),
        "eventName": event.removeprefix("s3:"),
        "userIdentity": {"principalId": ""},
        "requestParameters": {"sourceIPAddress": ""},
        "responseElements": {"x-amz-request-id": "", "x-amz-id-2": ""},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": told.id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": bucket.owner},
                "arn": bucket.arn,
            },
            "object": found,
        },
    }


def message(records: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps({"Records": records}).encode()


def test_message(bucket: str, request_id: str, time: int) -> bytes:
    """What a destination gets when it is named."""
    return json.dumps(
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": _time(time),
            "Bucket": bucket,
            "RequestId": request_id,
            "HostId": request_id,
        }
    ).encode()


def _time(milliseconds: int) -> str:
    second, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"
