"""Writing to a bucket: how a body is checked here and there, and what a put tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryFile
from typing import IO, NamedTuple, cast

from drivers.s3 import properties, request_headers
from drivers.s3.deleting import Deleting
from drivers.s3.properties import (
    CHECKSUM,
    checksums_of,
    encryption_of,
)
from drivers.s3.refusals import About, when
from drivers.s3.sending import Chunks, Outgoing
from gateway.common.system import translating
from gateway.common.upstream.answers import Headers, broken
from gateway.common.upstream.fields import etag_of
from gateway.storage import (
    NOTHING,
    NULL_VERSION,
    PIECE,
    REDIRECT,
    FileBody,
    Intake,
    ObjectInfo,
    OriginDenied,
    OriginFailed,
    Put,
    Readable,
    Versioning,
    carried,
)
from gateway.storage.checksums import WIDTHS
from gateway.storage.types import Checksum

_NAMED = "x-amz-sdk-checksum-algorithm"
_CHECKED_EVERYWHERE = frozenset({"CRC32", "CRC32C", "SHA1", "SHA256"})
"""What every server that has checksums compares; of later ones some know nothing."""


class Sent(NamedTuple):
    """A body that is ready to be sent, with the headers that it brings."""

    body: bytes | Outgoing
    headers: Headers
    intake: Intake


class Writing(Deleting):
    kept_state: Versioning | None = None
    """Whether the bucket keeps versions, as far as this process has seen."""

    def check_put(self, options: Put) -> None:
        request_headers.of_put(options)

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        headers = request_headers.of_put(options)
        headers.update(request_headers.of_write_conditions(options.conditions, key))
        with self.sized(source, options) as (body, known), understood(options):
            sent = self.outgoing(body, known)
            answer = self.ask(
                "PUT",
                key,
                headers={**headers, **sent.headers},
                body=sent.body,
                safe=options.conditions is None,
                about=About(self.name, key),
            )
        said = answer.headers
        etag = self.checked_etag(sent.intake, said)
        version = said.get("x-amz-version-id")
        if version is None and self.kept_state == "suspended":
            version = NULL_VERSION
        checksums, kind = checksums_of(said)
        if options.checksums and not checksums:
            checksums, kind = sent.intake.checksums, "FULL_OBJECT"
        return ObjectInfo(
            key=key,
            size=sent.intake.size,
            etag=etag,
            modified=when(said),
            version=version,
            checksums=checksums,
            checksum_type=kind if checksums else None,
            **carried(options, encryption=encryption_of(said), owner=""),
        )

    # bodies

    @contextmanager
    def sized(self, source: Readable, options: Put) -> Iterator[tuple[Readable, Put]]:
        """The source, and its size: S3 takes no body of unknown length. One whose end is its
        own proof waits in a temporary file."""
        if options.size is not None:
            yield source, options
            return
        with translating():
            file = cast("IO[bytes]", TemporaryFile())  # noqa: SIM115  # closed below
        with file:
            size = _spool(source, file)
            yield _Spooled(file, size), replace(options, size=size)

    def outgoing(self, source: Readable, options: Put) -> Sent:
        """How a body goes out: whole when it is small, else as it comes."""
        size = options.size
        assert size is not None, "sized() was asked"
        if options.protection is not None and not options.checksums:
            options = replace(options, checksums={"CRC32": ""})  # S3 asks for one
        checksum = request_headers.of_checksum(options.checksums)
        if size <= PIECE:
            intake = Intake.of(source, options)
            data = b"".join(iter(intake.read, b""))
            return Sent(data, _checksum_headers(intake.checksums), intake)
        return self._streaming(source, options, size, checksum)

    def _streaming(
        self, source: Readable, options: Put, size: int, checksum: tuple[str, Checksum] | None
    ) -> Sent:
        """What the upstream checks anyway is not hashed here too: the SHA-256 that the client
        signed, and a checksum that came with the headers, if all servers know it."""
        payload = options.digests.get("SHA256")
        given = checksum is not None and isinstance(checksum[1], str) and bool(checksum[1])
        digests = {k: v for k, v in options.digests.items() if k != "SHA256"}
        trusted = given and not _CHECKED_EVERYWHERE.isdisjoint(options.checksums)
        kept = NOTHING if trusted else options.checksums
        checked = payload is not None or checksum is not None
        intake = Intake(source, size=size, checksums=kept, digests=digests, md5=not checked)
        headers: Headers = {}
        if checksum is not None and given:
            headers = _checksum_headers({checksum[0]: str(checksum[1])})
        elif checksum is not None:
            headers = {_NAMED: checksum[0]}
        place, _, _ = self.client.endpoint.where(self.name)
        trailer = None if checksum is None or given else _trailer(checksum[0])
        if payload is not None and trailer is None:
            return Sent(Outgoing(intake, size, decoded_hex(payload)), headers, intake)
        if place.tls and trailer is None:
            return Sent(Outgoing(intake, size, "UNSIGNED-PAYLOAD"), headers, intake)
        signed = not place.tls and self.client.keys.current() is not None
        value = _value_of(intake, checksum[0]) if checksum is not None else None
        chunks = Chunks(intake, size, signed=signed, trailer=trailer, value=value)
        return Sent(chunks, headers, intake)

    def checked_etag(self, intake: Intake, said: Headers) -> str:
        """The ETag that the upstream gave; where it is an MD5 it must be the body's."""
        etag = etag_of(said.get("etag", ""))
        if not etag:
            raise broken("it does not say the object's ETag")
        plain = said.get("x-amz-server-side-encryption", "AES256") == "AES256"
        plain = plain and f"{properties.CUSTOMER}algorithm" not in said
        if intake.etag and plain and len(etag) == 32 and "-" not in etag and etag != intake.etag:
            raise OriginFailed("The upstream stored other bytes than were sent.", status=502)
        return etag


@contextmanager
def understood(options: Put) -> Iterator[None]:
    """AWS keeps `_` in names of metadata, and UTF-8 in headers; servers that take the one for
    `-`, and the other for nothing, find another signature than was made, and keep neither."""
    try:
        yield
    except OriginDenied as error:
        if any("_" in name for name in options.metadata):
            raise request_headers.refused("metadata", "names of metadata with a _") from error
        texts = [text for _, text in options.headers]
        texts += [options.content_type, options.attributes.get(REDIRECT, "")]
        if not all(map(str.isascii, texts)):
            raise request_headers.refused("headers", "text in headers that is not ASCII") from error
        raise


def _spool(source: Readable, file: IO[bytes]) -> int:
    size = 0
    while piece := source.read(PIECE):
        with translating():
            file.write(piece)
        size += len(piece)
    with translating():
        file.seek(0)
    return size


class _Spooled(FileBody):
    def read(self, size: int = PIECE, /) -> bytes:
        with translating():
            return super().read(size)


def _checksum_headers(checksums: Mapping[str, str]) -> Headers:
    """The checksum, and its name as SDKs say it: some servers keep only what is named."""
    headers: Headers = {}
    for name, value in checksums.items():
        headers[CHECKSUM + name.lower()] = value
        headers[_NAMED] = name
    return headers


def _trailer(algorithm: str) -> tuple[str, int]:
    return CHECKSUM + algorithm.lower(), (WIDTHS[algorithm] + 2) // 3 * 4


def _value_of(intake: Intake, algorithm: str) -> Callable[[], str]:
    """The checksum, once the body has been read."""
    return lambda: intake.checksums[algorithm]


def decoded_hex(digest: str) -> str:
    """A digest in base64 as x-amz-content-sha256 has it."""
    from base64 import b64decode

    return b64decode(digest).hex()
