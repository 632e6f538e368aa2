"""The samples of the description that this API is made after: what its commands of curl send, and
what they show of the answers, read out of them as they stand.

`samples.txt` has them word for word, without the prose between them ("REST API", documentation of
Apache Hadoop Ozone, Apache License 2.0). Their documents are no JSON everywhere: words without
quotes and `...` for more of the same are read as what they mean. Their lengths fit no document
that is shown, so a `Content-Length` that is not 0 is no fact.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_TEXT = Path(__file__).with_name("samples.txt").read_text("utf-8")
_BARE = re.compile(r"(?<=:) *(?!true|false|null)([A-Za-z]\w*) *(?=[,}\n])")
_MORE = re.compile(r",\s*\.\.\.\s*")


class Asked(NamedTuple):
    """`uploads`: a file is the body."""

    method: str
    target: str
    headers: Mapping[str, str]
    uploads: bool


class Answered(NamedTuple):
    """`document`: that of its body, which is `text`."""

    status: int
    headers: Mapping[str, str]
    text: str
    document: Any


class Sample(NamedTuple):
    asked: Asked
    answered: Answered | None


def _asked(command: str) -> Asked:
    words = iter(shlex.split(command)[1:])
    method, headers, address, uploads = "", dict[str, str](), "", False
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(":")
            headers[name.lower()] = value.strip()
        elif word == "-T":
            uploads = bool(next(words))
        elif word not in ("-i", "-O"):
            assert not address, command
            address = word
    # One of them says http:/localhost.
    parts = urlsplit(re.sub("^http:/+", "http://", address))
    assert parts.netloc == "localhost:9880", command
    query = f"?{parts.query}" if parts.query else ""
    return Asked(method or "GET", parts.path + query, headers, uploads)


def _document(text: str) -> Any:
    return json.loads(_BARE.sub(r' "\1"', _MORE.sub("", text))) if text[:1] == "{" else None


def _answered(head: str, body: str) -> Answered:
    first, *lines = head.split("\n")
    named = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in named}
    return Answered(int(first.split()[1]), headers, body, _document(body))


def _blocks(text: str) -> Iterator[str]:
    """What is indented, without its indentation, between empty lines."""
    for found in re.findall(r"(?:^ {4}.*\n?)+", text, re.MULTILINE):
        yield re.sub("^ {4}", "", found, flags=re.MULTILINE).strip()


def _samples(text: str) -> Iterator[Sample]:
    asked, head, body = "", "", ""
    for block in (*_blocks(text), "curl"):
        if block.startswith("curl"):
            if asked:
                yield Sample(_asked(asked), _answered(head, body) if head else None)
            asked, head, body = block, "", ""
        elif block.startswith("HTTP/"):
            head = block
        elif not block.startswith("%"):  # what curl itself shows
            body = block


def all_samples() -> dict[str, tuple[Sample, ...]]:
    """By the headings above them."""
    sections = re.split("^### ", _TEXT, flags=re.MULTILINE)[1:]
    return {
        heading: tuple(_samples(below))
        for heading, _, below in (one.partition("\n") for one in sections)
    }
