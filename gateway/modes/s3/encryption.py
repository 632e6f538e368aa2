"""The headers of server-side encryption → `Encryption`.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
SSE-C is accepted without TLS too: whether a connection is private is not
visible behind a proxy. SSE-KMS is for stores in front of an upstream that has it; others
refuse it.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from functools import cache
from hmac import compare_digest

from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.storage import Encryption, Secret

_MANAGED = "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION"
_KMS = "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID"
_CUSTOMER = "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_CUSTOMER"
_SOURCE = "HTTP_X_AMZ_COPY_SOURCE_SERVER_SIDE_ENCRYPTION_CUSTOMER"
_KEY_BYTES = 32

READING = frozenset({_MANAGED, *(f"{_CUSTOMER}_{one}" for one in ("ALGORITHM", "KEY", "KEY_MD5"))})
"""The headers that have an effect on reading."""

WRITING = READING | {_KMS}


def for_writing(request: S3Request) -> Encryption | None:
    """How what is stored is to be encrypted; None: as the store does by itself."""
    managed, customer = request.environ.get(_MANAGED), _customer(request, _CUSTOMER)
    if managed is None:
        if _KMS in request.environ:
            raise _invalid("Server Side Encryption with AWS KMS needs the header aws:kms.")
        return customer
    if customer is not None:
        raise _invalid(
            "Server Side Encryption with Customer provided key is incompatible with the"
            " encryption method specified"
        )
    if managed in ("aws:kms", "aws:kms:dsse"):
        return _by_kms(request, double=managed == "aws:kms:dsse")
    if managed != "AES256":
        raise _invalid("The encryption method specified is not supported")
    if _KMS in request.environ:
        raise _invalid("Server Side Encryption with AES256 takes no key of AWS KMS.")
    return Encryption(kind="managed")


def _by_kms(request: S3Request, *, double: bool) -> Encryption:
    environ = request.environ
    bucket_key = environ.get(f"{_MANAGED}_BUCKET_KEY_ENABLED")
    return Encryption(
        kind="kms",
        key_id=environ.get(_KMS, ""),
        context=environ.get(f"{_MANAGED}_CONTEXT", ""),
        double=double,
        bucket_key=None if bucket_key is None else bucket_key.lower() == "true",
    )


def for_reading(request: S3Request) -> Encryption | None:
    """The customer's key for an object that is read."""
    if _MANAGED in request.environ:
        raise _invalid("x-amz-server-side-encryption header is not supported for this operation.")
    return _customer(request, _CUSTOMER)


def for_part(request: S3Request) -> Encryption | None:
    return _customer(request, _CUSTOMER)


def of_source(request: S3Request) -> Encryption | None:
    """The customer's key for the source of a copy."""
    return _customer(request, _SOURCE)


@cache
def _named(prefix: str) -> tuple[str, str, str]:
    return f"{prefix}_ALGORITHM", f"{prefix}_KEY", f"{prefix}_KEY_MD5"


def _customer(request: S3Request, prefix: str) -> Encryption | None:
    environ = request.environ
    algorithm, text, digest = map(environ.get, _named(prefix))
    if algorithm is None and text is None and digest is None:
        return None
    if algorithm is None:
        raise _invalid(
            "Requests specifying Server Side Encryption with Customer provided keys must provide"
            " a valid encryption algorithm."
        )
    if algorithm != "AES256":
        raise S3Problem(
            "InvalidEncryptionAlgorithmError",
            "The encryption request you specified is not valid. The valid value is AES256.",
        )
    if not text:
        raise _invalid(
            "Requests specifying Server Side Encryption with Customer provided keys must provide"
            " an appropriate secret key."
        )
    if not digest:
        raise _invalid(
            "Requests specifying Server Side Encryption with Customer provided keys must provide"
            " the client calculated MD5 of the secret key."
        )
    return _checked(text, digest)


def _checked(text: str, digest: str) -> Encryption:
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise _invalid("The secret key was invalid for the specified algorithm.")
    computed = b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()
    if not compare_digest(computed.encode(), digest.strip().encode()):
        raise _invalid(
            "The calculated MD5 hash of the key did not match the hash that was provided."
        )
    return Encryption(kind="customer", key=Secret(key), key_md5=computed)


def _invalid(message: str) -> S3Problem:
    return S3Problem("InvalidArgument", message)
