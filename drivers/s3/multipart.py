"""Uploads in parts: the upstream's own, from the first part to the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from drivers.s3 import documents, request_headers
from drivers.s3.copying import Copying, named_version, result_of, source_about, source_headers
from drivers.s3.documents import fields, number
from drivers.s3.properties import (
    CHECKSUM,
    algorithm_of,
    checksums_of,
    encryption_of,
    parse_iso,
)
from drivers.s3.reading import Bucket
from drivers.s3.refusals import About, when
from drivers.s3.request_headers import (
    of_key,
    of_write_conditions,
)
from drivers.s3.steps import check_ascending, not_moving
from drivers.s3.transfer import Answer
from drivers.s3.uploads import Uploads
from drivers.s3.writing import Writing, understood
from gateway.common.upstream.fields import byte_range, etag_of
from gateway.storage import (
    NOTHING,
    Complete,
    Conditions,
    Get,
    InvalidPart,
    InvalidPartOrder,
    Multipart,
    NoSuchKey,
    NoSuchUpload,
    ObjectInfo,
    Part,
    PartRef,
    PartTooSmall,
    PreconditionFailed,
    Put,
    Readable,
    StorageError,
    Unsupported,
    Upload,
    carried,
)
from gateway.storage.checksums import CHECKSUMS, etag_of_parts
from gateway.storage.paging import LIMIT

SMALLEST = 5 << 20
"""What S3 itself asks of all parts but the last: then nobody else needs to look."""

_INITIATED = "InitiateMultipartUploadResult"


class S3Multipart(Writing, Uploads, Copying, Multipart):
    def begin(self, key: str, options: Put = Put()) -> Upload:
        headers = request_headers.of_put(options)
        checksum = request_headers.of_checksum(options.checksums)
        if checksum is not None:
            headers["x-amz-checksum-algorithm"] = checksum[0]
            if options.checksum_type is not None:
                headers["x-amz-checksum-type"] = options.checksum_type
        with understood(options):
            answer = self.ask("POST", key, query=[("uploads", "")], headers=headers, safe=False)
        row = fields(documents.parse(answer.data, _INITIATED))
        return self.known.keep(
            Upload(
                id=row.get("UploadId", ""),
                key=key,
                begun=when(answer.headers),
                options=Put(
                    checksums=options.checksums,
                    checksum_type=options.checksum_type,
                    **carried(options, encryption=encryption_of(answer.headers), owner=""),
                ),
            )
        )

    def upload(self, key: str, upload: str) -> Upload:
        found = self.known.get(key, upload)
        if found is not None:
            return found
        row = fields(self._parts_page(key, upload, 0, 1))
        checksums, kind = algorithm_of(row)
        options = Put(
            checksums=checksums,
            checksum_type=kind,
            storage_class=row.get("StorageClass", "") or "STANDARD",
        )
        return self.known.keep(Upload(id=upload, key=key, begun=0, options=options))

    def put_part(
        self, key: str, upload: str, number: int, source: Readable, options: Put = Put()
    ) -> Part:
        options = self._summed(key, upload, options)
        with self.sized(source, options) as (body, known):
            sent = self.outgoing(body, known)
            said = self._call(
                "PUT",
                key,
                upload,
                query=[("partNumber", str(number))],
                headers={**sent.headers, **of_key(options.encryption)},
                body=sent.body,
            ).headers
        etag = self.checked_etag(sent.intake, said)
        checksums = checksums_of(said)[0] or sent.intake.checksums
        return Part(number, sent.intake.size, etag, when(said), checksums)

    def _summed(self, key: str, upload: str, options: Put) -> Put:
        """With the checksum that all parts of the upload have."""
        if options.checksums:
            return options
        return replace(options, checksums=self.upload(key, upload).options.checksums)

    def _call(self, method: str, key: str, upload: str, **how: Any) -> Answer:
        query = [*how.pop("query", ()), ("uploadId", upload)]
        how.setdefault("about", About(self.name, key, upload=upload))
        try:
            return self.ask(method, key, query=query, **how)
        except NoSuchUpload:
            self.known.forget(key, upload)
            raise

    def copy_part(
        self,
        key: str,
        upload: str,
        number: int,
        source: Any,
        source_key: str,
        want: Get = Get(),
        options: Put = Put(),
    ) -> Part:
        if not isinstance(source, Bucket) or not self.reaches(source):
            return super().copy_part(key, upload, number, source, source_key, want, options)
        headers = {**source_headers(source, source_key, want), **of_key(options.encryption)}
        if want.range is not None:
            headers["x-amz-copy-source-range"] = byte_range(want.range)
        query = [("partNumber", str(number))]
        about = source_about(source, source_key, want)._replace(upload=upload)
        answer = self._call("PUT", key, upload, query=query, headers=headers, about=about)
        row = fields(result_of(answer, about, "CopyPartResult"))
        size = self.parts(key, upload, number - 1, 1)[0].size
        return _copied_part(number, size, row)

    def _parts_page(self, key: str, upload: str, after: int, limit: int) -> documents.Node:
        query = [("max-parts", str(limit)), ("part-number-marker", str(after))]
        data = self._call("GET", key, upload, query=query).data
        return documents.parse(data, "ListPartsResult", "ListPartsResponse")

    def parts(self, key: str, upload: str, after: int = 0, limit: int = 1000) -> tuple[Part, ...]:
        """Several pages where the upstream's are smaller."""
        found: list[Part] = []
        last = after
        while (left := min(limit, LIMIT) - len(found)) > 0:
            root = self._parts_page(key, upload, last, left)
            rows = [_listed_part(fields(one)) for one in documents.children(root, "Part")]
            found += [part for part in rows if part.number > last]
            check_ascending(part.number for part in found)
            if fields(root).get("IsTruncated") != "true":
                break
            last, before = (found[-1].number if found else after), last
            if last == before:
                raise not_moving()
        return tuple(found[: max(limit, 0)])

    def complete(
        self, key: str, upload: str, parts: Sequence[PartRef], options: Complete = Complete()
    ) -> ObjectInfo:
        if options.protection is not None:
            raise Unsupported(
                "The upstream takes an upload's protection when it begins: begin it anew.",
                key=key,
                capability="protection",
            )
        self._check_order(key, parts)
        if options.min_part not in (0, SMALLEST):
            self._check_sizes(key, upload, parts, options.min_part)
        headers = _completing(options, key)
        about = About(self.name, key, upload=upload)
        try:
            if options.conditions is not None:
                self._compare_with(key, upload, options.conditions)
            answer = self._call(
                "POST",
                key,
                upload,
                headers=headers,
                body=documents.completion(parts),
                safe=options.conditions is None,
            )
            row = fields(result_of(answer, about, "CompleteMultipartUploadResult"))
        except NoSuchUpload:
            return self._completed_before(key, parts, options)
        version = named_version(answer)
        self.known.forget(key, upload)
        want = Get(version=version, encryption=options.encryption)
        info = self.stat(key, want)
        if not info.checksums and any(name.startswith("Checksum") for name in row):
            kind = row.get("ChecksumType") or None
            info = replace(info, checksums=_sums(row), checksum_type=kind)  # type: ignore[arg-type]  # S3's own words
        return info

    def _compare_with(self, key: str, upload: str, conditions: Conditions) -> None:
        """Some servers know one condition of a completion, or none. Of an upload that is complete
        what was answered then is what counts."""
        try:
            self.compare(key, conditions)
        except (PreconditionFailed, NoSuchKey):
            self._parts_page(key, upload, 0, 1)
            raise

    def _completed_before(
        self, key: str, parts: Sequence[PartRef], options: Complete
    ) -> ObjectInfo:
        """The answer to a completion was lost: then the object is there, made of these parts."""
        try:
            etag = etag_of_parts([part.etag for part in parts])
            info = self.stat(key, Get(encryption=options.encryption))
        except (ValueError, StorageError):
            raise NoSuchUpload(key=key) from None
        if info.etag != etag:
            raise NoSuchUpload(key=key)
        return info

    def _check_order(self, key: str, parts: Sequence[PartRef]) -> None:
        numbers = [part.number for part in parts]
        if any(after <= before for before, after in pairwise(numbers)):
            raise InvalidPartOrder(key=key)

    def _check_sizes(self, key: str, upload: str, parts: Sequence[PartRef], least: int) -> None:
        there = {}
        page = self.parts(key, upload)
        while page:
            there.update({part.number: part for part in page})
            page = self.parts(key, upload, page[-1].number)
        for part in parts[:-1]:
            found = there.get(part.number)
            if found is None:
                raise InvalidPart(key=key, number=part.number)
            if found.size < least:
                raise PartTooSmall(key=key, number=part.number, size=found.size, minimum=least)

    def abort(self, key: str, upload: str) -> None:
        self._call("DELETE", key, upload)
        self.known.forget(key, upload)


def _completing(options: Complete, key: str) -> dict[str, str]:
    headers = {**of_write_conditions(options.conditions, key), **of_key(options.encryption)}
    for name, value in options.checksums.items():
        headers[CHECKSUM + name.lower()] = value
    if options.checksum_type is not None:
        headers["x-amz-checksum-type"] = options.checksum_type
    if options.size is not None:
        headers["x-amz-mp-object-size"] = str(options.size)
    headers["content-type"] = "application/xml"
    return headers


def _sums(row: dict[str, str]) -> dict[str, str]:
    return {
        name.removeprefix("Checksum"): text
        for name, text in row.items()
        if name.removeprefix("Checksum") in CHECKSUMS
    }


def _listed_part(row: dict[str, str]) -> Part:
    return Part(
        number(row.get("PartNumber", "")),
        number(row.get("Size", "")),
        etag_of(row.get("ETag", "")),
        parse_iso(row.get("LastModified", "")),
        _sums(row) or NOTHING,
    )


def _copied_part(part: int, size: int, row: dict[str, str]) -> Part:
    modified = parse_iso(row.get("LastModified", ""))
    return Part(part, size, etag_of(row.get("ETag", "")), modified, _sums(row) or NOTHING)
