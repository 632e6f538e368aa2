"""Bodies as a driver takes them in: counted, hashed and checked; and how much of one is asked for.

`Intake` is how a driver reads what it is to store. It is where a body that
ends early, is too long, or has another digest than was declared is found, so
that no driver and no mode has that rule again.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.storage.bodies import PIECE, Readable
from gateway.storage.checksums import HASHERS, UNNAMED, Hasher, decode, encode
from gateway.storage.errors import BadDigest, IncompleteBody, InvalidPart, InvalidRange, TooLarge
from gateway.storage.objects import NOTHING, ObjectInfo, carried
from gateway.storage.types import Checksum, Get, Put, Range


def resolve_range(wanted: Range, size: int) -> tuple[int, int] | None:
    """(start, length) of a range within `size` bytes; None when it cannot be satisfied.

    The last n bytes can, of an empty object too: there are none (RFC 9110 §14.1.2).
    """
    first, last = wanted
    if first is None:
        length = min(last or 0, size)
        return (size - length, length) if last else None
    if first >= size:
        return None
    end = size if last is None else min(last + 1, size)
    return first, end - first


def range_of(info: ObjectInfo, want: Get) -> tuple[int, int]:
    """(start, length) of the part, of the range, or of all that is asked of an object. Raises
    `InvalidRange`, `InvalidPart`."""
    if want.part is not None:
        return _part(info, want.part)
    if want.range is None:
        return 0, info.size
    found = resolve_range(want.range, info.size)
    if found is None:
        raise InvalidRange(key=info.key, size=info.size)
    return found


def _part(info: ObjectInfo, number: int) -> tuple[int, int]:
    """An object that has no parts is its own first."""
    if not info.parts and number == 1:
        return 0, info.size
    start = 0
    for part in info.parts:
        if part.number == number:
            return start, part.size
        start += part.size
    raise InvalidPart("The object has no part of that number.", key=info.key, number=number)


def wanted(info: ObjectInfo, want: Get) -> tuple[int, int]:
    """`range_of` an object that is there, if the conditions say so. Raises what they raise, too."""
    if want.conditions is not None:
        want.conditions.check_read(info)
    return range_of(info, want)


def read_full(source: Readable, size: int) -> bytes:
    """All of `size` bytes, unless the body ends."""
    piece = source.read(size)
    if len(piece) == size or not piece:
        return piece
    read, length = [piece], len(piece)
    while length < size and (piece := source.read(size - length)):
        read.append(piece)
        length += len(piece)
    return b"".join(read) if len(read) > 1 else read[0]


class Intake:
    """A source as a driver reads it: counted against `size`, hashed, and checked.

    `read` raises at the end of the body `IncompleteBody` when fewer bytes came
    than announced and `BadDigest` when a digest does not fit; so a driver that
    reads until b"" has a body that may be stored. Afterwards `size`, `etag`
    and `checksums` are those of the bytes received. `hashers`, by algorithm, are
    the driver's own, so that what it needs to know of each piece is computed once.
    Without `md5` there is no `etag`: for a store whose ETags come from elsewhere.
    """

    __slots__ = (
        "_digests",
        "_done",
        "_expected",
        "_hashers",
        "_kept",
        "_source",
        "checksums",
        "etag",
        "size",
    )

    def __init__(
        self,
        source: Readable,
        *,
        size: int | None,
        checksums: Mapping[str, Checksum] = NOTHING,
        digests: Mapping[str, str] = NOTHING,
        hashers: Mapping[str, Hasher] = NOTHING,
        md5: bool = True,
    ) -> None:
        self._source, self._expected = source, size
        self._kept, self._digests = checksums, digests
        self._hashers = found = {**hashers}
        if md5 and "MD5" not in found:
            found["MD5"] = HASHERS["MD5"]()
        for promised in (checksums, digests):
            for name in promised:
                if name not in found:
                    found[name] = HASHERS[name]()
        self._done = False
        self.size = 0
        self.etag = ""
        self.checksums: Mapping[str, str] = NOTHING

    @classmethod
    def of(
        cls,
        source: Readable,
        options: Put,
        hashers: Mapping[str, Hasher] = NOTHING,
        *,
        keeps: bool = False,
    ) -> Intake:
        """A body as `options` say of it. `keeps`: the driver keeps checksums, so one is
        computed of a body that comes without (`checksums.UNNAMED`)."""
        return cls(
            source,
            size=options.size,
            checksums=options.checksums or (UNNAMED if keeps else NOTHING),
            digests=options.digests,
            hashers=hashers,
        )

    def read(self, size: int = PIECE, /) -> bytes:
        return self._taken(self._source.read(size))

    def read_full(self, size: int, /) -> bytes:
        """The same, and all of `size` bytes unless the body ends: for who stores blocks."""
        return self._taken(read_full(self._source, size))

    def _taken(self, piece: bytes) -> bytes:
        if not piece:
            self._finish()
            return b""
        self.size += len(piece)
        if self._expected is not None and self.size > self._expected:
            raise TooLarge("More bytes came than were announced.", limit=self._expected)
        for hasher in self._hashers.values():
            hasher.update(piece)
        return piece

    def read_all(self, limit: int) -> bytes | None:
        """The whole body if it has at most `limit` bytes; else None, with nothing read."""
        if self._expected is None or self._expected > limit:
            return None
        data = self.read_full(self._expected or PIECE)
        return data + b"".join(iter(self.read, b"")) if data else data

    def close(self) -> None:
        self._source.close()

    def info(self, key: str, options: Put, modified: int) -> ObjectInfo:
        """All that a store has to keep of an object that was read to its end and put whole."""
        return ObjectInfo(
            key=key,
            size=self.size,
            etag=self.etag,
            modified=modified,
            checksums=self.checksums,
            checksum_type="FULL_OBJECT" if self.checksums else None,
            **carried(options),
        )

    def _finish(self) -> None:
        if self._done:
            return
        if self._expected is not None and self.size < self._expected:
            raise IncompleteBody(expected=self._expected, received=self.size)
        computed = {name: hasher.digest() for name, hasher in self._hashers.items()}
        for name, declared in self._digests.items():
            _compare(name, declared, computed[name], kept=False)
        kept = {}
        for name, promised in self._kept.items():
            declared = promised if isinstance(promised, str) else promised()
            value = computed[name]
            kept[name] = _compare(name, declared, value, kept=True) if declared else encode(value)
        self.checksums = kept or NOTHING
        self._done = True
        if "MD5" in computed:
            self.etag = computed["MD5"].hex()


def _compare(algorithm: str, declared: str, computed: bytes, *, kept: bool) -> str:
    """What was computed, as text. Raises `BadDigest` when something else was declared."""
    found = encode(computed)
    if declared != found and decode(algorithm, declared) != computed:  # else written otherwise
        raise BadDigest(algorithm=algorithm, declared=declared, computed=found, kept=kept)
    return found
