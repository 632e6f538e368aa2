"""The OpenAPI 3.1 document of an API, from its tables of functions and problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.web.api.either import Json, either
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter, samples
from gateway.web.api.table import Api, Function

_ERROR = {"$ref": "#/components/schemas/Error"}
_ROWS: Json = {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}
_TYPES: dict[str, Json] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "flag": {"type": "integer", "enum": [0, 1]},
    "object": {"type": "object"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "rows": _ROWS,
    "rows by name": {"type": "object", "additionalProperties": _ROWS},
    "map": {"type": "object", "additionalProperties": {"type": "string"}},
}


def plain(text: str) -> str:
    return text.replace("`", "")


def document(api: Api, server: str) -> Json:
    """`server`: where the functions are, as a link."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": api.title,
            "version": api.version,
            "description": api.about,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"key": []}],
        "paths": _paths(api),
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": api.header}},
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": [*api.error],
                    "properties": {**api.error},
                }
            },
        },
    }


def _paths(api: Api) -> Json:
    found: Json = {}
    for one in api.table:
        place = found.setdefault(f"/{one.path}", {})
        for method in map(str.lower, one.methods):
            operation = _operation(api, one, method.upper())
            place[method] = either(place[method], operation) if method in place else operation
    return found


def _operation(api: Api, function: Function[Any], method: str) -> Json:
    first = method == function.methods[0]
    found: Json = {
        "operationId": function.name if first else f"{function.name}-{method.lower()}",
        "summary": function.title,
        "description": plain(function.about),
        "parameters": [
            *(_parameter(one, "path") for one in function.parts),
            *(_parameter(one, "query") for one in function.query),
            *(_always(name, text) for name, text in api.always.items()),
            # Content-Type is said by the request's body (OpenAPI 3.1, "Parameter Object").
            *(_parameter(one, "header") for one in function.headers if one.name != "Content-Type"),
        ],
        "responses": {**_successes(function, method), **_failures(api, function)},
    }
    if function.body:
        found["requestBody"] = _body()
    if function.members:
        found["requestBody"] = _members(function.members, forms=api.forms)
    if function.open:
        found["security"] = []
    return found


def _always(name: str, text: str) -> Json:
    schema = {"type": "string", "example": text}
    return {"name": name, "in": "header", "required": True, "schema": schema}


def _parameter(parameter: Parameter, place: str) -> Json:
    return {
        "name": parameter.name,
        "in": place,
        "required": parameter.required,
        "description": plain(parameter.about),
        "schema": _given(parameter),
    }


_BOUNDS = {
    "integer": ("minimum", "maximum"),
    "texts": ("minItems", "maxItems"),
    "text": ("minLength", "maxLength"),
}


def _given(parameter: Parameter) -> Json:
    """The schema of what a client gives."""
    schema = dict(_TYPES.get(parameter.kind, _TYPES["text"]))
    if parameter.most and parameter.kind in _BOUNDS:
        schema |= zip(_BOUNDS[parameter.kind], (parameter.least, parameter.most), strict=True)
    if parameter.pattern:
        schema["pattern"] = f"^{parameter.pattern}$"
    if parameter.values:
        schema["enum"] = [*parameter.values]
    if parameter.default is not None:
        schema["default"] = parameter.default
    return schema


def _members(found: Sequence[Parameter], *, forms: bool) -> Json:
    schema: Json = {
        "type": "object",
        "required": [one.name for one in found if one.required],
        "additionalProperties": False,
        "properties": {one.name: _given(one) | {"description": plain(one.about)} for one in found},
    }
    content: Json = {"application/json": {"schema": schema, "example": samples(found)}}
    if forms:
        content["application/x-www-form-urlencoded"] = {"schema": schema}
    return {"required": any(one.required for one in found), "content": content}


def _body() -> Json:
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
    }
    return {
        "required": True,
        "content": {"*/*": {}, "multipart/form-data": {"schema": form}},
    }


def _successes(function: Function[Any], method: str) -> Json:
    headers: Json = {"x-request-id": {"schema": {"type": "string"}}}
    for one in function.answer_headers:
        headers[one.name] = {"description": plain(one.about), "schema": {"type": "string"}}
    content: Json = {}
    if function.answer:
        schema = _object(function.answer)
        listed = {"type": "array", "items": schema} if function.many else schema
        content = {"application/json": {"schema": listed}}
    elif method != "HEAD" and not function.bare:
        content = {"*/*": {}}
    return {
        str(status): {
            "description": text,
            "headers": headers,
            **({"content": content} if content and status != 304 else {}),
        }
        for status, text in function.statuses.items()
    }


def _failures(api: Api, function: Function[Any]) -> Json:
    """By status: what the error codes are that it may mean."""
    found: dict[str, list[str]] = {}
    for code in api.errors_of(function):
        found.setdefault(str(api.problems[code][0]), []).append(code)
    return {
        status: {
            "description": ", ".join(codes),
            "content": {"application/json": {"schema": _ERROR}},
        }
        for status, codes in found.items()
    } | {"default": {"description": "Other.", "content": {"application/json": {"schema": _ERROR}}}}


def _object(fields: Sequence[Field]) -> Json:
    return {
        "type": "object",
        "required": [one.name for one in fields if not one.optional],
        "properties": {one.name: _schema(one) for one in fields},
    }


def _schema(field: Field) -> Json:
    if field.kind == "list":
        return {
            "type": "array",
            "items": _object(field.of),
            "description": plain(field.about),
        }
    schema = _object(field.of) if field.kind == "object" else dict(_TYPES[field.kind])
    if field.null:
        schema["type"] = [schema["type"], "null"]
    if field.values:
        schema["enum"] = [*field.values]
    return schema | {"description": plain(field.about)}
