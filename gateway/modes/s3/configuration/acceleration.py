"""Transfer acceleration of a bucket, which is off: what is kept is that somebody said so.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAccelerateConfiguration.html
A bucket of which nothing was ever said has no status.
"""

from __future__ import annotations

from gateway.access.settings import SettingKind
from gateway.common.xml import document, element
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.setting import BucketSetting, of_text
from gateway.modes.s3.problems import S3Problem, malformed

_ROOT = "AccelerateConfiguration"


def _parse(data: bytes) -> str:
    status = wire.word_of(wire.parse(data, _ROOT), "Status")
    if status == "Enabled":
        raise S3Problem("NotImplemented", "There is no transfer acceleration here.")
    if status != "Suspended":
        raise malformed("Status has to be Suspended.")
    return status


SETTING: BucketSetting[str] = BucketSetting(
    SettingKind(
        name="acceleration",
        read="read-accelerate",
        write="write-accelerate",
        remove="write-accelerate",
        parse=of_text(_parse),
    ),
    lambda status: document(_ROOT, element("Status", status)),
    nothing=document(_ROOT),
)
