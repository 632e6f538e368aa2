"""What rules may ask of an S3 request beyond what all requests have."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.modes.s3 import tags
from gateway.web.request_facts import RequestFacts


class S3Facts(RequestFacts):
    __slots__ = ()

    @property
    def tags(self) -> Mapping[str, str]:
        """Those of `x-amz-tagging`. Raises S3Problem."""
        return tags.from_header(self.header("x-amz-tagging") or "")
