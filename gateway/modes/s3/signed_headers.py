"""Which headers a signature covers: names that are read once, values of each request.

May surprise: every `x-amz-*` header that is present must be signed, in
presigned URLs too, so that whoever passes on a URL or sits in between cannot
add one. A server may fold `x_amz_foo` into `x-amz-foo` (`gateway.web.request_head`): then what
was signed tells which of the two was sent. An unsigned one counts as the one with
dashes, and is refused as such; a signed one has its own variable, and no effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gateway.common import sigv4
from gateway.modes.s3.problems import S3Problem
from gateway.web.request_head import UNDERSCORE, header_name, variable

_AMZ = "HTTP_X_AMZ_"
_BY_NETWORK = frozenset({"HTTP_X_AMZ_CF_ID"})
"""What CloudFront adds to requests of others; the gateway gives it no meaning."""

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")

_LONGEST = 512
"""Characters of a list that is remembered: what clients can fill must stay small."""


class SignedHeaders:
    """The headers that `SignedHeaders` names, in its order."""

    __slots__ = ("_amz", "_folded", "_host", "_keys", "_layout", "_names")

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._keys = [variable(name) for name in names]
        self._folded = [(key, _fold(key)) for key in self._keys if UNDERSCORE in key]
        self._host = names.index("host") if "host" in names else None
        self._amz = sum(key.startswith(_AMZ) for key in self._keys)
        self._layout = "".join([name.replace("%", "%%") + ":%s\n" for name in names])

    def _unfold(self, environ: dict[str, Any]) -> None:
        """Give headers whose names have `_` the variables of those names.

        Raises S3Problem for two headers of which the server made one.
        """
        for key, folded in self._folded:
            if key in environ:  # the server tells them apart
                continue
            if [_fold(one) for one in self._keys].count(folded) > 1:
                raise S3Problem(
                    "InvalidRequest",
                    f"The header {header_name(key)} cannot be told from another one whose name has"
                    " '-' where it has '_': send one of them.",
                )
            if folded in environ:
                environ[key] = environ.pop(folded)

    def lines(self, environ: dict[str, Any], host: str) -> str:
        """Canonical; `host` stands for the Host header, and what is not there for "". In
        `environ` headers whose names have `_` get the variables of those names.

        Raises S3Problem when one that must be signed is not.
        """
        if self._folded:
            self._unfold(environ)
        values: list[Any] = [environ.get(key) for key in self._keys]
        if self._host is not None:
            values[self._host] = host
        amz = self._amz
        if None in values:
            amz = sum(key.startswith(_AMZ) and key in environ for key in self._keys)
            values = [value or "" for value in values]
        # One count over all names is three times as fast as a look at each.
        if self._host is None or "\n".join(environ).count(_AMZ) != amz:
            self._refuse_others(environ)
        lines = self._layout % tuple(values)
        if " " in lines or "\t" in lines:  # hardly ever in what SDKs sign
            return sigv4.canonical_headers([*zip(self._names, values, strict=True)])
        return lines

    def _refuse_others(self, environ: Mapping[str, Any]) -> None:
        missing = {key for key in environ if key.startswith(_AMZ)}
        missing = {"HTTP_HOST", *missing}.difference(self._keys, _BY_NETWORK)
        if missing:
            raise S3Problem(
                "AccessDenied",
                "There were headers present in the request which were not signed",
                HeadersNotSigned=", ".join(sorted(map(header_name, missing))),
            )


def signed_headers(text: str) -> SignedHeaders | None:
    """From names in lower case, separated by ";". None when it is no such list."""
    return _remembered(text) if len(text) <= _LONGEST else _read(text)


def _read(text: str) -> SignedHeaders | None:
    names = text.split(";")
    if not all(_NAME.fullmatch(name) for name in names) or len(set(names)) != len(names):
        return None
    return SignedHeaders(names)


_remembered = lru_cache(maxsize=512)(_read)


def _fold(key: str) -> str:
    """The variable that a server gives which makes no difference between `-` and `_`."""
    return key.replace(UNDERSCORE, "_")
