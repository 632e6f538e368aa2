"""The `x-amz-checksum-*` headers: what a client promises of its body.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.storage import NOTHING, InvalidRequest
from gateway.storage.checksums import CHECKSUMS, COMPOSITE_ONLY, FULL_OBJECT_ONLY, decode
from gateway.storage.objects import ChecksumType
from gateway.storage.types import Checksum

_HEADERS = tuple((name, f"HTTP_X_AMZ_CHECKSUM_{name}") for name in CHECKSUMS)
_UNKNOWN = frozenset(
    f"HTTP_X_AMZ_CHECKSUM_{name}" for name in ("SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128")
)
_TRAILERS = {f"x-amz-checksum-{name.lower()}": name for name in CHECKSUMS}


def of_body(request: S3Request, promised: Mapping[str, Checksum]) -> Mapping[str, Checksum]:
    """The body's checksum by algorithm: one in a header, or what a trailer has `promised`.
    Raises S3Problem."""
    in_header = _one(request)
    for name, text in in_header.items():
        _check(name, text)
    found: Mapping[str, Checksum] = in_header
    if promised:
        found = {**found, **promised}
    check_announced(request, found)
    if len(found) > 1:
        raise several()
    return found


def of_whole(request: S3Request) -> Mapping[str, str]:
    """The checksum of an object in parts; a composite one has `-N` behind it."""
    found = _one(request)
    for name, text in found.items():
        digest, dash, count = text.partition("-")
        _check(name, "" if dash and not count.isdigit() else digest)
    return found


def _one(request: S3Request) -> Mapping[str, str]:
    environ = request.environ
    found = {name: environ[key].strip() for name, key in _HEADERS if key in environ}
    if not environ.keys().isdisjoint(_UNKNOWN):
        raise S3Problem("NotImplemented", "Checksums are CRC32, CRC32C, CRC64NVME, SHA1, SHA256.")
    if len(found) > 1:
        raise several()
    return found or NOTHING


def several() -> S3Problem:
    return S3Problem(
        "InvalidRequest",
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    )


_CUT = re.compile("[A-Za-z0-9+/]+")


def _check(name: str, text: str) -> None:
    """What is cut or lacks its padding is read as far as it goes, and is no digest of any
    body; what is no base64, or that of another length, is no digest at all."""
    try:
        decode(name, text)
    except InvalidRequest:
        if len(text) % 4 and _CUT.fullmatch(text):
            raise S3Problem(
                "BadDigest", f"The {name} you specified did not match the calculated checksum."
            ) from None
        raise S3Problem(
            "InvalidRequest", f"Value for x-amz-checksum-{name.lower()} header is invalid."
        ) from None


def in_trailer(
    names: tuple[str, ...], trailer: Callable[[str], str]
) -> Mapping[str, Callable[[], str]]:
    """The checksum that a trailer is to bring. `trailer` gives it once the body was read."""
    wanted = [name for name in names if name in _TRAILERS]
    if len(wanted) != len(names) or len(wanted) > 1:
        raise S3Problem(
            "InvalidRequest",
            "The value specified in the x-amz-trailer header is not supported",
        )
    return {_TRAILERS[name]: partial(trailer, name) for name in wanted}


def check_announced(request: S3Request, declared: Mapping[str, object]) -> None:
    """`x-amz-sdk-checksum-algorithm` must name the checksum that comes, if any comes at all."""
    named = request.environ.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM")
    if not named or named in declared:
        return
    algorithm = named.strip().upper()
    if not algorithm or algorithm in declared:
        return
    if declared or algorithm not in CHECKSUMS:
        raise S3Problem(
            "InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid."
        )
    raise S3Problem(
        "InvalidRequest",
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or"
        " x-amz-trailer headers were found.",
    )


def chosen(request: S3Request) -> Mapping[str, str]:
    """`x-amz-checksum-algorithm` (copies, uploads in parts) as what is to be computed."""
    algorithm = request.header("x-amz-checksum-algorithm").strip().upper()
    if not algorithm:
        return NOTHING
    if algorithm not in CHECKSUMS:
        raise S3Problem(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid"
            f" types: [{', '.join(CHECKSUMS)}]",
        )
    return {algorithm: ""}


def type_named(request: S3Request) -> ChecksumType | None:
    """The `x-amz-checksum-type` header."""
    named = request.header("x-amz-checksum-type").strip().upper()
    if named and named not in ("FULL_OBJECT", "COMPOSITE"):
        raise S3Problem("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    return cast(ChecksumType, named) if named else None


def of_upload(request: S3Request) -> tuple[Mapping[str, str], ChecksumType | None]:
    """(algorithm of the parts, type of the whole) of an upload in parts."""
    algorithms, kind = chosen(request), type_named(request)
    if not algorithms:
        if kind:
            raise S3Problem(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the"
                " x-amz-checksum-algorithm header.",
            )
        return NOTHING, None
    algorithm = next(iter(algorithms))
    usual: ChecksumType = "FULL_OBJECT" if algorithm in FULL_OBJECT_ONLY else "COMPOSITE"
    impossible = (kind == "COMPOSITE" and algorithm in FULL_OBJECT_ONLY) or (
        kind == "FULL_OBJECT" and algorithm in COMPOSITE_ONLY
    )
    if impossible:
        raise S3Problem(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum"
            " algorithm.",
        )
    return algorithms, kind or usual
