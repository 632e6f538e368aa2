"""Which of an object's answers is for a request: the keys of variants (RFC 9111 §4.1).

An origin chooses by fields of the request, and says which (Vary). What they say is written in
one way, so that requests that say the same have one answer. Where an answer is an image, of
Accept only that counts which tells formats of images apart: clients write the rest in a
hundred ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b

from drivers.cache.http_fields import members

MOST = 32
"""Variants of one address; what was unused longest gives way."""

ACCEPT_OF_IMAGES = "accept:image"
"""Stands for Accept among the names of what chose an image."""

_FORMATS = ("image/avif", "image/jxl", "image/webp")
_BETWEEN = "\n"
"""No query has it."""


def choosing(names: tuple[str, ...], content_type: str) -> tuple[str, ...]:
    """What chooses, when that is what an answer says."""
    if not content_type.lower().startswith("image/"):
        return names
    return tuple(ACCEPT_OF_IMAGES if name == "accept" else name for name in names)


def variant(query: str, chosen_by: tuple[str, ...], request: Mapping[str, str]) -> str:
    """The key of the answer for that request, whose fields are by name in lower case."""
    digest = blake2b(digest_size=16)
    for name in chosen_by:
        said = request.get(name.partition(":")[0])
        form = _FORMS.get(name, _plain)
        text = "-" if said is None else f"={form(said)}"
        digest.update(f"{name}{text}\n".encode("utf-8", "surrogatepass"))
    return f"{query}{_BETWEEN}{digest.hexdigest()}"


def bounds(query: str) -> tuple[str, str]:
    """Between what the keys of all variants are: the first is before, the last behind them."""
    return f"{query}{_BETWEEN}", f"{query}{_BETWEEN}g"


def of_credentials(query: str, credentials: str) -> str:
    """The key of what is for these credentials alone."""
    digest = blake2b(credentials.encode("utf-8", "surrogatepass"), digest_size=16)
    return f"{query}{_BETWEEN}{_BETWEEN}{digest.hexdigest()}"


def _plain(text: str) -> str:
    return ",".join(members((text,)))


def _weighed(text: str) -> list[tuple[str, str]]:
    """Members with their weights (RFC 9110 §12.4.2), sorted."""
    found = set[tuple[str, str]]()
    for member in members((text.lower(),)):
        name, *parameters = (one.strip(" \t") for one in member.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        others = [one for one in parameters if not one.startswith("q=")]
        found.add((";".join([name, *others]), _weight(weight)))
    return sorted(found)


def _weight(text: str) -> str:
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _sorted(text: str) -> str:
    return ",".join(f"{name};q={weight}" for name, weight in _weighed(text))


def _codings(text: str) -> str:
    """Those that are accepted; no origin looks at which is liked better."""
    return ",".join(name for name, weight in _weighed(text) if weight != "0")


def _formats(text: str) -> str:
    liked = {name.partition(";")[0] for name, weight in _weighed(text) if weight != "0"}
    return ",".join(one for one in _FORMATS if one in liked)


_FORMS: Mapping[str, Callable[[str], str]] = {
    "accept": _sorted,
    "accept-charset": _sorted,
    "accept-encoding": _codings,
    "accept-language": _sorted,
    ACCEPT_OF_IMAGES: _formats,
}
