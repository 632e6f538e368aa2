"""What a bucket blocks of what would make it public.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html

Lists and policies that are there count less at once, by `rules`. Whether new ones may be given is
asked where they are: `of_list` and `of_policy` say it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.access.grants import Grant
from gateway.access.rules import AUTHENTICATED, EVERYONE, Limits
from gateway.access.settings import SettingKind
from gateway.common.xml import document as written
from gateway.common.xml import flag
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.policy.statements import BucketPolicy
from gateway.modes.s3.configuration.setting import BucketSetting, of_text
from gateway.modes.s3.problems import S3Problem

_ROOT = "PublicAccessBlockConfiguration"
_NAMES = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@dataclass(frozen=True, slots=True)
class PublicAccessBlock:
    """`block_lists` and `block_policies` are of new ones, the others of those that are there."""

    block_lists: bool
    ignore_lists: bool
    block_policies: bool
    restrict: bool

    def of_list(self, grants: Iterable[Grant]) -> None:
        """Raises AccessDenied."""
        if self.block_lists and any(one.grantee in (EVERYONE, AUTHENTICATED) for one in grants):
            raise S3Problem(
                "AccessDenied",
                Detail="The bucket blocks public access control lists (BlockPublicAcls).",
            )

    def of_policy(self, policy: BucketPolicy) -> None:
        """Raises AccessDenied."""
        if self.block_policies and policy.public:
            raise S3Problem(
                "AccessDenied", Detail="The bucket blocks public policies (BlockPublicPolicy)."
            )


def _parse(data: bytes) -> PublicAccessBlock:
    root = wire.parse(data, _ROOT)
    return PublicAccessBlock(*(wire.flag_of(root, name) for name in _NAMES))


def _render(block: PublicAccessBlock) -> bytes:
    said = (block.block_lists, block.ignore_lists, block.block_policies, block.restrict)
    return written(_ROOT, *(flag(*one) for one in zip(_NAMES, said, strict=True)))


def _rules(block: PublicAccessBlock, _: str) -> Iterable[Limits]:
    yield Limits(grants="named" if block.ignore_lists else "all", public=not block.restrict)


_EXAMPLE = """\
<PublicAccessBlockConfiguration>
 <BlockPublicAcls>true</BlockPublicAcls>
 <IgnorePublicAcls>true</IgnorePublicAcls>
 <BlockPublicPolicy>true</BlockPublicPolicy>
 <RestrictPublicBuckets>true</RestrictPublicBuckets>
</PublicAccessBlockConfiguration>
"""


SETTING: BucketSetting[PublicAccessBlock] = BucketSetting(
    SettingKind(
        name="public-access-block",
        read="read-public-access-block",
        write="write-public-access-block",
        remove="remove-public-access-block",
        parse=of_text(_parse),
        example=_EXAMPLE,
        rules=_rules,
    ),
    _render,
    "NoSuchPublicAccessBlockConfiguration",
)
