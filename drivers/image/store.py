"""The `image` layer: its options, and reading.

A picture that is asked for as it is passes as a stream, as all does that is none. What is made
anew is in memory, source and result, of so many at once as there are `places`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from mimetypes import MimeTypes
from typing import Annotated, ClassVar

from drivers.image import heaps, variants
from drivers.image.asked import PARAMETERS, Asked, Misasked, parsed, refused
from drivers.image.choosing import engine
from drivers.image.engines import BadPicture, Name
from drivers.image.geometry import largest
from drivers.image.headers import AVIF, PICTURES, WEBP, Facts, NoPicture, facts_of
from drivers.image.places import Places
from gateway.storage import (
    Annotates,
    BytesBody,
    Changes,
    Context,
    Copies,
    Forwards,
    Get,
    Labels,
    Layer,
    Listable,
    Measures,
    Multipart,
    ObjectInfo,
    Opened,
    OriginFailed,
    Protects,
    Purges,
    Store,
    Unprocessable,
    Varies,
    Versions,
    Writable,
    read_full,
    wanted,
)
from gateway.storage.options import AtLeast, Duration, Size

log = logging.getLogger("gateway.image")

_UNSAID = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Types of objects of which nobody has said what they are: their keys may."""

_types = MimeTypes()  # Python's own table: what the system has differs from one to the next


