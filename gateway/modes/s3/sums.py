"""The `x-amz-checksum-*` headers: what a client promises of its body.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import cast

from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.storage import NOTHING, InvalidRequest, Part, PartRef, Upload
from gateway.storage.checksums import (
    CHECKSUMS,
    COMPOSITE_ONLY,
    FULL_OBJECT_ONLY,
    UNNAMED,
    decode,
)
from gateway.storage.objects import ChecksumType
from gateway.storage.types import Checksum

_HEADERS = tuple((name, f"HTTP_X_AMZ_CHECKSUM_{name}") for name in CHECKSUMS)
_TRAILERS = {f"x-amz-checksum-{name.lower()}": name for name in CHECKSUMS}


def of_form(request: S3Request) -> Mapping[str, str]:
    """The checksum that is among a form's fields. Raises S3Problem."""
    found = _one(request)
    for name, text in found.items():
        _decoded(name, text)
    check_announced(request, found)
    return found


def of_body(request: S3Request, promised: Mapping[str, Checksum]) -> Mapping[str, Checksum]:
    """The body's checksum by algorithm: one in a header, or what a trailer has `promised`.
    Raises S3Problem."""
    in_header = _one(request)
    for name, text in in_header.items():
        _check(name, text)
    found: Mapping[str, Checksum] = promised or in_header
    check_announced(request, found)
    if in_header and promised:
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
    if len(found) > 1:
        raise several()
    return found or NOTHING


def several() -> S3Problem:
    return S3Problem(
        "InvalidRequest",
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    )


def unknown_checksum() -> S3Problem:
    """Of one that nobody would compare."""
    return S3Problem(
        "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid."
    )


_CUT = re.compile("[A-Za-z0-9+/]+")


def _check(name: str, text: str) -> None:
    """What is cut or lacks its padding is read as far as it goes, and is no digest of any
    body; what is no base64, or that of another length, is no digest at all."""
    try:
        _decoded(name, text)
    except S3Problem:
        if len(text) % 4 and _CUT.fullmatch(text):
            raise S3Problem(
                "BadDigest", f"The {name} you specified did not match the calculated checksum."
            ) from None
        raise


def _decoded(name: str, text: str, where: str = "header") -> None:
    try:
        decode(name, text)
    except InvalidRequest:
        raise S3Problem(
            "InvalidRequest", f"Value for x-amz-checksum-{name.lower()} {where} is invalid."
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
    return {_TRAILERS[name]: partial(_of_trailer, trailer, name) for name in wanted}


def _of_trailer(trailer: Callable[[str], str], name: str) -> str:
    text = trailer(name)
    _decoded(_TRAILERS[name], text, "trailing header")
    return text


def check_announced(request: S3Request, declared: Mapping[str, object]) -> None:
    """`x-amz-sdk-checksum-algorithm` must name the checksum that comes, if any comes at all."""
    named = request.environ.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM")
    if not named or named in declared:
        return
    algorithm = named.strip().upper()
    if not algorithm or algorithm in declared:
        return
    if declared:
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
    return {algorithm: ""} if algorithm else NOTHING


def type_named(request: S3Request) -> ChecksumType | None:
    """The `x-amz-checksum-type` header."""
    named = request.header("x-amz-checksum-type").strip().upper()
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


# parts


def check_part(upload: Upload, sent: Mapping[str, object]) -> None:
    """`sent` is what came with a part: that of its upload, and nothing only where the whole
    is computed from bytes. Raises S3Problem."""
    wanted = _algorithm(upload)
    if not wanted or wanted in sent or not (sent or upload.options.checksum_type == "COMPOSITE"):
        return
    given = next(iter(sent), "null").lower()
    raise S3Problem(
        "InvalidRequest",
        f"Checksum Type mismatch occurred, expected checksum Type: {wanted.lower()}, actual"
        f" checksum Type: {given}",
    )


def check_complete(upload: Upload, parts: Sequence[PartRef], kind: ChecksumType | None) -> None:
    """`kind` is what the request says of the whole. Raises S3Problem."""
    wanted = _algorithm(upload)
    begun = (upload.options.checksum_type if wanted else None) or "FULL_OBJECT"
    if kind and kind != begun:
        raise S3Problem(
            "InvalidRequest",
            f"The upload was created using the {begun} checksum mode. The complete request must"
            " use the same checksum mode.",
        )
    for part in parts if wanted else ():
        if wanted in part.checksums:
            continue
        for name in part.checksums:
            raise S3Problem(
                "BadDigest",
                f"The {name.lower()} you specified for part {part.number} did not match what we"
                " received.",
            )
        if begun == "COMPOSITE":
            raise S3Problem(
                "InvalidRequest",
                f"The upload was created using a {wanted.lower()} checksum. The complete request"
                " must include the checksum for each part. It was missing for part"
                f" {part.number} in the request.",
            )


def _algorithm(upload: Upload) -> str:
    return next(iter(upload.options.checksums), "")


def of_part(upload: Upload, part: Part, sent: Collection[str] = ()) -> Mapping[str, str]:
    """What is told of a part: the checksum that its upload declares, or what came with it; not
    the one that is kept to compute that of the whole."""
    told = upload.options.checksums.keys() | sent
    return {
        name: text
        for name, text in part.checksums.items()
        if name in told or (not upload.options.checksums and name not in UNNAMED)
    }
