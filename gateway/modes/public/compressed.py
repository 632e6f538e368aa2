"""Objects that are there compressed, too: beside `k` as `k.br`, `k.zst`, `k.gz`.

Whoever puts them there sees that they say the same as `k`; here only the names are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.modes.public.preferences import weights
from gateway.storage import ObjectInfo

CODINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""By the name that HTTP has for it; of two that a client likes as much, the one that is named
here first: it is the smaller one, mostly."""


def acceptable(accept_encoding: str) -> Iterator[tuple[str, str]]:
    """(coding, suffix) of those that a client takes, what it would rather have first (RFC 9110
    §12.5.3); not those that it likes less than plain bytes."""
    wanted = weights(accept_encoding)
    others = wanted.get("*", 0.0)
    plain = wanted.get("identity", 0.0)
    named = {name: wanted.get(name, others) for name in CODINGS}
    if "x-gzip" in wanted and "gzip" not in wanted:
        named["gzip"] = wanted["x-gzip"]
    for name in sorted(named, key=named.__getitem__, reverse=True):
        if named[name] > 0 and named[name] >= plain:
            yield name, CODINGS[name]


def is_coded(info: ObjectInfo) -> bool:
    """Whether the object itself is stored so."""
    return any(name.lower() == "content-encoding" for name, _ in info.headers)


def described(plain: ObjectInfo, coding: str, info: ObjectInfo) -> ObjectInfo:
    """What is said of `info` in place of `plain`: its bytes, size, tag and time are its own, what
    they are is that of the plain object."""
    coded = ("Content-Encoding", coding)
    if info.origin is not None:
        lines = [one for one in info.origin.headers if one[0].lower() not in _OF_CONTENT]
        kind = ("Content-Type", plain.content_type)
        origin = replace(info.origin, headers=(*lines, kind, coded))
        return replace(info, content_type=plain.content_type, origin=origin)
    headers = (*plain.headers, coded)
    return replace(info, content_type=plain.content_type, headers=headers)


_OF_CONTENT = frozenset({"content-type", "content-encoding"})
