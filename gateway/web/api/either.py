"""Two functions that only a parameter tells apart, as OpenAPI has them: one operation, for it
knows one for a method and a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_JOINED = (("operationId", "-or-"), ("summary", "; or: "), ("description", " Or: "))


def either(one: Json, other: Json) -> Json:
    texts = {name: f"{one[name]}{sign}{other[name]}" for name, sign in _JOINED}
    statuses = {**one["responses"], **other["responses"]}
    responses = {
        status: _answer(one["responses"].get(status), other["responses"].get(status))
        for status in statuses
    }
    return {**one, **texts, "parameters": _parameters(one, other), "responses": responses}


def _parameters(one: Json, other: Json) -> list[Json]:
    """Of both: what one alone has need not be there, and what both have may be what either
    takes."""
    first, second = _by_name(one), _by_name(other)
    return [_parameter(first.get(name), second.get(name)) for name in {**first, **second}]


def _by_name(operation: Json) -> dict[tuple[str, str], Json]:
    return {(one["in"], one["name"]): one for one in operation["parameters"]}


def _parameter(one: Json | None, other: Json | None) -> Json:
    if one is None or other is None:
        return {**(one or other or {}), "required": False}
    schema = one["schema"]
    if "enum" in schema:
        both = (*schema["enum"], *other["schema"].get("enum", ()))
        schema = {**schema, "enum": list(dict.fromkeys(both))}
    return {**one, "required": one["required"] and other["required"], "schema": schema}


def _answer(one: Json | None, other: Json | None) -> Json:
    if one is None or other is None:
        return {**(one or other or {})}
    texts = dict.fromkeys((one["description"], other["description"]))
    found: Json = {"description": " Or: ".join(texts)}
    if headers := {**one.get("headers", {}), **other.get("headers", {})}:
        found["headers"] = headers
    if content := _content(one.get("content", {}), other.get("content", {})):
        found["content"] = content
    return found


def _content(one: Mapping[str, Json], other: Mapping[str, Json]) -> Json:
    found = {**one, **other}
    for kind in one.keys() & other.keys():
        if one[kind] != other[kind]:
            found[kind] = {"schema": {"anyOf": [one[kind]["schema"], other[kind]["schema"]]}}
    return found
