"""Deleting from a bucket: one key or version, or a thousand with one request.

Servers that do not know a condition of a delete pass over it. So what is there is compared
here first, which leaves a moment between the two; `check_delete` finds out whether the
upstream leaves none.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Any

from drivers.s3 import documents, request_headers
from drivers.s3.reading import Bucket
from drivers.s3.refusals import About, error_of
from drivers.s3.transfer import Answer
from gateway.common import xml
from gateway.storage import (
    BytesBody,
    Conditions,
    Delete,
    Deleted,
    Get,
    InvalidRequest,
    NoSuchVersion,
    ObjectInfo,
    OriginDenied,
    OriginFailed,
    PreconditionFailed,
    Protected,
    Protection,
    Put,
    StorageError,
    Unsupported,
    VersionQuery,
    Versions,
    Writable,
)
from gateway.storage.checksums import compute
from gateway.storage.objects import now

log = logging.getLogger("gateway.upstream")

_AT_ONCE = 1000
"""Keys of one DeleteObjects (Amazon S3 API Reference)."""

_HOUR = 3_600_000


class Deleting(Bucket, Writable):
    compares: bool | None = None
    """Whether the upstream looks at the conditions of a delete; None: nobody has asked yet."""

    def check_delete(self, options: Delete) -> None:
        """Asks the upstream once, by an object without bytes that is put and removed."""
        if options.conditions is None:
            return
        request_headers.of_delete_conditions(options.conditions)
        if self.compares is None:
            self.compares = self._tried()
        if not self.compares:
            raise Unsupported(
                "The S3 upstream passes over conditions of a delete (If-Match,"
                " x-amz-if-match-last-modified-time), so what is written at that moment might be"
                " removed.",
                capability="conditions",
            )

    def _tried(self) -> bool:
        key = f".gateway-tries-conditions-{secrets.token_hex(8)}"
        made = self.put(key, BytesBody(b""), Put(size=0))
        later = Conditions(if_match=(made.etag,), if_modified=made.modified + _HOUR)
        try:
            return self._refuses(key, Conditions(if_match=("0" * 32,))) and self._refuses(
                key, later
            )
        finally:
            self._clear(made)

    def _refuses(self, key: str, conditions: Conditions) -> bool:
        headers = request_headers.of_delete_conditions(conditions)
        try:
            self.ask("DELETE", key, headers=headers, safe=False, about=About(self.name, key))
        except (PreconditionFailed, Unsupported, InvalidRequest) as error:
            return isinstance(error, PreconditionFailed)
        return False

    def _clear(self, made: ObjectInfo) -> None:
        """With all versions and markers that were made of it."""
        try:
            if made.version is None or not isinstance(self, Versions):
                self.delete(made.key)
                return
            for one in self.versions(VersionQuery(prefix=made.key)).entries:
                self.delete(one.key, Delete(version=one.version))
        except StorageError as error:
            log.warning("bucket %r: %r is left in it: %s", self.name, made.key, error)

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        headers = request_headers.of_delete_conditions(options.conditions, key)
        if options.conditions is not None and not self.compares:
            self.compare(key, options.conditions, options.version, removes=True)
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
        except OriginDenied as error:
            raise self._why_denied(key, options, error) from None
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
        return options.conditions is None and all(map(xml.carries, texts))

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
            about=About(self.name),
        )
        told = self._told(answer)
        results = list[Deleted | StorageError]()
        for key, options in page:
            found = told.get((self.under + key, options.version or ""))
            if isinstance(found, OriginDenied):
                found = self._why_denied(key, options, found)
            silent = OriginFailed("The upstream said nothing of this key.", key=key)
            results.append(found or silent)
        return results

    def _why_denied(self, key: str, options: Delete, error: OriginDenied) -> StorageError:
        """Not all servers say that it is for a lock."""
        if options.version is None:
            return error
        with suppress(StorageError):
            kept = self.stat(key, Get(version=options.version)).protection or Protection()
            if kept.keeps(now(), bypass=False):
                return Protected(key=key)
        return error

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
