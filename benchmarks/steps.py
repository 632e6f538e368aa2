"""Operations of several requests: what one operation is made of, for the own generator.

An operation is a generator: it yields what is to be sent, gets the answer, and
ends. Its time is that from its beginning, or from where it yields `START`, to
its end; so what only prepares is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import NamedTuple

from benchmarks import requests
from benchmarks.connection import Answer
from benchmarks.requests import Target, payload
from benchmarks.signing import Request


class Exchange(NamedTuple):
    """What is sent, in parts. `bodiless`: the answer has no body, whatever its length
    (HEAD). `keep`: the operation wants the answer's head and body."""

    parts: tuple[bytes, ...]
    bodiless: bool = False
    keep: bool = False


START = Exchange(())
"""Yielded where the time of an operation begins, if that is not its beginning."""

Operation = Generator[Exchange, Answer, None]


class Wrong(Exception):
    """A status that is no error, but an answer that is not what was asked for."""


def single(exchange: Exchange) -> Operation:
    """An operation of one request."""
    yield exchange


def exchange(target: Target, request: Request, *, keep: bool = False) -> Exchange:
    parts = (target.head(request), request.body) if request.body else (target.head(request),)
    return Exchange(parts, request.method == "HEAD", keep)


_UPLOAD = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_ETAG = re.compile(rb"\r\netag: *([^\r]+)", re.IGNORECASE)


def upload_id(answer: Answer) -> str:
    """Raises `Wrong`."""
    return _found(_UPLOAD, answer.body)


def etag(answer: Answer) -> str:
    """As it is quoted there. Raises `Wrong`."""
    return _found(_ETAG, answer.head)


def _found(pattern: re.Pattern[bytes], text: bytes) -> str:
    found = pattern.search(text)
    if found is None:
        raise Wrong(f"no {pattern.pattern!r} in {text[:200]!r}")
    return found[1].decode()


def _parts(target: Target, path: str, size: int, part: int) -> Generator[Exchange, Answer, Request]:
    """Begins an upload and sends its parts; gives the request that completes it."""
    answer = yield exchange(target, requests.begin(path), keep=True)
    upload, parts = upload_id(answer), []
    for number in range(1, -(-size // part) + 1):
        query = {"partNumber": str(number), "uploadId": upload}
        body = payload(min(part, size - (number - 1) * part))
        request = requests.put(path, body, query)
        answer = yield exchange(target, request, keep=True)
        crc32 = request.headers["x-amz-checksum-crc32"]
        parts.append(requests.Part(etag(answer), crc32))
    return requests.complete(path, upload, parts)


def _completed(answer: Answer) -> None:
    if answer.status == 200 and b"<ETag>" not in answer.body:  # 200 may be followed by an error
        raise Wrong(f"CompleteMultipartUpload: {answer.body[:200]!r}")


def multipart(target: Target, path: str, size: int, part: int) -> Operation:
    """An upload in parts, all of it counted."""
    request = yield from _parts(target, path, size, part)
    _completed((yield exchange(target, request, keep=True)))


def completion(target: Target, path: str, size: int, part: int) -> Operation:
    """An upload in parts, of which only the completion counts."""
    request = yield from _parts(target, path, size, part)
    yield START
    _completed((yield exchange(target, request, keep=True)))


def deletion(target: Target, bucket: str, keys: list[str]) -> Operation:
    """DeleteObjects of keys that are put first; only the deletion counts."""
    for key in keys:
        yield exchange(target, requests.put(f"/{bucket}/{key}", payload(requests.KIB)))
    yield START
    answer = yield exchange(target, requests.delete_many(bucket, keys), keep=True)
    if b"<Error>" in answer.body:
        raise Wrong(f"DeleteObjects: {answer.body[:200]!r}")
