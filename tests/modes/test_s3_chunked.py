"""aws-chunked bodies. AWS's published examples and botocore's own wrapper judge the decoder."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.common.sigv4 import ChunkSigner, Seed, signing_key
from gateway.modes.s3.chunked import ChunkedReader, trailer_names
from gateway.modes.s3.problems import S3Problem
from gateway.storage import Put, Secret
from gateway.storage.bodies import BytesBody
from gateway.storage.intake import Intake

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CRC32 = "x-amz-checksum-crc32"
SIGNATURE = "x-amz-trailer-signature"
many = settings(deadline=None, max_examples=150)


class Pieces:
    """A source that gives its bytes in pieces of the sizes told, over and over."""

    def __init__(self, data: bytes, sizes: Sequence[int] = (1 << 30,)) -> None:
        self.data, self.sizes, self.reads, self.closed = io.BytesIO(data), sizes, 0, False

    def read(self, size: int = -1, /) -> bytes:
        self.reads += 1
        return self.data.read(min(size, self.sizes[self.reads % len(self.sizes)]))

    def close(self) -> None:
        self.closed = True


def signer(signature: str = "0" * 64) -> ChunkSigner:
    return ChunkSigner(
        Seed(
            key=Secret(signing_key(SECRET, "20130524", "us-east-1")),
            scope="20130524/us-east-1/s3/aws4_request",
            timestamp="20130524T000000Z",
            signature=signature,
        )
    )


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def split(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Chunks of the sizes told (over and over), and the empty one at the end."""
    chunks, number = [], 0
    while data:
        size = sizes[number % len(sizes)]
        chunks.append(data[:size])
        data, number = data[size:], number + 1
    return [*chunks, b""]


def framed(data: bytes, form: str, sizes: Sequence[int] = (1 << 20,)) -> bytes:
    """`data` as an SDK sends it; `form`: signed, signed+trailer or trailer."""
    by, lines = signer(), []
    for chunk in split(data, sizes):
        line = f"{len(chunk):x}"
        if form != "trailer":
            line += f";chunk-signature={by.chunk(sha256(chunk).hexdigest())}"
        lines.append(line.encode() + b"\r\n" + (chunk + b"\r\n" if chunk else b""))
    if form != "signed":
        lines.append(f"{CRC32}:{crc32(data)}\r\n".encode())
    if form == "signed+trailer":
        lines.append(f"{SIGNATURE}:{by.trailer(f'{CRC32}:{crc32(data)}' + chr(10))}\r\n".encode())
    return b"".join([*lines, b"\r\n"])


def reader(body: bytes | Pieces, form: str, length: int) -> ChunkedReader:
    return ChunkedReader(
        body if isinstance(body, Pieces) else Pieces(body),
        decoded_length=length,
        trailers=[] if form == "signed" else [CRC32],
        signer=None if form == "trailer" else signer(),
        smallest=1,
    )


def whole(chunked: ChunkedReader, size: int = 1 << 18) -> bytes:
    return b"".join(iter(partial(chunked.read, size), b""))


def refused(body: bytes, form: str, length: int) -> S3Problem:
    chunked = reader(body, form, length)
    with pytest.raises(S3Problem) as caught:
        whole(chunked)
    with pytest.raises(S3Problem):  # nor does it end well when it is read on
        chunked.read()
    return caught.value


FORMS = ["signed", "signed+trailer", "trailer"]
forms = pytest.mark.parametrize("form", FORMS)

# AWS's published examples: 65 KiB of "a" in chunks of 64 KiB


def example(signatures: Sequence[str], end: bytes) -> bytes:
    body = b""
    for size, signature in zip((65536, 1024, 0), signatures, strict=True):
        body += f"{size:x};chunk-signature={signature}\r\n".encode()
        body += b"a" * size + (b"\r\n" if size else b"")
    return body + end


