"""Reading a bucket: get and stat; and what all its operations are made of (`Bucket.ask`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from drivers.s3 import asking, documents, properties
from drivers.s3.answers import Headers, broken
from drivers.s3.client import Client
from drivers.s3.later import Parts, Tags
from drivers.s3.properties import (
    checksums_of,
    size_of,
)
from drivers.s3.refusals import About, error_of
from drivers.s3.sending import Outgoing
from drivers.s3.signing import Request, query_of
from drivers.s3.stretch import cut_out
from drivers.s3.transfer import Answer
from gateway.storage import (
    NOTHING,
    BytesBody,
    Get,
    InvalidRange,
    NotModified,
    ObjectInfo,
    Opened,
    OriginFailed,
    Part,
    Range,
    Readable,
    StorageError,
    Store,
    Unsupported,
    resolve_range,
)
from gateway.storage.checksums import CHECKSUMS

_EXTENT = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_PARTS_PAGE = 1000


class Bucket(Store):
    """One bucket of an upstream, or what is below `prefix` in it. Keys are the upstream's."""

    client: Client
    name: str
    under: str = ""
    """What keys begin with upstream, and not here."""

    def ask(
        self,
        method: str,
        key: str | None,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] = NOTHING,
        body: bytes | Outgoing = b"",
        safe: bool = True,
        document: bool = True,
        about: About | None = None,
    ) -> Answer:
        """An answer that is none of refusal. Raises what the refusal means."""
        request = Request(
            method=method,
            bucket=self.name,
            key="" if key is None else self.under + key,
            query=query_of(query) if query else "",
            headers=headers,
            body=body,
            safe=safe,
            document=document,
        )
        answer = self.client.send(request)
        if answer.status >= 300:
            about = about or About(self.name, key)
            raise error_of(answer.status, answer.headers, answer.data, about)
        return answer

    # reading

    def get(self, key: str, want: Get = Get()) -> Opened:
        try:
            return self._get(key, want)
        except InvalidRange:
            if (asked := _last_bytes(want)) is None:
                raise
        opened = self._get(key, replace(want, range=None))
        return cut_out(opened.info, opened.body, asked)

    def _get(self, key: str, want: Get) -> Opened:
        answer = self._read("GET", key, want)
        try:
            return self._opened(key, want, answer)
        except BaseException:
            if answer.body is not None:
                answer.body.close()
            raise

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        if _last_bytes(want) is not None:
            want = replace(want, range=None)
        answer = self._read("HEAD", key, want)
        size = size_of(answer.headers)
        if answer.status == 206:
            size = _extent(answer.headers, size)[1]
        elif want.range is not None and resolve_range(want.range, size) is None:
            raise InvalidRange(key=key, size=size)  # an upstream that knows no ranges
        return _held(self._info(key, size, answer.headers), want)

    def _read(self, method: str, key: str, want: Get) -> Answer:
        request = Request(
            method=method,
            bucket=self.name,
            key=self.under + key,
            query=_query(want) if want.version is not None or want.part is not None else "",
            headers=asking.of_get(want),
        )
        answer = self.client.send(request)
        if answer.status in (200, 206):
            return answer
        if answer.status == 304:
            raise NotModified(info=self.stat(key, replace(want, conditions=None, range=None)))
        if method == "HEAD" and answer.status not in (404, 405, 412):
            return self._explained(key, want, answer)
        raise error_of(answer.status, answer.headers, answer.data, self._about(key, want))

    def _explained(self, key: str, want: Get, answer: Answer) -> Answer:
        """Why a HEAD was refused: answers to it say only a number, those to a GET a reason.
        Raises it; when the GET is not refused, the HEAD is asked once more."""
        error = error_of(answer.status, answer.headers, b"", self._about(key, want))
        if answer.status in (400, 401, 403, 416):
            with self.get(key, want if want.range else replace(want, range=_first(want))):
                pass
            request = Request(
                method="HEAD",
                bucket=self.name,
                key=self.under + key,
                query=_query(want),
                headers=asking.of_get(want),
            )
            again = self.client.send(request)
            if again.status in (200, 206):
                return again
        raise error

    def _about(self, key: str, want: Get) -> About:
        sealed = want.encryption is not None and want.encryption.kind == "customer"
        return About(self.name, key, want.version, part=want.part or 0, reads=True, sealed=sealed)

    def _opened(self, key: str, want: Get, answer: Answer) -> Opened:
        if answer.body is None:
            body: Readable = BytesBody(answer.data)
        else:
            body = answer.body
        length = answer.length
        if length < 0:
            raise broken("it does not say how large the object is")
        if answer.status == 206:
            start, size = _extent(answer.headers, length)
            self._check_extent(want, start, length, size)
        else:
            start, size = 0, length
        info = _held(self._info(key, size, answer.headers), want)
        if want.part is not None and answer.status != 206 and (info.parts or want.part != 1):
            raise Unsupported(
                "The upstream does not read single parts.", key=key, capability="part reads"
            )
        if want.range is not None and answer.status != 206:
            return cut_out(info, body, want.range)
        return Opened(info=info, body=body, start=start, length=length)

    def _check_extent(self, want: Get, start: int, length: int, size: int) -> None:
        if want.range is not None and resolve_range(want.range, size) != (start, length):
            raise broken("it has other bytes than were asked for")

    def _info(self, key: str, size: int, headers: Headers) -> ObjectInfo:
        version = headers.get("x-amz-version-id")
        return properties.info_of(
            key,
            size,
            headers,
            tags=lambda count: Tags(count, partial(self.tags_of, key, version)),
            parts=lambda count: Parts(count, partial(self._parts_of, key, version, count, headers)),
        )

    # what is fetched when somebody looks

    def tags_of(self, key: str, version: str | None) -> Mapping[str, str]:
        query = [("tagging", "")]
        if version is not None:
            query.append(("versionId", version))
        about = About(self.name, key, version)
        return documents.tags_of(self.ask("GET", key, query=query, about=about).data)

    def _parts_of(
        self, key: str, version: str | None, count: int, headers: Headers
    ) -> tuple[Part, ...]:
        modified = properties.parse_date(headers.get("last-modified", ""))
        try:
            parts = self._attributes(key, version, modified)
        except OriginFailed:
            raise
        except StorageError:  # the upstream does not have GetObjectAttributes
            parts = ()
        if len(parts) == count:
            return parts
        return tuple(self._part(key, version, number, modified) for number in range(1, count + 1))

    def _attributes(self, key: str, version: str | None, modified: int) -> tuple[Part, ...]:
        """AWS tells of the parts only where they were uploaded with checksums."""
        found: list[Part] = []
        query = [("attributes", "")] + ([("versionId", version)] if version is not None else [])
        while True:
            headers = {
                "x-amz-object-attributes": "ObjectParts",
                "x-amz-max-parts": str(_PARTS_PAGE),
                "x-amz-part-number-marker": str(found[-1].number if found else 0),
            }
            data = self.ask("GET", key, query=query, headers=headers).data
            root = documents.parse(data, "GetObjectAttributesResponse", "GetObjectAttributesOutput")
            told = next(documents.children(root, "ObjectParts"), None)
            page = [] if told is None else [_part(one, modified) for one in _rows(told)]
            found += page
            more = told is not None and documents.fields(told).get("IsTruncated") == "true"
            if not more or not page:
                return tuple(found)

    def _part(self, key: str, version: str | None, number: int, modified: int) -> Part:
        want = Get(version=version, part=number)
        headers = self._read("HEAD", key, want).headers
        return Part(number, size_of(headers), "", modified, checksums_of(headers)[0])


