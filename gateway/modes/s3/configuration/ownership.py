"""Who owns what others put into a bucket, and whether access control lists count in it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html

May surprise: a bucket that does not say so is as `ObjectWriter` has it, as S3's were until 2023;
AWS makes new ones with lists disabled (`BucketOwnerEnforced`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from gateway.access.grants import Grant
from gateway.access.rules import Limits
from gateway.access.settings import SettingKind
from gateway.common.xml import document as written
from gateway.common.xml import element
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration.setting import BucketSetting, of_text
from gateway.modes.s3.problems import S3Problem, malformed

Ownership = Literal["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]
ENFORCED: Ownership = "BucketOwnerEnforced"
PREFERRED: Ownership = "BucketOwnerPreferred"
OWNERSHIPS: tuple[str, ...] = get_args(Ownership)


def named(text: str) -> Ownership | None:
    """None for what is no ownership."""
    return text if text in OWNERSHIPS else None  # type: ignore[return-value]  # it is one


def check_list(grants: Sequence[Grant], owner: str) -> None:
    """Raises where a bucket's list gives others something, which it may not when lists are to be
    disabled."""
    if any(one != Grant(owner, "full") for one in grants):
        raise S3Problem("InvalidBucketAclWithObjectOwnership")


def _parse(data: bytes) -> Ownership:
    """Raises MalformedXML."""
    rules = list(wire.children(wire.parse(data, "OwnershipControls"), "Rule"))
    found = named(wire.word_of(rules[0], "ObjectOwnership")) if len(rules) == 1 else None
    if found is None:
        known = " or ".join(OWNERSHIPS)
        raise malformed(f"OwnershipControls has one Rule, whose ObjectOwnership is {known}.")
    return found


def _render(said: Ownership) -> bytes:
    return written("OwnershipControls", f"<Rule>{element('ObjectOwnership', said)}</Rule>")


def _rules(said: Ownership, _: str) -> Iterable[Limits]:
    yield Limits(grants="none" if said == ENFORCED else "all")


SETTING: BucketSetting[Ownership] = BucketSetting(
    SettingKind(
        name="ownership",
        read="read-ownership",
        write="write-ownership",
        remove="remove-ownership",
        parse=of_text(_parse),
        rules=_rules,
    ),
    _render,
    "OwnershipControlsNotFoundError",
)
