"""Buckets of other S3 servers, as they are: the upstream's own layout, ETags and versions.

store.py        the options, and what is shared with other services
reading.py deleting.py writing.py listing.py uploads.py multipart.py copying.py
labels.py account.py
                operations of a bucket, each a mixin on `Bucket`; an account's buckets
steps.py lazy.py
                how lists move on; what of an object is asked for when somebody looks
request_headers.py properties.py documents.py refusals.py
                the contract's values and errors ⇄ headers and XML
fitting.py      whether an answer fits its question
client.py       a request → tried, and tried again → an answer
credentials.py finding.py
                whose requests they are; keys as AWS's tools find them
signing.py sending.py transfer.py
                a request's head, its body, and one exchange
probing.py      what an upstream can do, for `gateway check --connect`

Connections and the strict reading of HTTP/1.1 are `gateway.common.upstream`.
"""

from __future__ import annotations

from drivers.s3.store import S3
from gateway.hookspecs import hookimpl
from gateway.storage import Store

__all__ = ["S3", "gateway_drivers"]


@hookimpl
def gateway_drivers() -> list[type[Store]]:
    return [S3]
