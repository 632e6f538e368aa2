"""What a request's head says, the same on every server.

What the servers give was measured (granian 2.8, waitress 3.0), and differs:

| | granian | waitress |
|---|---|---|
| `PATH_INFO` | decoded once, its bytes as latin-1 | the same, but `//a` became `/a` |
| undecoded target | nowhere | `REQUEST_URI`, also in absolute form |
| a path that is not ASCII | taken | 400 |
| a header twice | joined by `,` | joined by `, ` |
| `Content-Type` twice | the first | joined |
| a value that is not ASCII | "" | taken |
| `X_Name: v` | `HTTP_X_NAME`, as if it were `X-Name` | dropped |
| chunked body | no length, `HTTP_TRANSFER_ENCODING` | `CONTENT_LENGTH`: it was read first |
| `Expect: 100-continue` | 100 at the first read of the body | 100 at once |
| client dies in its body | a normal end of `wsgi.input` | the request is never seen |

Nothing is normalised by either: dot segments and `//` further on stay, and a
`%2F` is a slash. So a key comes from `path`. `servers/waitress_inside` mends what
waitress does: a path's beginning is restored (`restore`), headers are
joined by `,`, and `X_Name` has a variable of its own (`variable`), as in the test
server. On granian nothing tells the two names apart but what the client signed
(`modes/s3/signatures/auth`); where nothing is signed, `_` is a `-` there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

UNDERSCORE = "/"
"""What stands for a `_` of a header's name in its variable: no name has it."""

LARGEST = (1 << 63) - 1
"""The largest number that databases keep."""


def variable(name: str) -> str:
    """The environ's variable of a header. PEP 3333 leaves no difference between `-` and `_`;
    here a name with `_` has another variable, so that it is never taken for one with `-`."""
    key = name.upper().replace("_", UNDERSCORE).replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


known_variable = lru_cache(maxsize=256)(variable)
"""The same, remembered: for names of ours only, for what clients can fill must stay small."""


def header_name(variable: str) -> str:
    """The name, in lower case, of a header whose variable begins with `HTTP_`."""
    return variable[5:].lower().replace("_", "-").replace(UNDERSCORE, "_")


def restore(environ: dict[str, Any]) -> None:
    """Give `PATH_INFO` the slashes back with which the target began."""
    if environ.get("REQUEST_URI", "")[:2] == "//":
        target = environ["REQUEST_URI"].partition("?")[0]
        environ["PATH_INFO"] = unquote_to_bytes(target).decode("latin-1")


def path(environ: Mapping[str, Any]) -> str:
    """The path that the client asked for, below the prefix of the binding by which the request
    came, percent-decoded exactly once.

    Raises `ValueError` when it is not UTF-8.
    """
    text: str = environ.get("PATH_INFO", "")
    # Nearly all paths are ASCII, which is the same text in both encodings.
    return text if text.isascii() else text.encode("latin-1").decode("utf-8")


def parse_query(text: str) -> dict[str, str]:
    """Each parameter's first value. Raises `ValueError` when it is not UTF-8. A `+` is a
    space, as S3 and HTML forms have it."""
    found: dict[str, str] = {}
    for name, value in pairs(text):
        found.setdefault(name, value)
    return found


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """All parameters of a query, in its order. Raises as `parse_query` does."""
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            yield form_decoded(name), form_decoded(value)


def only(text: str, names: Collection[str]) -> str:
    """Of a query those parameters, as they came. Raises as `parse_query` does."""
    kept = (one for one in text.split("&") if form_decoded(one.partition("=")[0]) in names)
    return "&".join(kept)


def whole_number(text: str, least: int = 0, most: int = LARGEST) -> int | None:
    """A decimal number within bounds; None when it is no such number."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    number = int(text)
    return number if least <= number <= most else None


def form_decoded(text: str) -> str:
    """As HTML forms are encoded: a `+` is a space, and only `%2B` a plus. Raises `ValueError`
    when it is not UTF-8."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" in text or not text.isascii():
        return unquote_to_bytes(text.encode("latin-1")).decode("utf-8")
    return text


_HALF = re.compile("%(?![0-9A-Fa-f]{2})")


def well_encoded(text: str) -> bool:
    """Whether each `%` begins an escape. Decoding leaves the others as they are."""
    return "%" not in text or _HALF.search(text) is None


def host(environ: Mapping[str, Any]) -> str:
    """The host asked for (see `forwarded`): lower case, without port; "" when the request
    has none."""
    name: str = environ.get("HTTP_HOST", "")
    if name[:1] == "[":
        return name.partition("]")[0][1:].lower()
    return name.partition(":")[0].lower()


def has_body(environ: Mapping[str, Any]) -> bool:
    """Whether a body was announced that is not empty."""
    return environ.get("CONTENT_LENGTH", "0") not in {"", "0"} or (
        "HTTP_TRANSFER_ENCODING" in environ
    )
