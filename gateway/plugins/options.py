"""The options that a dataclass has, read from its fields, how to name their types, and what is
said of each: in the docstring of the class, or of one that it inherits from, in a line that
begins with its name in backquotes and a colon, and in those behind it up to the next such line
or an empty one.

Decoding, the list of drivers, forms and the documentation all read this.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from inspect import cleandoc, get_annotations
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from gateway.common import units
from gateway.storage import Secret, Store
from gateway.storage.options import AtLeast, Duration, ExistingFile, Secrets, Size

_NETWORK = 'a network such as "10.0.0.0/8"'
_TEXTS: Mapping[object, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    Secret: "a secret (also as …_env or …_file)",
    Size: units.SIZE,
    Duration: units.DURATION,
    ExistingFile: "a file",
    Secrets: "a table; values also as …_env or …_file",
    IPv4Network: _NETWORK,
    IPv6Network: _NETWORK,
    Any: "any value",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """`kind` is the field's annotation, evaluated; `default` counts unless `required`. `about` is
    a sentence for people, without markup; "" where the class says nothing of it. `secret`, `link`:
    it takes a secret, or names a service."""

    name: str
    kind: object
    required: bool
    default: object = None
    about: str = ""
    secret: bool = False
    link: bool = False


_found: dict[type[Any], Mapping[str, Option]] = {}


def options_of(kind: type[Any]) -> Mapping[str, Option]:
    """The options of a dataclass by name, found once. Raises `NameError` when an annotation names
    what its module does not have at run time."""
    if kind not in _found:
        _found[kind] = {
            field.name: _option(kind, field)
            for field in fields(kind)
            if field.init and not field.name.startswith("_")
        }
    return _found[kind]


def _option(kind: type[Any], field: Field[Any]) -> Option:
    if field.default is not MISSING:
        default, required = field.default, False
    elif field.default_factory is not MISSING:
        default, required = field.default_factory(), False
    else:
        default, required = None, True
    of = _annotation(kind, field.name)
    return Option(
        name=field.name,
        kind=of,
        required=required,
        default=default,
        about=_about(kind, field.name),
        secret=mentions(of, Secret),
        link=mentions(of, Store),
    )


_SAID = re.compile(r"((?:`\w+`, )*`\w+`): (.*)")


def _about(kind: type[Any], name: str) -> str:
    found = (_said(base.__doc__ or "").get(name, "") for base in kind.__mro__)
    return next(filter(None, found), "")


def _said(doc: str) -> Mapping[str, str]:
    """What a docstring says of options, by name."""
    said: dict[str, str] = {}
    for paragraph in cleandoc(doc).split("\n\n"):
        names: list[str] = []
        for line in paragraph.splitlines():
            if (found := _SAID.fullmatch(line)) is not None:
                names = found[1].strip("`").split("`, `")
                said |= dict.fromkeys(names, found[2])
            else:
                said |= {name: f"{said[name]} {line.strip()}" for name in names}
    return {name: _sentence(text.replace("`", "")) for name, text in said.items()}


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _annotation(kind: type[Any], name: str) -> object:
    """One field's annotation by itself: those of private fields need not evaluate."""
    owner = next(base for base in kind.__mro__ if name in get_annotations(base))
    alone = type("alone", (), {"__annotations__": {name: get_annotations(owner)[name]}})
    scope = vars(sys.modules[owner.__module__])
    return get_type_hints(alone, globalns=scope, include_extras=True)[name]


def members(kind: object) -> tuple[object, ...]:
    """The members of a union, without None; of anything else, itself."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(one for one in get_args(kind) if one is not NoneType)
    return (kind,)


def plain(kind: object) -> tuple[object, tuple[object, ...]]:
    """A type without its marks, and the marks."""
    if get_origin(kind) is Annotated:
        base, *marks = get_args(kind)
        return base, tuple(marks)
    return kind, ()


def mentions(kind: object, wanted: type) -> bool:
    """Whether a field of this kind takes a `wanted`."""
    bases = (plain(one)[0] for one in members(kind))
    return any(isinstance(base, type) and issubclass(base, wanted) for base in bases)


def describe(kind: object) -> str:
    """What may be written for it, in words."""
    return " or ".join(dict.fromkeys(_describe(one) for one in members(kind)))


def _describe(kind: object) -> str:
    base, marks = plain(kind)
    for mark in marks:
        if isinstance(mark, type) and mark in _TEXTS:
            return _TEXTS[mark]
        if isinstance(mark, AtLeast):
            return f"{_TEXTS[base]} of at least {mark.minimum}"
    origin, arguments = get_origin(base), get_args(base)
    if origin is Literal:
        return " | ".join(_word(one) for one in arguments)
    if origin in (tuple, list):
        return f"a list of: {describe(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"a table of: {describe(arguments[1])}"
    if isinstance(base, type) and issubclass(base, Store):
        return "the id of another service"
    return _TEXTS.get(base) or str(getattr(base, "described", "a table"))


def _word(value: object) -> str:
    """One of a `Literal`'s, as it is written."""
    if isinstance(value, bool | int):
        return str(value).lower()
    return f'"{value}"'


def describe_default(option: Option) -> str:
    """A default as it would be written; "" for none."""
    value = option.default
    if option.required or value is None or isinstance(value, Secret):
        return ""
    marks = {mark for one in members(option.kind) for mark in plain(one)[1]}
    if Size in marks and isinstance(value, int):
        return f'"{units.format_size(value)}"'
    if Duration in marks and isinstance(value, int | float):
        return f'"{units.format_duration(value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_dataclass(value) and not isinstance(value, type):
        return _described_table(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(str(one) for one in value)}]"
    if isinstance(value, Mapping):
        return "{}" if not value else str(dict(value))
    return f'"{value}"' if isinstance(value, str | Path) else str(value)


def _described_table(table: Any) -> str:
    """What its options are, and of secrets only that they are there."""
    told = []
    for name, option in options_of(type(table)).items():
        value = getattr(table, name)
        text = describe_default(replace(option, default=value, required=False))
        if isinstance(value, Secret):
            told.append(f"{name} = …")
        elif value != option.default or option.required:
            told.append(f"{name} = {text}")
    return f"{{ {', '.join(told)} }}"
