"""Deleting from a bucket: one key or version, or a thousand with one request."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from drivers.s3 import documents, request_headers
from drivers.s3.reading import Bucket
from drivers.s3.refusals import About, error_of
from drivers.s3.transfer import Answer
from gateway.common import xml
from gateway.storage import (
    Conditions,
    Delete,
    Deleted,
    NoSuchVersion,
    OriginFailed,
    StorageError,
    Writable,
)
from gateway.storage.checksums import compute

_AT_ONCE = 1000
"""Keys of one DeleteObjects (Amazon S3 API Reference)."""


class Deleting(Bucket, Writable):
    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        headers = request_headers.of_delete_conditions(options.conditions, key)
        if options.bypass:
            headers["x-amz-bypass-governance-retention"] = "true"
        query = [("versionId", options.version)] if options.version is not None else []
        try:
            said = self.ask(
                "DELETE",
                key,
                query=query,
                headers=headers,
                safe=options.conditions is None,
                about=About(self.name, key, options.version),
            ).headers
        except NoSuchVersion:  # of a name that is none of the upstream's versions
            return Deleted(key, None, options.version)
        marker = said.get("x-amz-delete-marker", "").lower() == "true"
        return Deleted(key, None, said.get("x-amz-version-id") or options.version, marker)

    def delete_many(self, items: Iterable[tuple[str, Delete]]) -> list[Deleted | StorageError]:
        """A request for each thousand; one by one where an item has what a list cannot say."""
        results: list[Deleted | StorageError] = []
        wanted = iter(items)
        while page := list(islice(wanted, _AT_ONCE)):
            keys = [(key, options.version) for key, options in page]
            if all(self._listable(*one) for one in page) and len(set(keys)) == len(keys):
                results += self._delete_page(page)
            else:
                results += Writable.delete_many(self, page)
        return results

    def _listable(self, key: str, options: Delete) -> bool:
        texts = (self.under, key, options.version or "")
        return _sayable(options.conditions) and all(map(xml.carries, texts))

    def _delete_page(self, page: list[tuple[str, Delete]]) -> list[Deleted | StorageError]:
        body = documents.deletion((self.under + key, options) for key, options in page)
        headers = {"content-md5": compute("MD5", body), "content-type": "application/xml"}
        if any(options.bypass for _, options in page):
            headers["x-amz-bypass-governance-retention"] = "true"
        answer = self.ask(
            "POST",
            None,
            query=[("delete", "")],
            headers=headers,
            body=body,
            safe=all(options.conditions is None for _, options in page),
            about=About(self.name),
        )
        told = self._told(answer)
        return [
            told.get((self.under + key, options.version or ""))
            or OriginFailed("The upstream said nothing of this key.", key=key)
            for key, options in page
        ]

    def _told(self, answer: Answer) -> dict[tuple[str, str], Any]:
        """(key upstream, version) → what became of it."""
        told: dict[tuple[str, str], Deleted | StorageError] = {}
        for node in documents.parse(answer.data, "DeleteResult", "DeleteObjectsResult"):
            row = documents.fields(node)
            full = row.get("Key", "")
            version, key = row.get("VersionId", ""), full[len(self.under) :]
            if documents.local(node) == "Deleted":
                marker = row.get("DeleteMarker") == "true"
                named = row.get("DeleteMarkerVersionId") if marker else version
                told[full, version] = Deleted(key, None, named or version or None, marker)
            elif documents.local(node) == "Error":
                error = _refused(row, About(self.name, key, version or None))
                gone = isinstance(error, NoSuchVersion)
                told[full, version] = Deleted(key, None, version or None) if gone else error
        return told


def _refused(row: dict[str, str], about: About) -> StorageError:
    """One Error of a DeleteResult, read as if it had been an answer of its own."""
    code, message = row.get("Code", ""), row.get("Message", "")
    data = documents.error(code, message)
    return error_of(_ERROR_STATUS.get(code, 400), {}, data, about)


_ERROR_STATUS = {"InternalError": 500, "ServiceUnavailable": 503, "SlowDown": 503}


def _sayable(conditions: Conditions | None) -> bool:
    """Whether an item of a list can have that condition."""
    if conditions is None:
        return True
    return len(conditions.if_match) == 1 and conditions == Conditions(if_match=conditions.if_match)
