"""Lists of a bucket: objects, versions, uploads under way; each page one request.

The contract's rule is that an item is on a page when it is greater than
`after`. S3's markers say the same of keys; of common prefixes servers disagree
(some repeat a prefix that is itself the marker). So behind a prefix the list
goes on after all that begins with it, and what comes again is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drivers.s3 import documents
from drivers.s3.documents import Node, fields, number
from drivers.s3.properties import (
    etag_of,
    parse_iso,
)
from drivers.s3.reading import Bucket
from gateway.storage import (
    NULL_VERSION,
    Entry,
    InvalidRequest,
    Listable,
    ListPage,
    ListQuery,
    VersionEntry,
    Versioning,
    VersionPage,
    VersionQuery,
    Versions,
)
from gateway.storage.paging import LIMIT, common_prefix

_LAST = "\U0010ffff"
_STATES: dict[str, Versioning] = {"Enabled": "on", "Suspended": "suspended"}
_STATUSES = {state: status for status, state in _STATES.items()}


class Listing(Bucket, Listable, Versions):
    kept_state: Versioning | None

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        if query.limit <= 0:
            return ListPage()
        while True:
            page = self._page(query)
            if page.entries or page.prefixes or page.next is None:
                return page
            query = replace(query, after=page.next)  # all of it was there before

    def _page(self, query: ListQuery) -> ListPage:
        pairs = [("list-type", "2"), *self._common(query.prefix, query.delimiter)]
        pairs.append(("max-keys", str(min(query.limit, LIMIT))))
        if query.after:
            pairs.append(
                ("start-after", self.under + behind(query.after, query.prefix, query.delimiter))
            )
        root = documents.parse(self.ask("GET", None, query=pairs).data, "ListBucketResult")
        decode, cut = documents.decoder(root), len(self.under)
        entries = [
            _entry(row, decode(row["Key"])[cut:])
            for row in map(fields, documents.children(root, "Contents"))
        ]
        prefixes = [one[cut:] for one in documents.prefixes(root, decode)]
        last = max([*(one.key for one in entries[-1:]), *prefixes[-1:]], default=None)
        more = fields(root).get("IsTruncated") == "true" and last is not None
        return ListPage(
            entries=tuple(one for one in entries if one.key > query.after),
            prefixes=tuple(one for one in prefixes if one > query.after),
            next=last if more else None,
        )

    def _common(self, prefix: str, delimiter: str) -> Iterable[tuple[str, str]]:
        yield "encoding-type", "url"
        if self.under or prefix:
            yield "prefix", self.under + prefix
        if delimiter:
            yield "delimiter", delimiter

    # versions

    @property
    def versioning(self) -> Versioning:
        data = self.ask("GET", None, query=[("versioning", "")]).data
        root = documents.parse(data, "VersioningConfiguration", "GetBucketVersioningResponse")
        status = fields(root).get("Status", "")
        self.kept_state = _STATES.get(status, "off")
        return self.kept_state

    def set_versioning(self, state: Versioning) -> None:
        if state == "off":
            if self.versioning == "off":
                return
            raise InvalidRequest("Versioning can be suspended, not undone.")
        body = documents.versioning(_STATUSES[state])
        self.ask("PUT", None, query=[("versioning", "")], body=body)
        self.kept_state = state

    def versions(self, query: VersionQuery = VersionQuery()) -> VersionPage:
        if query.limit <= 0:
            return VersionPage()
        while True:
            page = self._version_page(query)
            if page.entries or page.prefixes or page.next is None:
                return page
            query = replace(query, after=page.next, after_version=page.next_version)

    def _version_page(self, query: VersionQuery) -> VersionPage:
        pairs = [("versions", ""), *self._common(query.prefix, query.delimiter)]
        pairs.append(("max-keys", str(min(query.limit, LIMIT))))
        if query.after and query.after_version:
            pairs.append(("key-marker", self.under + query.after))
            pairs.append(("version-id-marker", query.after_version))
        elif query.after:
            pairs.append(
                ("key-marker", self.under + behind(query.after, query.prefix, query.delimiter))
            )
        data = self.ask("GET", None, query=pairs).data
        root = documents.parse(data, "ListVersionsResult", "ListBucketVersionsResult")
        decode, cut = documents.decoder(root), len(self.under)
        entries = [
            _version(node, row, decode(row["Key"])[cut:])
            for node in root
            if documents.local(node) in ("Version", "DeleteMarker")
            for row in (fields(node),)
        ]
        prefixes = [one[cut:] for one in documents.prefixes(root, decode)]
        said = fields(root)
        more = said.get("IsTruncated") == "true"
        return VersionPage(
            entries=tuple(entries),
            prefixes=tuple(one for one in prefixes if one > query.after),
            next=decode(said.get("NextKeyMarker", ""))[cut:] if more else None,
            next_version=said.get("NextVersionIdMarker", "") if more else "",
        )


def behind(after: str, prefix: str, delimiter: str) -> str:
    """What a list goes on after: behind a common prefix, all that begins with it."""
    rolled = after.startswith(prefix) and common_prefix(after, prefix, delimiter) == after
    return after + _LAST if rolled else after


def _entry(row: dict[str, str], key: str) -> Entry:
    return Entry(
        key,
        number(row.get("Size", "")),
        etag_of(row.get("ETag", "")),
        parse_iso(row.get("LastModified", "")),
        storage_class=row.get("StorageClass", "") or "STANDARD",
    )


def _version(node: Node, row: dict[str, str], key: str) -> VersionEntry:
    marker = documents.local(node) == "DeleteMarker"
    return VersionEntry(
        key=key,
        version=row.get("VersionId", "") or NULL_VERSION,
        latest=row.get("IsLatest") == "true",
        marker=marker,
        size=0 if marker else number(row.get("Size", "")),
        etag="" if marker else etag_of(row.get("ETag", "")),
        modified=parse_iso(row.get("LastModified", "")),
        storage_class=row.get("StorageClass", "") or "STANDARD",
    )
