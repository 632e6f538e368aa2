"""The calls of the description that this API is made after, as its text has them: what a call
does, its parameters, and samples of what is sent and answered, which are read out of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_TEXT = Path(__file__).with_name("samples.txt").read_text("utf-8")
_BEGINNING = re.compile(r"^- |(?<=\{)- |(?<=, )- ", re.MULTILINE)


class Sample(NamedTuple):
    """`sent` and `answered` are the bodies; of `DELETE` of many there is no word of where an
    answer begins but that another object does. `parameters` are its tables, by name."""

    about: str
    parameters: Mapping[str, str]
    bodies: tuple[Any, ...]


def _documents(text: str) -> Iterator[tuple[str, list[Any]]]:
    """What stands in front of objects in JSON, and those."""
    decoder, position = json.JSONDecoder(), 0
    while (start := text.find("{", position)) >= 0:
        before, found = text[position:start], []
        while text[start : start + 1] == "{":
            document, start = decoder.raw_decode(text, start)
            found.append(document)
        yield before, found
        position = start


def all_samples() -> dict[str, Sample]:
    """By the first words of what a call does."""
    found = {}
    for before, bodies in _documents(_BEGINNING.sub("", _TEXT)):
        about, _, tables = before.strip().partition("\n")
        rows = re.findall(r"^\| (\S+)( required)? \| (.*) \|$", tables, re.MULTILINE)
        parameters = {name: text for name, _, text in rows}
        found[about] = Sample(about, parameters, tuple(bodies))
    return found
