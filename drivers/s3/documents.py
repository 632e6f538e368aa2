"""S3's documents: what upstreams answer, read with care, and the few that are sent.

Names are compared without their namespaces, which servers write differently.
Keys come URL-encoded where they can (`encoding-type=url`): XML has no way to
write a control character.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from gateway.common import xml
from gateway.common.upstream.answers import broken
from gateway.common.xml import carries, document, element
from gateway.storage import Delete, InvalidRequest, PartRef

Node = Any
"""An element: the library's types do not name it."""


def parse(data: bytes, *roots: str) -> Node:
    """The root element, which has one of these names. Raises `OriginFailed`."""
    try:
        found = xml.parse(data)
    except xml.Malformed as error:
        raise broken(f"its document is malformed ({error})") from error
    if local(found) not in roots:
        raise broken(f"it has a document {local(found)!r} where {roots[0]} was expected")
    return found


def local(node: Node) -> str:
    return str(node.tag).rpartition("}")[2]


def fields(node: Node) -> dict[str, str]:
    """The texts of an element's children; of several of a name, the last."""
    return {local(one): one.text or "" for one in node}


def children(node: Node, name: str) -> Iterator[Node]:
    return (one for one in node if local(one) == name)


def decoder(root: Node) -> Any:
    """How keys are to be read in this answer."""
    coded = any(one.text == "url" for one in children(root, "EncodingType"))
    return _unquote if coded else str


def _unquote(value: str) -> str:
    """S3 writes a blank as `+`."""
    try:
        return unquote(value.replace("+", " "), errors="strict")
    except UnicodeError as error:
        raise broken(f"{value!r} is no key in its encoding") from error


def number(value: str) -> int:
    """Raises `OriginFailed`."""
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise broken(f"{value!r} is not a number")
    return int(value)


# what is sent


def _element(name: str, value: str | int) -> str:
    """Raises `InvalidRequest` for what no document can carry."""
    text = str(value)
    if not carries(text):
        raise InvalidRequest(f"No XML document can carry that {name}: it has control characters.")
    return element(name, text)


def deletion(items: Iterable[tuple[str, Delete]]) -> bytes:
    rows = []
    for key, options in items:
        row = _element("Key", key)
        if options.version is not None:
            row += _element("VersionId", options.version)
        rows.append(f"<Object>{row}</Object>")
    return document("Delete", "".join(rows))


def completion(parts: Sequence[PartRef]) -> bytes:
    rows = []
    for part in parts:
        row = _element("PartNumber", part.number) + _element("ETag", f'"{part.etag}"')
        row += "".join(_element(f"Checksum{name}", text) for name, text in part.checksums.items())
        rows.append(f"<Part>{row}</Part>")
    return document("CompleteMultipartUpload", "".join(rows))


def tagging(tags: Mapping[str, str]) -> bytes:
    rows = "".join(
        f"<Tag>{_element('Key', key)}{_element('Value', value)}</Tag>"
        for key, value in tags.items()
    )
    return document("Tagging", f"<TagSet>{rows}</TagSet>")


def versioning(status: str) -> bytes:
    return document("VersioningConfiguration", _element("Status", status))


def retention(mode: str, until: str) -> bytes:
    inner = _element("Mode", mode) + _element("RetainUntilDate", until) if mode else ""
    return document("Retention", inner)


def legal_hold(on: bool) -> bytes:
    return document("LegalHold", _element("Status", "ON" if on else "OFF"))


def location(region: str) -> bytes:
    return document("CreateBucketConfiguration", _element("LocationConstraint", region))


def error(code: str, message: str) -> bytes:
    return document("Error", _element("Code", code) + _element("Message", message))


# what is read


def tags_of(data: bytes) -> dict[str, str]:
    found = {}
    for group in children(parse(data, "Tagging"), "TagSet"):
        for tag in children(group, "Tag"):
            pair = fields(tag)
            found[pair.get("Key", "")] = pair.get("Value", "")
    return found


def prefixes(root: Node, decode: Any) -> list[str]:
    return [decode(fields(one).get("Prefix", "")) for one in children(root, "CommonPrefixes")]
