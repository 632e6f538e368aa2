"""Options as they are typed on a command line: `name=value` → what TOML would have for it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.config.decode import shape_fits
from gateway.plugins.options import Option, members, plain


def table(pairs: Iterable[tuple[str, str]], options: Mapping[str, Option]) -> dict[str, Any]:
    """`options` are those of the driver. A name with dots is that of a value in a table;
    one that is given again counts the last time."""
    found: dict[str, Any] = {}
    for name, text in pairs:
        *path, last = name.split(".")
        kind = Any if path else options[last].kind if last in options else str
        into = found
        for step in path:
            inner = into.get(step)
            into[step] = inner if isinstance(inner, dict) else {}
            into = into[step]
        into[last] = value(kind, text)
    return found


def value(kind: object, text: str) -> Any:
    """Text where that is what such an option has; else as in a file: `false`, `10`, `[1, 2]`."""
    kinds, is_list = members(kind), text.startswith(("[", "{"))
    is_text = any(plain(one)[0] is not Any and shape_fits(one, text) for one in kinds)
    if is_text and not is_list:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
