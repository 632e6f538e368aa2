"""What was decoded → a table that means the same wherever it is decoded again, for the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from gateway.storage import Secret


def portable(value: Any, found: Any) -> Any:
    """Secrets in place of where they are found, whole paths. `found`: as it was written, None
    where it was written in another way. It reveals secrets."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        written = found if isinstance(found, dict) else {}
        return {name: portable(one, written.get(name, one)) for name, one in value.items()}
    if isinstance(value, tuple | list):
        each = found if isinstance(found, list) else [found] * len(value)
        return [portable(one, written) for one, written in zip(value, each, strict=True)]
    if is_dataclass(value) and isinstance(found, dict):
        given = {name.removesuffix("_env").removesuffix("_file") for name in found} | found.keys()
        names = [one.name for one in fields(value) if one.name in given]
        return {name: portable(getattr(value, name), found.get(name)) for name in names}
    return found


def without_secrets(value: Any, kept: Any) -> Any:
    """What may be shown of such a table, which was made of a dataclass."""
    if not (is_dataclass(value) and isinstance(kept, Mapping)):
        return kept
    named = ((name, getattr(value, name), one) for name, one in kept.items())
    return {
        name: without_secrets(inner, one)
        for name, inner, one in named
        if not isinstance(inner, Secret)
    }
