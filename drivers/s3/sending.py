"""Bodies on their way to an upstream, and what their requests say of them.

Small bodies are known whole: their hash is signed. Large ones stream. When the
client signed the body's SHA-256 it is signed again, and the upstream checks it;
else over TLS the payload is unsigned, and without TLS it goes in signed chunks.
A checksum that is known only at the end follows as a trailer.

Nothing that does not fit is ever complete: the last piece goes out only when
the source has ended, and has been counted and checked.

Source: Amazon S3 API Reference, "Transferring Payload in Multiple Chunks".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256

from gateway.common import sigv4
from gateway.storage import NOTHING, PIECE, Intake

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SIGNATURE = 64

Headers = Mapping[str, str]


class Outgoing:
    """A body that is sent once. `headers` belong to its request; `payload` is its
    x-amz-content-sha256; `length` what Content-Length says. `begun`: a byte was taken."""

    begun = False

    def __init__(self, source: Intake, length: int, payload: str) -> None:
        self._source = source
        self.length, self.payload = length, payload
        self.headers: Headers = NOTHING

    def pieces(self, seed: sigv4.Seed | None) -> Iterator[bytes]:
        """What goes over the wire; the last only when all is known to be right."""
        self.begun = True
        held = b""
        while piece := self._source.read(PIECE):
            if held:
                yield held
            held = piece
        if held:
            yield held


class Chunks(Outgoing):
    """In the form `aws-chunked`, signed when there is a seed. `trailer` gives the checksum's
    header and value, once the source has ended."""

    def __init__(
        self,
        source: Intake,
        size: int,
        *,
        signed: bool,
        trailer: tuple[str, int] | None = None,
        value: Callable[[], str] | None = None,
    ) -> None:
        """`trailer`: the name of the checksum's header, and the length of its text."""
        kind = SIGNED if trailer is None else SIGNED_TRAILER if signed else UNSIGNED_TRAILER
        super().__init__(source, encoded_length(size, signed=signed, trailer=trailer), kind)
        self._signed, self._trailer, self._value = signed, trailer, value
        headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(size)}
        if trailer is not None:
            headers["x-amz-trailer"] = trailer[0]
        self.headers = headers

    def pieces(self, seed: sigv4.Seed | None) -> Iterator[bytes]:
        self.begun = True
        signer = sigv4.ChunkSigner(seed) if seed is not None and self._signed else None
        for block in self._blocks():
            yield self._chunk(block, signer)
            yield block
            yield b"\r\n"
        yield self._chunk(b"", signer) + self._end(signer)

    def _blocks(self) -> Iterator[bytes]:
        """The body in blocks of PIECE, whatever the source gives; the last is held back
        until the source has ended."""
        held, size = b"", 0
        parts: list[bytes] = []
        while piece := self._source.read(PIECE - size):
            parts.append(piece)
            size += len(piece)
            if size == PIECE:
                if held:
                    yield held
                held, parts, size = b"".join(parts), [], 0
        if held:
            yield held
        if parts:
            yield b"".join(parts)

    def _chunk(self, block: bytes, signer: sigv4.ChunkSigner | None) -> bytes:
        size = f"{len(block):x}"
        if signer is None:
            return f"{size}\r\n".encode()
        return f"{size};chunk-signature={signer.chunk(sha256(block).hexdigest())}\r\n".encode()

    def _end(self, signer: sigv4.ChunkSigner | None) -> bytes:
        if self._trailer is None or self._value is None:
            return b"\r\n"
        name, value = self._trailer[0], self._value()
        lines = f"{name}:{value}\r\n"
        if signer is not None:
            lines += f"x-amz-trailer-signature:{signer.trailer(f'{name}:{value}{chr(10)}')}\r\n"
        return f"{lines}\r\n".encode()


def encoded_length(size: int, *, signed: bool, trailer: tuple[str, int] | None) -> int:
    """Bytes of a body of `size` in chunks of PIECE: known beforehand, as they must be."""
    overhead = len(";chunk-signature=") + _SIGNATURE if signed else 0

    def chunk(length: int) -> int:
        return len(f"{length:x}") + overhead + 2 + (length + 2 if length else 0)

    whole, rest = divmod(size, PIECE)
    total = whole * chunk(PIECE) + (chunk(rest) if rest else 0) + chunk(0) + 2
    if trailer is not None:
        total += len(trailer[0]) + 1 + trailer[1] + 2
        total += len("x-amz-trailer-signature:") + _SIGNATURE + 2 if signed else 0
    return total
