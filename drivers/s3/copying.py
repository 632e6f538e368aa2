"""Copies by the upstream itself, of which no byte comes here; and what copies of parts share."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from drivers.s3 import documents, request_headers
from drivers.s3.reading import Bucket
from drivers.s3.refusals import About, error_of
from drivers.s3.request_headers import (
    SOURCE_CUSTOMER,
    of_key,
    of_read_conditions,
    of_write_conditions,
)
from drivers.s3.transfer import Answer
from drivers.s3.writing import understood
from gateway.storage import NULL_VERSION, Copies, Get, ObjectInfo, Put


class Copying(Bucket, Copies):
    def reaches(self, source: Any) -> bool:
        """Any bucket of the same account at the same endpoint."""
        return isinstance(source, Bucket) and source.client is self.client

    def copy(
        self, source: Any, source_key: str, key: str, want: Get = Get(), options: Put = Put()
    ) -> ObjectInfo:
        headers = request_headers.of_put(options)
        headers.update(of_write_conditions(options.conditions, key))
        headers.update(source_headers(source, source_key, want))
        headers["x-amz-metadata-directive"] = headers["x-amz-tagging-directive"] = "REPLACE"
        if options.annotations is not None:  # the store takes none: without
            headers["x-amz-object-annotation-directive"] = "EXCLUDE"
        checksum = request_headers.of_checksum(options.checksums)
        if checksum is not None:
            headers["x-amz-checksum-algorithm"] = checksum[0]
        if options.conditions is not None:  # newer than most servers, which pass over them
            self.compare(key, options.conditions)
        about = source_about(source, source_key, want)
        safe = options.conditions is None
        with understood(options):
            answer = self.ask("PUT", key, headers=headers, safe=safe, about=about)
        result_of(answer, about, "CopyObjectResult")
        version = named_version(answer)
        return self.stat(key, Get(version=version, encryption=options.encryption))


def named_version(answer: Answer) -> str | None:
    """The version that a write made; not the null version, by whose name some servers
    (moto) do not find it."""
    found = answer.headers.get("x-amz-version-id")
    return None if found == NULL_VERSION else found


def source_about(source: Bucket, key: str, want: Get) -> About:
    sealed = want.encryption is not None and want.encryption.kind == "customer"
    return About(source.name, key, want.version, reads=True, sealed=sealed)


def source_headers(source: Bucket, key: str, want: Get) -> dict[str, str]:
    """The headers that name the source of a copy."""
    named = quote(f"{source.name}/{source.under}{key}", safe="/~")
    if want.version is not None:
        named += f"?versionId={quote(want.version, safe='~')}"
    headers = {"x-amz-copy-source": named, **of_key(want.encryption, SOURCE_CUSTOMER)}
    if want.conditions is not None:
        headers.update(of_read_conditions(want.conditions, "x-amz-copy-source-"))
    return headers


def result_of(answer: Answer, about: About, root: str) -> documents.Node:
    """What an answer of 200 says: S3 begins some before it knows how they end."""
    found = documents.parse(answer.data, root, "Error")
    if documents.local(found) == "Error":
        raise error_of(500, answer.headers, answer.data, about)
    return found