def _held(info: ObjectInfo, want: Get) -> ObjectInfo:
    """Raise what the conditions raise: an upstream may not know all of them."""
    if want.conditions is not None:
        want.conditions.check_read(info)
    return info


def _last_bytes(want: Get) -> Range | None:
    """A range that any object has, if that was wanted: upstreams refuse it of an empty one."""
    asked = want.range
    return asked if asked is not None and asked.first is None and asked.last else None


def _first(want: Get) -> Range | None:
    return None if want.part is not None else Range(0, 0)


def _query(want: Get) -> str:
    pairs = []
    if want.version is not None:
        pairs.append(("versionId", want.version))
    if want.part is not None:
        pairs.append(("partNumber", str(want.part)))
    return query_of(pairs)


def _extent(headers: Headers, length: int) -> tuple[int, int]:
    """(start, size of the whole) as Content-Range has them."""
    match = _EXTENT.fullmatch(headers.get("content-range", ""))
    if match is None:
        raise broken("it has a part of the object, and does not say which")
    first, last, size = (int(one) for one in match.groups())
    if not first <= last < size or last - first + 1 != length:
        raise broken("its range and its length do not fit")
    return first, size


def _rows(told: documents.Node) -> Iterable[Mapping[str, str]]:
    return (documents.fields(one) for one in documents.children(told, "Part"))


def _part(row: Mapping[str, str], modified: int) -> Part:
    sums = {
        name.removeprefix("Checksum"): text
        for name, text in row.items()
        if name.removeprefix("Checksum") in CHECKSUMS
    }
    number = documents.number(row.get("PartNumber", ""))
    return Part(number, documents.number(row.get("Size", "")), "", modified, sums or NOTHING)
