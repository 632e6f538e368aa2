"""Reading a bucket: get and stat; and what all its operations are made of (`Bucket.ask`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from drivers.s3 import documents, fitting, properties, request_headers
from drivers.s3.client import Client
from drivers.s3.lazy import LazyParts, Tags
from drivers.s3.properties import (
    checksums_of,
    size_of,
)
from drivers.s3.refusals import About, error_of
from drivers.s3.sending import Outgoing
from drivers.s3.signing import UpstreamRequest, query_of
from drivers.s3.steps import check_ascending
from drivers.s3.transfer import Answer
from gateway.common.upstream.answers import Headers, broken
from gateway.common.upstream.fields import parse_date
from gateway.common.upstream.stretch import cut_out, extent, last_bytes, with_last_bytes
from gateway.storage import (
    NOTHING,
    BytesBody,
    Conditions,
    Get,
    InvalidRange,
    MethodNotAllowed,
    NoSuchKey,
    NoSuchVersion,
    ObjectInfo,
    Opened,
    OriginFailed,
    Part,
    Range,
    Readable,
    StorageError,
    Store,
    Unsupported,
    WrongKey,
    resolve_range,
)
from gateway.storage.checksums import CHECKSUMS

_PARTS_PAGE = 1000
_LOOKS = 3
"""Times that an object may change between a 304 and the look at what is there."""


class Bucket(Store):
    """One bucket of an upstream, or what is below `prefix` in it. Keys are the upstream's."""

    keeps_owners = False

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
        request = UpstreamRequest(
            method=method,
            bucket=self.name,
            key="" if key is None else self.under + key,
            query=query_of(query) if query else "",
            headers=headers,
            body=body,
            safe=safe,
            document=document,
        )
        answer = self._sent(request)
        if answer.status >= 300:
            about = about or About(self.name, key)
            raise error_of(answer.status, answer.headers, answer.data, about)
        return answer

    def _sent(self, request: UpstreamRequest) -> Answer:
        """An answer that fits, refusals too."""
        answer = self.client.send(request)
        try:
            fitting.check_status(request, answer.status)
        except BaseException:
            if answer.body is not None:
                answer.body.close()
            raise
        return answer

    # reading

    def get(self, key: str, want: Get = Get()) -> Opened:
        return with_last_bytes(partial(self._get, key), want)

    def _get(self, key: str, want: Get) -> Opened:
        answer = self._read("GET", key, want)
        try:
            return self._opened(key, want, answer)
        except BaseException:
            if answer.body is not None:
                answer.body.close()
            raise

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        if last_bytes(want) is not None:
            want = replace(want, range=None)
        answer = self._read("HEAD", key, want)
        length = size_of(answer.headers)
        _, _, size = extent(want, answer.status, answer.headers, length)
        if want.range is not None and resolve_range(want.range, size) is None:
            raise InvalidRange(key=key, size=size)  # an upstream that knows no ranges
        return self._info(key, size, answer.headers, want)

    def compare(
        self, key: str, conditions: Conditions, version: str | None = None, *, removes: bool = False
    ) -> None:
        """Raise what conditions of a write raise now, where the upstream may not look at them:
        it is left to the upstream what becomes of it meanwhile, and of what tells nothing."""
        try:
            info = self.stat(key, Get(version=version))
        except (NoSuchVersion, WrongKey):
            return
        except (NoSuchKey, MethodNotAllowed) as error:
            if removes and error.delete_marker is not None:
                conditions.check_marker(key)
            conditions.check_write(key, None)
        else:
            conditions.check_write(key, info)

    def _read(self, method: str, key: str, want: Get) -> Answer:
        request = self._question(method, key, want)
        for _ in range(_LOOKS):
            answer = self._sent(request)
            if answer.status in (200, 206):
                return answer
            if answer.status != 304:
                break
            self._not_modified(key, want)
        else:
            raise broken("it answered 304, and has another object")
        if method == "HEAD" and answer.status not in (404, 405, 412):
            return self._explained(key, want, answer)
        raise error_of(answer.status, answer.headers, answer.data, self._about(key, want))

    def _question(self, method: str, key: str, want: Get) -> UpstreamRequest:
        return UpstreamRequest(
            method=method,
            bucket=self.name,
            key=self.under + key,
            query=_query(want) if want.version is not None or want.part is not None else "",
            headers=request_headers.of_get(want),
        )

    def _not_modified(self, key: str, want: Get) -> None:
        """Raise `NotModified` with all that is known of the object; return when it is another
        by now."""
        info = self.stat(key, replace(want, conditions=None, range=None))
        if want.conditions is not None:
            want.conditions.check_read(info)

    def _explained(self, key: str, want: Get, answer: Answer) -> Answer:
        """Why a HEAD was refused: answers to it say only a number, those to a GET a reason.
        Raises it; when the GET is not refused, the HEAD is asked once more."""
        error = error_of(answer.status, answer.headers, b"", self._about(key, want))
        if answer.status in (400, 401, 403, 416):
            self._try_to_read(key, want)
            again = self._sent(self._question("HEAD", key, want))
            if again.status in (200, 206):
                return again
        raise error

    def _try_to_read(self, key: str, want: Get) -> None:
        first = want.range or (None if want.part is not None else Range(0, 0))
        try:
            with self.get(key, replace(want, range=first)):
                pass
        except InvalidRange:
            if want.range is not None:
                raise  # else it has no bytes, and that is no refusal

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
        start, length, size = extent(want, answer.status, answer.headers, length)
        info = self._info(key, size, answer.headers, want)
        if want.part is not None and answer.status != 206 and (info.parts or want.part != 1):
            raise Unsupported(
                "The upstream does not read single parts.", key=key, capability="part reads"
            )
        if want.range is not None and answer.status != 206:
            return cut_out(info, body, want.range)
        return Opened(info=info, body=body, start=start, length=length)

    def _info(self, key: str, size: int, headers: Headers, want: Get) -> ObjectInfo:
        version = headers.get("x-amz-version-id")
        info = properties.info_of(
            key,
            size,
            headers,
            tags=lambda count: Tags(count, partial(self.tags_of, key, version)),
            parts=lambda count: LazyParts(
                count, partial(self._parts_of, key, version, count, headers)
            ),
        )
        if want.version is not None or want.conditions is not None:
            fitting.check_object(want, info)
        return info

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
        modified = parse_date(headers.get("last-modified", ""))
        try:
            parts = self._attributes(key, version, count, modified)
        except OriginFailed:
            raise
        except StorageError:  # the upstream does not have GetObjectAttributes
            parts = ()
        if len(parts) == count:
            return parts
        return tuple(self._part(key, version, number, modified) for number in range(1, count + 1))

    def _attributes(
        self, key: str, version: str | None, count: int, modified: int
    ) -> tuple[Part, ...]:
        """AWS tells of the parts only where they were uploaded with checksums."""
        found: list[Part] = []
        query = [("attributes", "")] + ([("versionId", version)] if version is not None else [])
        while len(found) <= count:
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
                break
            check_ascending(one.number for one in found)
        return tuple(found)

    def _part(self, key: str, version: str | None, number: int, modified: int) -> Part:
        want = Get(version=version, part=number)
        headers = self._read("HEAD", key, want).headers
        return Part(number, size_of(headers), "", modified, checksums_of(headers)[0])


def _query(want: Get) -> str:
    pairs = []
    if want.version is not None:
        pairs.append(("versionId", want.version))
    if want.part is not None:
        pairs.append(("partNumber", str(want.part)))
    return query_of(pairs)


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
