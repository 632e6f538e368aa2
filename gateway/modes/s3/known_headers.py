"""The `x-amz-*` headers that somebody has decided about: those of the model (see `model`), and
those that sign, frame or accompany a request. Another one is told in the log (`application`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.web import request_head

_OF_MODEL = """
acl bucket-namespace bucket-object-lock-enabled bucket-object-lock-token
bypass-governance-retention checksum-algorithm checksum-crc32 checksum-crc32c
checksum-crc64nvme checksum-md5 checksum-mode checksum-sha1 checksum-sha256 checksum-sha512
checksum-type checksum-xxhash128 checksum-xxhash3 checksum-xxhash64 client-token
confirm-remove-self-bucket-access copy-source copy-source-if-match
copy-source-if-modified-since copy-source-if-none-match copy-source-if-unmodified-since
copy-source-range copy-source-server-side-encryption-customer-algorithm
copy-source-server-side-encryption-customer-key
copy-source-server-side-encryption-customer-key-md5 create-session-mode
expected-bucket-owner grant-full-control grant-read grant-read-acp grant-write
grant-write-acp if-match-initiated-time if-match-last-modified-time if-match-size max-parts
metadata-directive mfa mp-object-size object-annotation-directive object-attributes
object-if-match object-lock-event-hold object-lock-event-hold-duration-days
object-lock-event-hold-duration-years object-lock-legal-hold object-lock-mode
object-lock-retain-until-date object-ownership optional-object-attributes part-number-marker
rename-source rename-source-if-match rename-source-if-modified-since
rename-source-if-none-match rename-source-if-unmodified-since request-payer
sdk-checksum-algorithm server-side-encryption server-side-encryption-aws-kms-key-id
server-side-encryption-bucket-key-enabled server-side-encryption-context
server-side-encryption-customer-algorithm server-side-encryption-customer-key
server-side-encryption-customer-key-md5 skip-destination-validation
source-expected-bucket-owner storage-class tagging tagging-directive
transition-default-minimum-object-size website-redirect-location write-offset-bytes
"""

HEADERS = frozenset(f"x-amz-{name}" for name in _OF_MODEL.split())
"""Those of the model, in lower case, but for `x-amz-meta-*` and those of other end points."""

_BESIDE = frozenset(
    [
        "x-amz-cf-id",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-security-token",
        "x-amz-trailer",
        "x-amz-user-agent",
    ]
)
_METADATA = "x-amz-meta-"
_VARIABLE = "HTTP_X_AMZ_"


def given(environ: Mapping[str, Any]) -> tuple[str, ...]:
    """The `unknown` ones of a request that nobody has signed."""
    return unknown(request_head.header_name(key) for key in environ if key.startswith(_VARIABLE))


def unknown(names: Iterable[str]) -> tuple[str, ...]:
    """Of the names of headers, in lower case, the `x-amz-*` that are none of these."""
    return tuple(
        name
        for name in names
        if name.startswith("x-amz-")
        and not name.startswith(_METADATA)
        and name not in HEADERS
        and name not in _BESIDE
    )
