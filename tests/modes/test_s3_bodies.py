"""Which bodies are framed, and what may be said of them; and a body takes its place among
those that may hold a thread before it is read."""

from __future__ import annotations

import io
from contextlib import closing
from hashlib import sha256
from itertools import product
from typing import NamedTuple

import pytest

from gateway.modes import Options
from gateway.modes.s3 import bodies
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.signatures.auth import UNSIGNED_CHUNKS_TRAILER, Authenticated
from tests.modes.s3_gateway import Answer, Served, small_gateway


@pytest.mark.parametrize(
    ("payload", "length", "decoded", "places"),
    [("", "5", "", 1), ("", "0", "", 0), (UNSIGNED_CHUNKS_TRAILER, "5000", "0", 1)],
)
def test_what_has_bytes_to_be_read_asks_for_a_place(
    payload: str, length: str, decoded: str, places: int
) -> None:
    asked: list[bool] = []
    environ = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": "/bucket/key",
        "CONTENT_LENGTH": length,
        "HTTP_X_AMZ_DECODED_CONTENT_LENGTH": decoded,
        "wsgi.input": io.BytesIO(),
        "gateway.admission": lambda: asked.append(True),
    }
    with closing(small_gateway(Options())) as gateway:
        request = S3Request(environ, gateway)
        request.authenticated = Authenticated(payload=payload)
        bodies.receive(request)
    assert len(asked) == places


# framing is never content

PLAIN = b"hello"
TRAILED = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
BARE = b"5\r\nhello\r\n0\r\n\r\n"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
ABSENT, UNSIGNED, HASHED = "", "UNSIGNED-PAYLOAD", "SHA-256"


class Said(NamedTuple):
    """What the headers of an upload say of its body."""

    payload: str
    coding: str
    decoded: str
    trailer: str

    @property
    def framed(self) -> bool:
        return self.payload.startswith("STREAMING-") or (not self.payload and bool(self.trailer))

    @property
    def body(self) -> bytes:
        says_framing = self.framed or self.decoded or self.trailer or self.coding
        return PLAIN if not says_framing else TRAILED if self.trailer else BARE

    def headers(self) -> dict[str, str]:
        hashed = sha256(self.body).hexdigest()
        said = {
            "x-amz-content-sha256": hashed if self.payload == HASHED else self.payload,
            "content-encoding": self.coding,
            "x-amz-decoded-content-length": self.decoded,
            "x-amz-trailer": self.trailer,
        }
        return {name: value for name, value in said.items() if value}

    def code(self) -> str:
        """What is right: "" when it is stored, as `content`."""
        if self.framed:
            return "" if self.decoded else "MissingContentLength"
        contradicted = self.decoded or self.trailer or (self.coding and self.payload != HASHED)
        return "InvalidArgument" if contradicted else ""

    def content(self) -> bytes:
        return PLAIN if self.framed else self.body


TABLE = [
    Said(*one)
    for one in product(
        (ABSENT, UNSIGNED, HASHED, UNSIGNED_CHUNKS_TRAILER),
        ("", "aws-chunked", "gzip, aws-chunked"),
        ("", "5"),
        ("", "x-amz-checksum-crc32"),
    )
]


def _by(s3: Served, how: str, target: str, said: Said) -> Answer:
    headers = said.headers()
    if how == "presigned":
        target, headers = s3.presigned("PUT", target, headers=headers)
        return s3.send("PUT", target, headers, said.body)
    key = "main-key" if how == "header" else ""
    return s3.raw("PUT", target, body=said.body, key=key, headers=headers)


@pytest.mark.parametrize("how", ["header", "presigned", "anonymous"])
@pytest.mark.parametrize("part", [False, True], ids=["object", "part"])
def test_framing_is_never_stored_as_content(s3: Served, bucket: str, how: str, part: bool) -> None:
    client = s3.client()
    client.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    for said in TABLE:
        if how == "header" and not said.payload:
            continue  # a signature needs a payload's hash
        as_read = (
            said._replace(payload=UNSIGNED) if how == "presigned" and not said.payload else said
        )
        target = f"/{bucket}/k"
        if part:
            begun = client.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
            target += f"?partNumber=1&uploadId={begun}"
        answer = _by(s3, how, target, said)
        wanted = as_read.code()
        assert (answer.code(), answer.status) == (
            wanted,
            {"": 200, "MissingContentLength": 411}.get(wanted, 400),
        ), said
        if part and not wanted:
            named = [{"PartNumber": 1, "ETag": answer.headers["etag"]}]
            client.complete_multipart_upload(
                Bucket=bucket, Key="k", UploadId=begun, MultipartUpload={"Parts": named}
            )
        stored = s3.raw("GET", target.partition("?")[0])
        assert stored.status == (404 if wanted else 200)
        if not wanted:
            assert stored.body == as_read.content(), said
            coding = "gzip" if "gzip" in said.coding and not part else None
            assert stored.headers.get("content-encoding") == coding
        client.delete_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("decoded", ["five", "-5", "\u0665", "5.0", "9" * 20])
def test_a_decoded_length_is_a_number(s3: Served, bucket: str, decoded: str) -> None:
    headers = Said(UNSIGNED_CHUNKS_TRAILER, "", decoded, "x-amz-checksum-crc32").headers()
    answer = s3.raw("PUT", f"/{bucket}/k", body=TRAILED, headers=headers)
    assert (answer.status, answer.code()) == (411, "MissingContentLength")


@pytest.mark.parametrize("trailer", ["", "x-amz-checksum-crc32"])
def test_signed_chunks_bring_no_trailer(s3: Served, bucket: str, trailer: str) -> None:
    said = Said(SIGNED_CHUNKS, "aws-chunked", "5", trailer)
    answer = s3.raw("PUT", f"/{bucket}/k", body=said.body, headers=said.headers())
    # Without, it is read, and is the framing of unsigned chunks.
    assert answer.code() == ("InvalidArgument" if trailer else "IncompleteBody")
