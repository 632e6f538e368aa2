"""Tables → the text of a TOML file (https://toml.io/en/v1.0.0), for configurations that are
written down: Python reads TOML, and does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_UNFIT = re.compile(r"'''|[^\n\t -~\u00a0-\U0010ffff]")
"""What a literal text of several lines cannot have: its own end, and control characters."""


def dumped(tables: Mapping[str, Any]) -> str:
    """Tables and lists of tables at the top; what is deeper stands within a line, but for tables
    of texts of several lines, which have a head of their own."""
    return "\n".join(_top(tables)) + "\n"


def _top(tables: Mapping[str, Any]) -> Iterator[str]:
    for name, value in tables.items():
        if isinstance(value, Mapping) and value and all(_is_table(one) for one in value.values()):
            for inner, table in value.items():
                yield from _table(f"{_key(name)}.{_key(inner)}", table)
        elif isinstance(value, list):
            for table in value:
                yield from _table(_key(name), table, array=True)
        else:
            yield from _table(_key(name), value)


def _table(place: str, table: Mapping[str, Any], *, array: bool = False) -> Iterator[str]:
    yield ""
    yield f"[[{place}]]" if array else f"[{place}]"
    below = {name for name, value in table.items() if _has_lines(value)}
    for name, value in table.items():
        if name not in below:
            yield f"{_key(name)} = {_value(value)}"
    for name in table:
        if name in below:
            yield from _table(f"{place}.{_key(name)}", table[name])


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _has_lines(value: object) -> bool:
    """Whether it is a table with a text of several lines: such a text is read in its own lines."""
    return isinstance(value, Mapping) and any(
        isinstance(one, str) and "\n" in one for one in value.values()
    )


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)  # numbers, and TOML's own dates and times, as Python writes them


def _text(text: str) -> str:
    if "\n" in text and not _UNFIT.search(text) and not text.endswith("'"):
        return f"'''\n{text}'''"
    return _quoted(text)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, and DEL is no character of TOML's.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