def test_the_example_of_aws_with_signed_chunks_is_decoded() -> None:
    body = example(
        (
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
        b"\r\n",
    )
    assert len(body) == 66824
    by = signer("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
    assert whole(ChunkedReader(Pieces(body), decoded_length=66560, signer=by)) == b"a" * 66560


@pytest.mark.parametrize("end", [b"\r\n", b"\n\r\n"], ids=["as sdks", "as documented"])
@pytest.mark.parametrize("before", [b"", b"\r\n"], ids=["", "empty line before"])
def test_the_example_of_aws_with_signed_trailers_is_decoded(end: bytes, before: bytes) -> None:
    name = b"x-amz-checksum-crc32c"
    trailer = b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
    body = example(
        (
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ),
        before + name + b":sOO8/Q==" + end + SIGNATURE.encode() + b":" + trailer + end + b"\r\n",
    )
    by = signer("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
    chunked = ChunkedReader(Pieces(body), decoded_length=66560, trailers=[name.decode()], signer=by)
    assert whole(chunked) == b"a" * 66560
    assert chunked.trailer("x-amz-checksum-crc32c") == "sOO8/Q=="


@pytest.mark.parametrize("size", [0, 1, 1000, 70_000])
def test_what_botocore_sends_is_decoded(size: int) -> None:
    data = bytes(range(256)) * 300
    data = data[:size]
    sent = AwsChunkedWrapper(
        io.BytesIO(data), checksum_cls=Crc32Checksum, checksum_name=CRC32, chunk_size=4096
    )
    chunked = reader(sent.read(), "trailer", size)
    assert whole(chunked) == data
    assert chunked.trailer(CRC32) == crc32(data)


def test_a_trailer_is_a_checksum_for_the_store() -> None:
    data = b"some bytes" * 1000
    chunked = reader(framed(data, "trailer"), "trailer", len(data))
    promised = {"CRC32": partial(chunked.trailer, CRC32)}
    intake = Intake.of(chunked, Put(size=len(data), checksums=promised))
    assert b"".join(iter(intake.read, b"")) == data
    assert intake.checksums == {"CRC32": crc32(data)}


# any way to cut it


@many
@given(
    st.binary(max_size=300),
    st.sampled_from(FORMS),
    st.lists(st.integers(1, 120), min_size=1, max_size=5),
    st.lists(st.integers(1, 90), min_size=1, max_size=5),
    st.integers(1, 100),
)
def test_however_it_is_cut_the_same_bytes_come_out(
    data: bytes, form: str, chunks: list[int], pieces: list[int], size: int
) -> None:
    source = Pieces(framed(data, form, chunks), pieces)
    chunked = reader(source, form, len(data))
    read = iter(partial(chunked.read, size), b"")
    assert b"".join(piece for piece in read if len(piece) <= size) == data
    assert chunked.read() == b""
    assert source.data.read() == b""
    if form != "signed":
        assert chunked.trailer(CRC32) == crc32(data)


@forms
def test_any_truncation_is_found(form: str) -> None:
    data = b"0123456789" * 4
    body = framed(data, form, [7, 20])
    for end in range(len(body)):
        problem = refused(body[:end], form, len(data))
        assert problem.code in {"IncompleteBody", "MalformedTrailerError"}, end


@many
@given(st.binary(max_size=200), st.sampled_from(FORMS), st.integers(0, 100))
def test_random_bytes_raise_nothing_but_problems(junk: bytes, form: str, length: int) -> None:
    for body in (junk, framed(b"x" * 40, form, [11]) + junk, b"5\r\nhello\r\n0\r\n" + junk):
        with suppress(S3Problem):
            whole(reader(body, form, length))


@many
@given(st.sampled_from(FORMS[:2]), st.data())
def test_a_signed_body_cannot_be_changed(form: str, data: st.DataObject) -> None:
    content = b"0123456789" * 6
    body = bytearray(framed(content, form, [25]))
    at = data.draw(st.integers(0, len(body) - 3))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != body[at]))
    original, body[at] = bytes(body), other
    try:
        assert whole(reader(bytes(body), form, len(content))) == content
    except S3Problem:
        return
    # Only how the framing is written may differ: the case of names and sizes, and blanks.
    assert bytes(body).lower().split() == original.lower().split()


# errors


@forms
@pytest.mark.parametrize("length", [39, 41, 0, 10**12])
def test_the_sizes_must_add_up_to_the_announced_length(form: str, length: int) -> None:
    assert refused(framed(b"x" * 40, form, [16]), form, length).code == "IncompleteBody"


@pytest.mark.parametrize("form", FORMS[:2])
@pytest.mark.parametrize(("old", "new"), [(b"123", b"X23"), (b"\r\nAB\r\n", b"\r\nAX\r\n")])
def test_a_wrong_chunk_signature_is_403(form: str, old: bytes, new: bytes) -> None:
    body = framed(b"123ABCAB", form, [3])
    assert body.count(old) == 1
    problem = refused(body.replace(old, new), form, 8)
    assert (problem.code, problem.status) == ("SignatureDoesNotMatch", 403)


def test_the_last_bytes_of_a_chunk_are_not_handed_on_before_its_signature_fits() -> None:
    body = framed(b"123456", "signed", [3]).replace(b"\r\n456\r\n", b"\r\n4X6\r\n")
    chunked = reader(body, "signed", 6)
    assert [chunked.read(2), chunked.read(2), chunked.read(2)] == [b"12", b"3", b"4X"]
    with pytest.raises(S3Problem):
        chunked.read(2)


def test_chunks_cannot_change_places() -> None:
    body = framed(b"aaabbb", "signed", [3])
    first, second, end = body[:89], body[89:178], body[178:]
    assert whole(reader(first + second + end, "signed", 6)) == b"aaabbb"
    assert refused(second + first + end, "signed", 6).code == "SignatureDoesNotMatch"


def test_the_seed_of_another_request_does_not_fit() -> None:
    chunked = ChunkedReader(
        Pieces(framed(b"abc", "signed")), decoded_length=3, signer=signer("1" * 64)
    )
    with pytest.raises(S3Problem, match="SignatureDoesNotMatch"):
        whole(chunked)


def test_a_wrong_trailer_signature_is_403() -> None:
    body = framed(b"abc", "signed+trailer")
    wrong = body.replace(crc32(b"abc").encode(), crc32(b"abd").encode())
    assert refused(wrong, "signed+trailer", 3).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "trailers",
    [
        "",
        "x-amz-checksum-crc32c:AAAAAA==\r\n",
        f"{CRC32}:AAAAAA==\r\nx-amz-meta-a:1\r\n",
        f"{CRC32}:AAAAAA==\r\n{CRC32}:AAAAAA==\r\n",
        f"{CRC32}:\r\n",
        f"{CRC32}\r\n",
        f"{CRC32}:AAA AAA\r\n",
        f"{CRC32}:\xe9\r\n",
        f"{CRC32}:AAAAAA==\r\n" + "\r\n" * 5000,
    ],
)
def test_trailers_must_be_those_declared(trailers: str) -> None:
    body = f"3\r\nabc\r\n0\r\n{trailers}\r\n".encode("latin-1")
    problem = refused(body, "trailer", 3)
    assert (problem.code, problem.status) == ("MalformedTrailerError", 400)


