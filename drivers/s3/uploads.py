"""Uploads under way: their lists, and those that this process knows.

The protocol does not tell with what an upload began; so this process remembers
those that it began, for as long as there are not too many. Of others only the
checksum and the storage class are known.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from drivers.s3 import documents
from drivers.s3.documents import fields
from drivers.s3.listing import Listing, Marker, check_order, follows, named
from drivers.s3.properties import algorithm_of, parse_iso
from drivers.s3.steps import Steps
from gateway.storage import Put, Upload, UploadPage, UploadQuery
from gateway.storage.paging import LIMIT

_MOST_KNOWN = 10_000


@dataclass(slots=True)
class Known:
    """The uploads that this process has begun or seen; the longest unused go first."""

    _lock: Lock = field(default_factory=Lock)
    _found: OrderedDict[tuple[str, str], Upload] = field(default_factory=OrderedDict)

    def get(self, key: str, upload: str) -> Upload | None:
        with self._lock:
            found = self._found.get((key, upload))
            if found is not None:
                self._found.move_to_end((key, upload))
            return found

    def keep(self, upload: Upload) -> Upload:
        with self._lock:
            self._found[upload.key, upload.id] = upload
            while len(self._found) > _MOST_KNOWN:
                self._found.popitem(last=False)
        return upload

    def forget(self, key: str, upload: str) -> None:
        with self._lock:
            self._found.pop((key, upload), None)


class Uploads(Listing):
    known: Known

    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        if query.limit <= 0:
            return UploadPage()
        marker = self.marker(query, query.after_upload)
        steps = Steps(marker)
        while True:
            page, marker = self._uploads_page(query, marker)
            if page.next is None:
                return page
            steps.take(marker)
            if page.uploads or page.prefixes:
                return page

    def _uploads_page(self, query: UploadQuery, marker: Marker) -> tuple[UploadPage, Marker]:
        """As `_version_page`."""
        pairs = [("uploads", ""), *self._common(query.prefix, query.delimiter)]
        pairs.append(("max-uploads", str(min(query.limit, LIMIT))))
        pairs += named(("key-marker", "upload-id-marker"), marker)
        root = documents.parse(
            self.ask("GET", None, query=pairs).data,
            "ListMultipartUploadsResult",
        )
        decode = documents.decoder(root)
        found = [
            self._listed_upload(row, self.cut(decode(row.get("Key", ""))))
            for row in map(fields, documents.children(root, "Upload"))
        ]
        prefixes = [self.cut(one) for one in documents.prefixes(root, decode)]
        said = fields(root)
        more = said.get("IsTruncated") == "true"
        if more:
            check_order(prefixes, [one.key for one in found])
            marker = decode(said.get("NextKeyMarker", "")), said.get("NextUploadIdMarker", "")
        page = UploadPage(
            uploads=tuple(
                one for one in found if follows(one.key, query.after, query.after_upload)
            ),
            prefixes=tuple(one for one in prefixes if one > query.after),
            next=self.place(marker, query.after) if more else None,
            next_upload=marker[1] if more else "",
        )
        return page, marker

    def _listed_upload(self, row: dict[str, str], key: str) -> Upload:
        known = self.known.get(key, row.get("UploadId", ""))
        if known is not None and known.begun:
            return known
        checksums, kind = algorithm_of(row)
        return Upload(
            id=row.get("UploadId", ""),
            key=key,
            begun=parse_iso(row.get("Initiated", "")),
            options=Put(
                checksums=checksums,
                checksum_type=kind,
                storage_class=row.get("StorageClass", "") or "STANDARD",
            ),
        )
