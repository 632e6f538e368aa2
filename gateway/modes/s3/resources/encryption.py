"""The default encryption of a bucket: as it is set, and what a request says of it."""

from __future__ import annotations

from dataclasses import replace

from gateway.modes.s3 import encryption
from gateway.modes.s3.configuration.encryption import SETTING
from gateway.modes.s3.request import S3Request
from gateway.storage import Put


def with_bucket_key(request: S3Request, options: Put) -> Put:
    """A request may say that alone, of the encryption which its bucket gives. It is without
    effect where that is by no key service."""
    asked = encryption.bucket_key(request)
    if asked is None or options.encryption is not None:
        return options
    said = request.obeyed(SETTING.kind)
    given = None if said is None else said.applied(None)
    if given is None or given.kind != "kms":
        return options
    return replace(options, encryption=replace(given, bucket_key=asked))
