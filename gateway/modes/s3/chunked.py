"""Bodies in aws-chunked framing, decoded while they are read; never held whole.

Three forms: chunks that are signed, the same with signed trailers, and unsigned
chunks with trailers. A chunk's last bytes are handed on only when its framing is
complete and its signature fits, in this order, earlier ones before; so what was
read counts only once `read` gave b"". By then the framing was complete, the sizes
added up, and all declared trailers came. The source is read to its end, and what
follows the framing is an error.

Lenient where SDKs differ: there may be further empty lines around trailers, but
for the one at the very end, which must be there; lines of trailers may end in LF;
an unsigned chunk may have extensions.

Source: Amazon S3 API Reference, "Transferring Payload in Multiple Chunks" and
"Including Trailing Headers".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest

from gateway.common.sigv4 import ChunkSigner
from gateway.modes.s3.problems import S3Problem
from gateway.storage.bodies import PIECE, Readable

LINE_LIMIT = 1024
"""Bytes that the line before a chunk may have."""

TRAILERS_LIMIT = 8 * 1024
"""Bytes that all trailers may have."""

SMALLEST_CHUNK = 8 * 1024
"""Bytes of all chunks but the last one."""

_LINE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[^\r\n]*)?")
_SIGNED_LINE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*;[ \t]*chunk-signature=([0-9a-f]{64})")
_TRAILER = re.compile(rb"([A-Za-z0-9-]+)[ \t]*:[ \t]*([\x21-\x7e]+)[ \t]*\r?")
_SIGNATURE = "x-amz-trailer-signature"
_SIGNATURE_LINE = re.compile(
    rb"(?:^|\n)x-amz-trailer-signature[ \t]*:[ \t]*[0-9a-f]{64}[ \t]*\r?\n", re.I
)


def trailer_names(header: str) -> tuple[str, ...]:
    """The names in an `x-amz-trailer` header, in lower case."""
    return tuple(name for part in header.split(",") if (name := part.strip().lower()))


class ChunkedReader:
    """The bytes inside an aws-chunked `source`. `read` raises S3Problem:
    SignatureDoesNotMatch, IncompleteBody, InvalidChunkSizeError or MalformedTrailerError."""

    __slots__ = (
        "_buffer",
        "_chunk",
        "_declared",
        "_given",
        "_hash",
        "_left",
        "_number",
        "_position",
        "_signer",
        "_size",
        "_smallest",
        "_source",
        "_state",
        "_values",
    )

    def __init__(
        self,
        source: Readable,
        *,
        decoded_length: int,
        trailers: Iterable[str] = (),
        signer: ChunkSigner | None = None,
        smallest: int = SMALLEST_CHUNK,
    ) -> None:
        self._source, self._signer, self._smallest = source, signer, smallest
        self._declared = frozenset(name.lower() for name in trailers)
        self._left = decoded_length
        self._values: dict[str, str] = {}
        self._buffer, self._position = b"", 0
        self._chunk = 0  # bytes of the current chunk that were not read yet
        self._size = smallest  # of the current chunk, or the last one
        self._number = 0  # of that chunk
        self._given = b""  # the signature that came with the current chunk
        self._hash = sha256()
        self._state = self._first_line

    def read(self, size: int = PIECE, /) -> bytes:
        if not self._chunk:
            self._advance()
            if not self._chunk:
                return b""
        piece = self._take(min(size, self._chunk))
        self._chunk -= len(piece)
        if self._signer is not None:
            self._hash.update(piece)
        if not self._chunk:
            self._advance()
        return piece

    def trailer(self, name: str) -> str:
        """The value of a declared trailer, once `read` gave b""; KeyError before."""
        return self._values[name.lower()]

    def close(self) -> None:
        self._source.close()

    # states: what comes where a chunk's bytes do not

    def _advance(self) -> None:
        state, self._state = self._state, self._failed  # until it succeeds: errors stay
        state()

    def _chunk_ended(self) -> None:
        self._line(2)  # the CRLF after a chunk's bytes
        if self._signer is not None:
            self._check_chunk(self._signer)
        self._state = self._first_line

    def _ended(self) -> None:
        self._state = self._ended

    def _failed(self) -> None:
        raise _incomplete("The body was not well-formed.")

    def _first_line(self) -> None:
        signed = self._signer is not None
        match = (_SIGNED_LINE if signed else _LINE).fullmatch(self._line(LINE_LIMIT))
        if match is None:
            raise _incomplete("The line before a chunk is not well-formed.")
        chunk = int(match[1], 16)
        if chunk > self._left:
            raise _incomplete("The chunks have more bytes than x-amz-decoded-content-length.")
        self._left -= chunk
        if signed:
            self._given, self._hash = match[2], sha256()
        if chunk:
            self._begin_chunk(chunk)
        else:
            self._finish()
            self._state = self._ended

    def _begin_chunk(self, size: int) -> None:
        if self._size < self._smallest:
            raise S3Problem(
                "InvalidChunkSizeError", Chunk=str(self._number), BadChunkSize=str(self._size)
            )
        self._number += 1
        self._chunk = self._size = size
        self._state = self._chunk_ended

    def _check_chunk(self, signer: ChunkSigner) -> None:
        if not compare_digest(signer.chunk(self._hash.hexdigest()).encode(), self._given):
            raise S3Problem("SignatureDoesNotMatch", Advice="The signature of a chunk is wrong.")

    def _finish(self) -> None:
        if self._left:
            raise _incomplete("The chunks have fewer bytes than x-amz-decoded-content-length.")
        rest = self._rest()
        if self._signer is not None and self._declared and not _SIGNATURE_LINE.search(rest):
            raise _incomplete("The signature of the trailers is missing, or is none.")
        values = _parsed(rest)
        if self._signer is not None:
            self._check_chunk(self._signer)
        given = values.pop(_SIGNATURE, "") if self._signer is not None else ""
        if values.keys() != self._declared:
            raise _malformed("The trailers that came are not those that x-amz-trailer declares.")
        if self._signer is not None and (values or given):
            self._check_trailers(self._signer, values, given)
        self._values = values

    def _check_trailers(self, signer: ChunkSigner, values: dict[str, str], given: str) -> None:
        if not given:
            raise _malformed(f"The trailer {_SIGNATURE} is missing.")
        canonical = "".join(f"{name}:{values[name]}\n" for name in sorted(values))
        if not compare_digest(signer.trailer(canonical).encode(), given.encode()):
            raise S3Problem("SignatureDoesNotMatch", Advice="The signature of trailers is wrong.")

    # the source, through a buffer of one piece

    def _fill(self) -> bool:
        """Add a piece of the source to what is left in the buffer; False at its end."""
        piece = self._source.read(PIECE)
        self._buffer, self._position = self._buffer[self._position :] + piece, 0
        return bool(piece)

    def _take(self, size: int) -> bytes:
        """Up to `size` bytes, at least one."""
        if self._position == len(self._buffer) and not self._fill():
            self._state, self._chunk = self._failed, 0
            raise _incomplete("The body ends inside a chunk.")
        if self._position == 0 and size >= len(self._buffer):
            piece, self._buffer = self._buffer, b""
            return piece
        piece = self._buffer[self._position : self._position + size]
        self._position += len(piece)
        return piece

    def _line(self, limit: int) -> bytes:
        """A line of at most `limit` bytes, which ends in CRLF; without it."""
        while (end := self._buffer.find(b"\r\n", self._position, self._position + limit)) < 0:
            if len(self._buffer) - self._position >= limit:
                raise _incomplete("The line before a chunk is too long, or missing.")
            if not self._fill():
                raise _incomplete("The body ends before its last chunk.")
        line = self._buffer[self._position : end]
        self._position = end + 2
        return line

    def _rest(self) -> bytes:
        """All that follows the last chunk."""
        while len(self._buffer) - self._position <= TRAILERS_LIMIT:
            if not self._fill():
                return self._buffer
        raise _malformed("What follows the last chunk is too long.")


def _parsed(rest: bytes) -> dict[str, str]:
    if rest != b"\r\n" and not rest.endswith(b"\n\r\n"):
        raise _incomplete("The body does not end in an empty line.")
    *lines, _ = rest.split(b"\n")
    values: dict[str, str] = {}
    for line in lines:
        if line in (b"", b"\r"):
            continue
        match = _TRAILER.fullmatch(line)
        if match is None:
            raise _malformed("A trailer is not of the form name:value.")
        name = match[1].decode().lower()
        if name in values:
            raise _malformed(f"The trailer {name} came twice.")
        values[name] = match[2].decode()
    return values


def _incomplete(advice: str) -> S3Problem:
    return S3Problem("IncompleteBody", Advice=advice)


def _malformed(advice: str) -> S3Problem:
    return S3Problem("MalformedTrailerError", Advice=advice)