@dataclass(eq=False)
class Image(Layer, Varies):
    """Pictures in other sizes and formats than their source has them. Bounds hold before anything
    is decoded.

    `source`: the service behind it.
    `max_width`: pixels that `w` and `h` may be at most.
    `quality`: of JPEG and WebP, 1 to 100.
    `avif_quality`: of AVIF, likewise.
    `negotiate`: a reader's Accept counts as `webp=1` and `avif=1`.
    `engine`: by default the better one of those that are there.
    `max_size`: of a source.
    `max_pixels`: of all its frames together.
    `max_frames`: of what moves.
    `at_once`: pictures that are made at once in each process.
    `waiting`: requests of each process that wait for that; more are refused for the moment.
    `max_wait`: that one of them waits.
    """

    driver: ClassVar[str] = "image"
    on_demand = True
    passes: ClassVar[frozenset[type]] = frozenset(
        {
            Writable, Listable, Copies, Multipart, Versions, Labels, Annotates, Protects, Changes,
            Measures, Forwards, Purges,
        }
    )  # fmt: skip

    source: Store
    max_width: Annotated[int, AtLeast(1)] = 4096
    quality: Annotated[int, AtLeast(1)] = 82
    avif_quality: Annotated[int, AtLeast(1)] = 60
    negotiate: bool = False
    engine: Name | None = None
    max_size: Annotated[int, Size, AtLeast(1)] = 64 << 20
    max_pixels: Annotated[int, AtLeast(1)] = 100_000_000
    max_frames: Annotated[int, AtLeast(1)] = 256
    at_once: Annotated[int, AtLeast(1)] = 2
    waiting: Annotated[int, AtLeast(0)] = 16
    max_wait: Annotated[float, Duration] = 10.0

    def __post_init__(self) -> None:
        for name in ("quality", "avif_quality"):
            if getattr(self, name) > 100:
                raise ValueError(f"{name}: it must be 1 to 100")

    def open(self, context: Context) -> None:
        heaps.few()
        self._engine = engine(self.engine, self.max_pixels)
        self._places = Places(self.at_once, self.waiting, self.max_wait, context.threads)
        for kind in {AVIF, WEBP} - self._engine.writes:
            log.warning("%s: %s writes no %s.", context.sid, self._engine.about, kind)

    def behind(self, key: str) -> tuple[Store, str]:
        return self.source.behind(key)

    # what makes a difference

    @property
    def parameters(self) -> frozenset[str]:
        return PARAMETERS

    def normal(self, key: str, want: Get) -> Get:
        """A wrong parameter stays wrong, whatever it was."""
        below = self.source.find(Varies)
        bare = want.said("") if below is None else below.normal(key, want.said("", want.headers))
        try:
            asked = self._asked(key, want)
        except Misasked as error:
            return bare.said(f"{error.name}=", bare.headers)
        if not asked:
            return bare
        headers = {**bare.headers, "accept": asked.accept} if asked.accept else bare.headers
        return bare.said(asked.query, headers)

    def makes(self, key: str, want: Get) -> bool:
        asked, _ = self._wish(key, want)
        return isinstance(asked, Asked) and bool(asked)

    def _asked(self, key: str, want: Get) -> Asked | None:
        """None: the key says that it is no picture. Raises `Misasked`."""
        if (not want.query and not self.negotiate) or not _may_be_picture(key):
            return None
        return parsed(want.query, want.headers, most=self.max_width, negotiate=self.negotiate)

    # reading

    def get(self, key: str, want: Get = Get()) -> Opened:
        asked, through = self._wish(key, want)
        if not asked:
            return self._told(self.source.get(key, through))
        whole = _whole(through)
        if whole is not through and not self._look(key, whole, want, asked):
            return self._told(self.source.get(key, through))
        opened = self.source.get(key, whole)
        if opened.status != 200 or not _touched(opened.info):
            if whole is through:
                return self._told(opened)
            opened.close()  # it was a picture just now
            return self.source.get(key, through)
        made, data = self._made(opened, asked)
        start, length = wanted(made, want)
        body = BytesBody(data if length == len(data) else data[start : start + length])
        return Opened(info=made, body=body, start=start, length=length, trace=opened.trace)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        """A picture is made to know its size."""
        asked, through = self._wish(key, want)
        if not asked:
            return self._told_of(self.source.stat(key, through))
        whole = _whole(through)
        if not self._look(key, whole, want, asked):
            return self._told_of(self.source.stat(key, through))
        opened = self.source.get(key, whole)
        if opened.status != 200 or not _touched(opened.info):
            opened.close()
            return self.source.stat(key, through)
        made, _ = self._made(opened, asked)
        wanted(made, want)
        return made

    def _wish(self, key: str, want: Get) -> tuple[Asked | Misasked | None, Get]:
        """What is asked of a picture, if it is one; and the question to the source."""
        through = replace(want, query="") if want.query else want
        try:
            return self._asked(key, want), through
        except Misasked as error:
            return error, through

    def _look(self, key: str, whole: Get, want: Get, asked: Asked | Misasked) -> bool:
        """Whether it is a picture that is to be made. Raises what is known without making it: a
        reader may have it already."""
        info = self.source.stat(key, whole)
        if not _touched(info):
            return False
        conditions = want.conditions
        if conditions is None or isinstance(asked, Misasked):
            return True
        etag = self._etag(info, asked)
        if etag is not None and not conditions.if_match:
            conditions.check_read(self._made_info(info, -1, info.content_type, etag))
        return True

    def _etag(self, info: ObjectInfo, asked: Asked) -> str | None:
        by = (self._engine.about, self.quality, self.avif_quality, asked.query, asked.accept)
        return variants.etag_of(info, by)

    # making

    def _made(self, opened: Opened, asked: Asked | Misasked) -> tuple[ObjectInfo, bytes]:
        """What was made; or the source, where that is smaller. Raises `Unprocessable`."""
        info = opened.info
        with opened:
            if isinstance(asked, Misasked):
                raise refused(asked, info.key)
            if info.size > self.max_size:
                raise _too_much(info.key, f"{info.size} bytes", self.max_size)
            with self._places.taken(info.key):
                data = read_full(opened.body, info.size)
                if len(data) != info.size or opened.body.read(1):
                    raise OriginFailed("The picture is not as long as was said.", key=info.key)
                kind, made = self._decoded(info.key, data, asked)
        if made is None or len(made) >= len(data):
            return self._told_of(info), data
        etag = self._etag(info, asked) or variants.etag_of_bytes(made)
        return self._made_info(info, len(made), kind, etag), made

    def _made_info(self, info: ObjectInfo, size: int, kind: str, etag: str) -> ObjectInfo:
        made = variants.made_info(info, size, kind, etag)
        return variants.negotiated(made) if self.negotiate else made

    def _decoded(self, key: str, data: bytes, asked: Asked) -> tuple[str, bytes | None]:
        """(kind, bytes); None: it is not to be changed."""
        try:
            facts = facts_of(data, self.max_frames)
            if facts.frames > self.max_frames:
                raise _too_much(key, f"more than {self.max_frames} frames", self.max_frames)
            if facts.pixels > self.max_pixels:
                raise _too_much(key, f"{facts.pixels} pixels", self.max_pixels)
            kind = self._kind(facts, asked)
            if facts.moves:
                return kind, None
            quality = self.avif_quality if kind == AVIF else self.quality
            return kind, self._engine.make(data, facts, asked, kind, quality)
        except (NoPicture, BadPicture) as error:
            raise Unprocessable(f"The picture cannot be changed: {error}.", key=key) from error

    def _kind(self, facts: Facts, asked: Asked) -> str:
        """An AVIF does not move, and neither is larger than a WebP can be (RFC 9649 §2.7)."""
        if largest(facts.width, facts.height, asked) >= 1 << 14:
            return facts.kind
        writes = self._engine.writes
        if facts.frames == 1 and asked.known("image/avif") and AVIF in writes:
            return AVIF
        return WEBP if asked.known("image/webp") and WEBP in writes else facts.kind

    # as it is

    def _told(self, opened: Opened) -> Opened:
        info = self._told_of(opened.info)
        return opened if info is opened.info else replace(opened, info=info)

    def _told_of(self, info: ObjectInfo) -> ObjectInfo:
        """Where Accept makes a difference, readers of any of them are told so."""
        if self.negotiate and _may_be_picture(info.key) and _touched(info):
            return variants.negotiated(info)
        return info


def _whole(through: Get) -> Get:
    """All of it, whatever of it a reader wants; the same where that is all."""
    if through.range is None and through.conditions is None and through.part is None:
        return through
    return replace(through, range=None, conditions=None, part=None)


def _may_be_picture(key: str) -> bool:
    """False where the key ends as those of something else do (`app.js?h=1f`)."""
    guessed = _types.guess_type(key.rpartition("/")[2], strict=True)[0]
    return guessed is None or guessed in PICTURES or guessed in _UNSAID


def _touched(info: ObjectInfo) -> bool:
    kind = info.content_type.partition(";")[0].strip().lower()
    if kind in _UNSAID:
        kind = _types.guess_type(info.key.rpartition("/")[2], strict=True)[0] or ""
    return kind in PICTURES and variants.changeable(info)


def _too_much(key: str, what: str, most: int) -> Unprocessable:
    return Unprocessable(f"The picture has {what}; {most} are allowed.", key=key)
