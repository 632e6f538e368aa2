"""Buckets of other S3 servers, as they are: the upstream's own layout, ETags and versions.

store.py        the options, and what is shared with other services
reading.py writing.py listing.py multipart.py copying.py labels.py account.py
                operations of a bucket, each a mixin on `Bucket`
properties.py documents.py refusals.py
                headers, XML and errors ⇄ the contract's values
client.py       a request → signed, sent, tried again → an answer
credentials.py  whose requests they are
sending.py      bodies on their way
pool.py connection.py answers.py
                kept-alive connections, and the strict reading of HTTP/1.1
"""

from __future__ import annotations

from drivers.s3.store import S3
from gateway.hookspecs import hookimpl
from gateway.storage import Store

__all__ = ["S3", "gateway_drivers"]


@hookimpl
def gateway_drivers() -> list[type[Store]]:
    return [S3]
