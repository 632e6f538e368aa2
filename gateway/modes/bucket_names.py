"""What a bucket, or a volume, may be called when an API makes it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""

from __future__ import annotations

import re

LONGEST = 63
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BESIDE_DOT = re.compile(r"\.[.-]|-\.")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

RULE = (
    "3 to 63 of a-z, 0-9, dot and hyphen, beginning and ending with a letter or digit, no dot"
    " beside a dot or hyphen, no IP address, and none of the beginnings and ends that are reserved"
)

RULE_IN_VOLUMES = (
    "3 to 63 of a-z, 0-9, dot and hyphen, beginning and ending with a letter or digit, no dot"
    " beside a dot or hyphen, and no IP address"
)


def fits_volumes(name: str) -> bool:
    """Whether a volume, or a bucket in one, may be called so."""
    return (
        _NAME.fullmatch(name) is not None
        and _BESIDE_DOT.search(name) is None
        and _ADDRESS.fullmatch(name) is None
    )


def is_valid(name: str) -> bool:
    return (
        fits_volumes(name)
        and not name.startswith(_RESERVED_STARTS)
        and not name.endswith(_RESERVED_ENDS)
    )
