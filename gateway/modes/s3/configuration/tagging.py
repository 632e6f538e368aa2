"""The tags of a bucket.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.access.settings import SettingKind
from gateway.modes.s3 import documents, parsing, tags
from gateway.modes.s3.configuration.setting import BucketSetting, of_text


def _parse(data: bytes) -> Mapping[str, str]:
    return parsing.tagging(data, tags.MOST_OF_BUCKET)


_EXAMPLE = """\
<Tagging>
 <TagSet><Tag><Key>team</Key><Value>photos</Value></Tag></TagSet>
</Tagging>
"""


SETTING: BucketSetting[Mapping[str, str]] = BucketSetting(
    SettingKind(
        name="tagging",
        read="read-service-tags",
        write="write-service-tags",
        remove="write-service-tags",
        parse=of_text(_parse),
        example=_EXAMPLE,
    ),
    documents.tagging,
    "NoSuchTagSet",
)