def test_signed_trailers_need_their_signature_and_signed_chunks_take_no_trailer() -> None:
    body = framed(b"abc", "signed+trailer")
    bare = body[: body.index(SIGNATURE.encode())] + b"\r\n"
    assert refused(bare, "signed+trailer", 3).code == "IncompleteBody"
    short = body.replace(b"\r\n\r\n", b"0\r\n\r\n")
    assert refused(short, "signed+trailer", 3).code == "IncompleteBody"
    assert refused(body, "signed", 3).code == "MalformedTrailerError"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"abc",
        b"\r\n",
        b"g\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"00000000000000003\r\nabc\r\n0\r\n\r\n",
        b"3;" + b"x" * 2000 + b"\r\nabc\r\n0\r\n\r\n",
        b"f" * 100_000,
        b"zz\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_bad_framing_is_an_incomplete_body(body: bytes) -> None:
    assert refused(body, "trailer", 3).code == "IncompleteBody"


@pytest.mark.parametrize(
    "line",
    [
        b"3",
        b"3;signature=abc",
        b"3;chunk-signature",
        b"3;chunk-signature=",
        b"3;chunk-signature=" + b"0" * 63,
        b"3;chunk-signature=" + b"0" * 65,
        b"3;chunk-signature=" + b"g" * 64,
    ],
)
def test_a_signed_chunk_needs_its_signature(line: bytes) -> None:
    assert refused(line + b"\r\nabc\r\n0\r\n\r\n", "signed", 3).code == "IncompleteBody"


