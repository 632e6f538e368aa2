"""The samples of the interface's description: what its commands of curl send, and what they show of
the answers, read out of `samples.txt` as they stand there.

`send` sends one literally, but for its host, its token and the ids of what it is about. `agree`
compares an answer with the one that is shown, field by field: the same names in the same order,
and the same types in JSON. Values have to be the same where the sample fixes them (`FIXED`), and
where a test says so.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.modes.cdn.cdn_gateway import Cdn
from tests.modes.public_gateway import Answer

_TEXT = Path(__file__).with_name("samples.txt").read_text("utf-8")
_TOKEN = re.compile(r"(?<=[?&]token=)\w+")
FIXED = frozenset({"authenticated", "element_description", "element_duration", "message", "reason"})
"""Members whose values are not the customer's."""


class Asked(NamedTuple):
    """`target`: path and query, with the sample's token in it, if there is one."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: str


class Answered(NamedTuple):
    headers: Mapping[str, str]
    document: Any


class Sample(NamedTuple):
    """Of one call: `method` and `path`, with `{parts}`; its commands, and the answer to the last
    of them, if it is shown."""

    method: str
    path: str
    asked: tuple[Asked, ...]
    answered: Answered | None


def _asked(command: str) -> Asked:
    words = iter(shlex.split(command)[1:])
    method, headers, address, body = "GET", dict[str, str](), "", ""
    for word in words:
        if word in ("-X", "--request"):
            method = next(words)
        elif word == "--header":
            name, _, value = next(words).partition(":")
            headers[name.lower()] = value.strip()
        elif word == "-d":
            body = next(words)
        elif word != "--include":
            address = word
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("https", "api.ucdn.com"), command
    query = f"?{parts.query}" if parts.query else ""
    return Asked(method, parts.path + query, headers, body)


def _answered(lines: list[str]) -> Answered | None:
    text = "\n".join(lines).strip()
    if not text:
        return None
    head, body = text.split("\n\n", 1) if text.startswith("HTTP/") else ("", text)
    assert not head or head.startswith("HTTP/1.1 200"), head
    named = (line.partition(":") for line in head.split("\n")[1:])
    return Answered({name.lower(): value.strip() for name, _, value in named}, json.loads(body))


def _samples() -> Iterator[tuple[str, Sample]]:
    for section in re.split("^### ", _TEXT, flags=re.MULTILINE)[1:]:
        heading, call, *rest = re.split("\n\n", section, maxsplit=2)
        method, _, address = call.partition(" ")
        path = re.sub(r"\[\?.*|[\[\]]", "", address.removeprefix("https://api.ucdn.com/v3/"))
        lines = [line[4:] for line in "\n\n".join(rest).split("\n")]
        commands = [line for line in lines if line.startswith("curl ")]
        shown = [line for line in lines if not line.startswith(("curl ", "## "))]
        asked = tuple(map(_asked, commands))
        yield heading, Sample(method, path.strip("/"), asked, _answered(shown))


SAMPLES: Mapping[str, Sample] = dict(_samples())
"""By the headings above them."""


def send(
    cdn: Cdn,
    asked: Asked,
    *,
    who: str = "kusanagi",
    ids: Mapping[str, str] = {},
    body: Mapping[str, Any] | None = None,
) -> Answer:
    """`ids`: pieces of the path, and what stands there in their place (`{"zone/1": "zone/7"}`);
    `body`: in place of the sample's, where that cannot be sent as it stands."""
    target, _, query = _TOKEN.sub(cdn.token(who), asked.target).partition("?")
    for piece, text in ids.items():
        assert f"/{piece}/" in f"{target}/", (piece, target)
        target = target.replace(f"/{piece}", f"/{text}")
    sent = asked.body if body is None else json.dumps(body)
    whole = f"{target}?{query}" if query else target
    return cdn.raw(asked.method, whole, asked.headers, sent.encode() if sent else None)


def agree(
    sample: Any,
    given: Any,
    *,
    same: Collection[str] = (),
    except_for: Mapping[str, Any] = {},
    place: str = "",
) -> None:
    """That what is `given` is of the sample's form. `same`: members whose values are the sample's,
    too; `except_for`: by place (`.upstream.auth`), what is there in the sample's stead."""
    sample = except_for.get(place, sample)
    name = place.rpartition(".")[2]
    if name in FIXED or name in same:
        assert given == sample, place
        return
    assert type(given) is type(sample), (place, sample, given)
    if isinstance(sample, dict):
        assert list(given) == list(sample), place
        for one, value in sample.items():
            agree(value, given[one], same=same, except_for=except_for, place=f"{place}.{one}")
    elif isinstance(sample, list):
        assert bool(given) is bool(sample), (place, given)
        for one in given:
            agree(sample[0], one, same=same, except_for=except_for, place=place)


def check(heading: str, answer: Answer, **how: Any) -> Any:
    """That the answer is the one of that sample. Gives its document."""
    answered = SAMPLES[heading].answered
    assert answered is not None, heading
    assert answer.status == 200, answer.body
    if "content-type" in answered.headers:
        assert answer.headers["content-type"] == answered.headers["content-type"]
    found = json.loads(answer.body)
    agree(answered.document, found, **how)
    return found
