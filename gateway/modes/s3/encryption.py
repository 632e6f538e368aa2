"""The headers of server-side encryption → `Encryption`.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
SSE-C is accepted without TLS too: whether a connection is private is not
visible behind a proxy. By which key service SSE-KMS is done is the store's affair, and so
is which keys there are.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from dataclasses import replace
from functools import cache
from hmac import compare_digest

from gateway.modes.s3 import wire
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.storage import Encryption, Secret
from gateway.web.http_fields import utf8
from gateway.web.request_head import header_name

_MANAGED = "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION"
_KMS = "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID"
_CUSTOMER = "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_CUSTOMER"
_SOURCE = "HTTP_X_AMZ_COPY_SOURCE_SERVER_SIDE_ENCRYPTION_CUSTOMER"
_KEY_BYTES = 32

_CONTEXT, _BUCKET_KEY = f"{_MANAGED}_CONTEXT", f"{_MANAGED}_BUCKET_KEY_ENABLED"
_OF_SERVER = (_MANAGED, _KMS, _CONTEXT, _BUCKET_KEY)

HEADERS = frozenset(
    (*_OF_SERVER, *(f"{_CUSTOMER}_{one}" for one in ("ALGORITHM", "KEY", "KEY_MD5")))
)
"""The headers that are looked at, to write and to read."""

ALGORITHMS = {
    "AES256": Encryption(kind="managed"),
    "aws:kms": Encryption(kind="kms"),
    "aws:kms:dsse": Encryption(kind="kms", double=True),
}
"""S3's words for how the server encrypts by itself."""


def for_writing(request: S3Request) -> Encryption | None:
    """How what is stored is to be encrypted; None: the request does not say."""
    managed, customer = request.environ.get(_MANAGED), _customer(request, _CUSTOMER)
    asked_bucket_key = bucket_key(request)
    if managed is None or managed == "AES256":
        _refuse_key_service(request)
    if managed is None:
        return customer
    if customer is not None:
        raise _invalid(
            "Server Side Encryption with Customer provided key is incompatible with the"
            " encryption method specified",
            _MANAGED,
            managed,
        )
    asked = ALGORITHMS[managed]
    if asked.kind != "kms":
        return asked
    return replace(
        asked,
        key_id=utf8(request.environ.get(_KMS, "")),
        context=_context(request),
        bucket_key=asked_bucket_key,
    )


def _refuse_key_service(request: S3Request) -> None:
    for name in (_KMS, _CONTEXT):
        if (said := request.environ.get(name)) is not None:
            raise _invalid(
                "Server Side Encryption with AWS KMS managed key requires HTTP header"
                " x-amz-server-side-encryption : aws:kms",
                name,
                said,
            )


def _context(request: S3Request) -> str:
    """As it came: base64 of a JSON object of text."""
    text: str = request.environ.get(_CONTEXT, "")
    if not text:
        return ""
    try:
        found = json.loads(b64decode(text, validate=True), object_pairs_hook=wire.unrepeated)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise _invalid(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8"
            " string holding JSON which represents a string-string map",
            _CONTEXT,
            text,
        )
    return text


def bucket_key(request: S3Request) -> bool | None:
    """Whether a key of the bucket is to stand between object and key service; None: the
    request does not say. Where no key service is used, it changes nothing."""
    text = request.environ.get(_BUCKET_KEY)
    return None if text is None else bool(text.lower() == "true")


def for_reading(request: S3Request) -> Encryption | None:
    """The customer's key for what was encrypted before: an object that is read, an upload that
    goes on. It is stored how it is encrypted, so nothing else may be said of it (as S3 has it
    for GET, HEAD, UploadPart and CompleteMultipartUpload alike)."""
    for name in _OF_SERVER:
        if (said := request.environ.get(name)) is not None:
            message = f"{header_name(name)} header is not supported for this operation."
            raise _invalid(message, name, said)
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


def _invalid(message: str, variable: str = "", said: str = "") -> S3Problem:
    if not variable:
        return S3Problem("InvalidArgument", message)
    name = header_name(variable)
    return S3Problem("InvalidArgument", message, ArgumentName=name, ArgumentValue=said)