def test_an_unsigned_chunk_may_have_extensions_and_upper_case() -> None:
    body = f"A ;a=b\r\n0123456789\r\n0\r\n{CRC32.title()} : x=\r\n\r\n".encode()
    chunked = reader(body, "trailer", 10)
    assert whole(chunked) == b"0123456789"
    assert chunked.trailer(CRC32) == "x="


@forms
@pytest.mark.parametrize(
    ("sizes", "bad"),
    [
        ([8192, 8192, 100], None),
        ([100], None),
        ([10_000, 9500, 20], None),
        ([8191, 1], ("1", "8191")),
        ([8192, 10, 100], ("2", "10")),
        ([9000, 9000, 9000, 1, 9000], ("4", "1")),
    ],
)
def test_only_the_last_chunk_may_be_small(
    form: str, sizes: list[int], bad: tuple[str, str] | None
) -> None:
    data = bytes(sum(sizes))
    chunked = ChunkedReader(
        Pieces(framed(data, form, sizes)),
        decoded_length=len(data),
        trailers=[] if form == "signed" else [CRC32],
        signer=None if form == "trailer" else signer(),
    )
    if bad is None:
        assert whole(chunked) == data
        return
    with pytest.raises(S3Problem) as caught:
        whole(chunked)
    assert caught.value.code == "InvalidChunkSizeError"
    assert (caught.value.extra["Chunk"], caught.value.extra["BadChunkSize"]) == bad


@pytest.mark.parametrize("form", FORMS[:2])
def test_framing_is_judged_before_the_signature(form: str) -> None:
    """A chunk that was cut short would fail its signature, too."""
    body = framed(b"abcdef", form, [6])
    assert refused(body.replace(b"abcdef\r\n", b"abcde\r\n"), form, 6).code == "IncompleteBody"
    assert refused(body.replace(b"abcdef\r\n", b"abcdeX\n"), form, 6).code == "IncompleteBody"


@forms
def test_no_more_bytes_are_handed_on_than_were_announced(form: str) -> None:
    chunked = reader(framed(b"x" * 40, form, [16]), form, 39)
    assert chunked.read() + chunked.read() == b"x" * 32
    with pytest.raises(S3Problem):
        chunked.read()


@forms
def test_nothing_may_follow_the_framing(form: str) -> None:
    assert refused(framed(b"abc", form) + b"more", form, 3).code == "IncompleteBody"
    assert refused(framed(b"abc", form) + b"more\r\n\r\n", form, 3).code == "MalformedTrailerError"


# memory and manners


def test_a_large_chunk_is_read_in_pieces_and_not_copied_about() -> None:
    size = 3 << 20
    source = Pieces(framed(bytes(size), "signed", [size]))
    chunked = reader(source, "signed", size)
    lengths = [len(piece) for piece in iter(chunked.read, b"")]
    assert sum(lengths) == size
    assert max(lengths) <= 256 * 1024
    assert source.reads <= size // (256 * 1024) + 3


def test_a_trailer_is_not_known_before_the_end() -> None:
    chunked = reader(framed(b"abc", "trailer"), "trailer", 3)
    assert chunked.read() == b"abc"
    with pytest.raises(KeyError):
        chunked.trailer(CRC32)


def test_closing_closes_the_source() -> None:
    source = Pieces(b"")
    reader(source, "trailer", 0).close()
    assert source.closed
    ChunkedReader(BytesBody(b""), decoded_length=0).close()


def test_declared_names_are_read_from_the_header() -> None:
    assert trailer_names(" X-Amz-Checksum-CRC32 ,, x-amz-b") == (CRC32, "x-amz-b")
    assert trailer_names("") == ()
