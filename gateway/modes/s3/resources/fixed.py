"""Settings of buckets that are here what they are at AWS before anybody sets them.

Who asks for just that is answered that it is so; who asks for anything else is refused.
"""

from __future__ import annotations

from gateway.common.xml import document, element
from gateway.modes.s3 import bodies, wire
from gateway.modes.s3.problems import S3Problem, malformed
from gateway.modes.s3.replies import Reply, xml
from gateway.modes.s3.request import S3Request


def get_bucket_request_payment(request: S3Request) -> Reply:
    request.require()
    return xml(document("RequestPaymentConfiguration", element("Payer", "BucketOwner")))


def put_bucket_request_payment(request: S3Request) -> Reply:
    asked = _asked(request, "RequestPaymentConfiguration", "Payer", "BucketOwner", "Requester")
    if asked == "Requester":
        raise S3Problem("NotImplemented", "Nobody pays for requests here: Requester is refused.")
    return Reply(200)


def get_bucket_abac(request: S3Request) -> Reply:
    request.require()
    return xml(document("AbacStatus", element("Status", "Disabled")))


def put_bucket_abac(request: S3Request) -> Reply:
    asked = _asked(request, "AbacStatus", "Status", "Disabled", "Enabled")
    if asked == "Enabled":
        raise S3Problem("NotImplemented", "Tags of a bucket give no access here: see its policy.")
    return Reply(200)


def _asked(request: S3Request, root: str, name: str, *known: str) -> str:
    """What the document says, which is one of those that S3 knows."""
    request.require()
    found = wire.word_of(wire.parse(bodies.document(request), root), name)
    if found not in known:
        raise malformed(f"{name} has to be {' or '.join(known)}, not {found!r}.")
    return found
