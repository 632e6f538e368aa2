"""Lists of a bucket: objects, versions, uploads under way; each page one request.

The contract's rule is that an item is on a page when it is greater than
`after`. S3's markers say the same of keys; of common prefixes servers disagree
(some repeat a prefix that is itself the marker). So behind a prefix the list
goes on after all that begins with it, and what comes again is dropped. A page on which
nothing is left then is no end: the next is asked for as the upstream itself says (`steps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drivers.s3 import documents
from drivers.s3.documents import Node, fields, number
from drivers.s3.properties import (
    parse_iso,
)
from drivers.s3.reading import Bucket
from drivers.s3.steps import Steps, not_moving
from gateway.common.upstream.answers import broken
from gateway.common.upstream.fields import etag_of
from gateway.storage import (
    NULL_VERSION,
    Entry,
    InvalidRequest,
    Listable,
    ListPage,
    ListQuery,
    UploadQuery,
    VersionEntry,
    Versioning,
    VersionPage,
    VersionQuery,
    Versions,
)
from gateway.storage.paging import LIMIT, common_prefix

Marker = tuple[str, str]
"""A key upstream, and the id of a version or an upload of it that is passed ("": all)."""

_LAST = "\U0010ffff"
_STATES: dict[str, Versioning] = {"Enabled": "on", "Suspended": "suspended"}
_STATUSES = {state: status for status, state in _STATES.items()}


class Listing(Bucket, Listable, Versions):
    kept_state: Versioning | None

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        if query.limit <= 0:
            return ListPage()
        steps, token = Steps(""), ""
        while True:
            page, token = self._page(query, token)
            if page.entries or page.prefixes or page.next is None:
                return page
            steps.take(token)

    def _page(self, query: ListQuery, token: str) -> tuple[ListPage, str]:
        """What is new on a page, and the token of the next."""
        pairs = [("list-type", "2"), *self._common(query.prefix, query.delimiter)]
        pairs.append(("max-keys", str(min(query.limit, LIMIT))))
        if token:
            pairs.append(("continuation-token", token))
        elif query.after:
            pairs.append(
                ("start-after", self.under + behind(query.after, query.prefix, query.delimiter))
            )
        root = documents.parse(self.ask("GET", None, query=pairs).data, "ListBucketResult")
        decode = documents.decoder(root)
        entries = [
            _entry(row, self.cut(decode(row.get("Key", ""))))
            for row in map(fields, documents.children(root, "Contents"))
        ]
        prefixes = [self.cut(one) for one in documents.prefixes(root, decode)]
        said = fields(root)
        more = said.get("IsTruncated") == "true"
        if more:
            check_order(prefixes, [one.key for one in entries])
        last = max([*(one.key for one in entries[-1:]), *prefixes[-1:]], default="")
        page = ListPage(
            entries=tuple(sorted(one for one in entries if one.key > query.after)),
            prefixes=tuple(sorted(one for one in prefixes if one > query.after)),
            next=last if more else None,
        )
        return page, said.get("NextContinuationToken", "")

    def cut(self, upstream: str) -> str:
        """The key or prefix here of one there. Raises `OriginFailed` for one that nobody asked
        for."""
        if not upstream.startswith(self.under):
            raise broken(f"its list has {upstream!r}, which does not begin with {self.under!r}")
        return upstream[len(self.under) :]

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
        marker = self.marker(query, query.after_version)
        steps = Steps(marker)
        while True:
            page, marker = self._version_page(query, marker)
            if page.next is None:
                return page
            steps.take(marker)
            if page.entries or page.prefixes:
                return page

    def names_version(self, text: str) -> bool:
        """Only the upstream knows; what it refuses is passed on."""
        return True

    def marker(self, query: VersionQuery | UploadQuery, behind_id: str) -> Marker:
        if not query.after or behind_id:
            return self.under + query.after if behind_id else "", behind_id
        return self.under + behind(query.after, query.prefix, query.delimiter), ""

    def _version_page(self, query: VersionQuery, marker: Marker) -> tuple[VersionPage, Marker]:
        """What is new on the page behind a marker, and the next one."""
        pairs = [("versions", ""), *self._common(query.prefix, query.delimiter)]
        pairs.append(("max-keys", str(min(query.limit, LIMIT))))
        pairs += named(("key-marker", "version-id-marker"), marker)
        data = self.ask("GET", None, query=pairs).data
        root = documents.parse(data, "ListVersionsResult", "ListBucketVersionsResult")
        decode = documents.decoder(root)
        entries = [
            _version(node, row, self.cut(decode(row.get("Key", ""))))
            for node in root
            if documents.local(node) in ("Version", "DeleteMarker")
            for row in (fields(node),)
        ]
        prefixes = [self.cut(one) for one in documents.prefixes(root, decode)]
        said = fields(root)
        more = said.get("IsTruncated") == "true"
        if more:
            check_order(prefixes, [one.key for one in entries])
            marker = decode(said.get("NextKeyMarker", "")), said.get("NextVersionIdMarker", "")
        page = VersionPage(
            entries=tuple(
                one for one in entries if follows(one.key, query.after, query.after_version)
            ),
            prefixes=tuple(one for one in prefixes if one > query.after),
            next=self.place(marker, query.after) if more else None,
            next_version=marker[1] if more else "",
        )
        return page, marker

    def place(self, marker: Marker, after: str) -> str:
        """Where a list goes on, which is not before where it began."""
        found = self.cut(marker[0])
        if found < after:
            raise not_moving()
        return found


def named(names: tuple[str, str], marker: Marker) -> Iterable[tuple[str, str]]:
    return [pair for pair in zip(names, marker, strict=True) if pair[1]]


def follows(key: str, after: str, after_id: str) -> bool:
    return key > after or (key == after and bool(after and after_id))


def check_order(*lists: Sequence[str]) -> None:
    """Of a page that others follow, or what it leaves out would be missed."""
    if any(texts != sorted(texts) for texts in lists):
        raise broken("its list is not in the order of keys")


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
