"""Restoring archived objects: none is archived here.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html
"""

from __future__ import annotations

from typing import NoReturn

from gateway.modes.s3 import bodies, wire
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request


def restore_object(request: S3Request) -> NoReturn:
    """Refused, as AWS refuses it for an object whose storage class needs no restoring."""
    info = request.access.authorize("read", request.key, request.version)
    root = wire.parse(bodies.document(request), "RestoreRequest")
    if wire.child(root, "SelectParameters") is not None:
        raise S3Problem("NotImplemented", "Select queries are not implemented.")
    raise S3Problem(
        "InvalidObjectState",
        "Restore is not allowed for the object's current storage class",
        StorageClass=info.storage_class,
    )
