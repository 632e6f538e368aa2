"""The OpenAPI 3.1 document, from the tables of functions and problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.modes.standard.answers import Field
from gateway.modes.standard.functions import TABLE, Function, errors_of
from gateway.modes.standard.parameters import Parameter
from gateway.modes.standard.problems import PROBLEMS

Json = dict[str, Any]

VERSION = "1.0.0"
_ERROR = {"$ref": "#/components/schemas/Error"}
_TYPES: dict[str, Json] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "map": {"type": "object", "additionalProperties": {"type": "string"}},
}


def plain(text: str) -> str:
    return text.replace("`", "")


def document() -> Json:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Storage Gateway: standard mode",
            "version": VERSION,
            "description": "Files in and out of every service of a storage gateway."
            " Every request has a key's value in the header x-owncdn-key.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": {f"/{one.name}": _path(one) for one in TABLE},
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-owncdn-key"}},
            "schemas": {"Error": _error()},
        },
    }


def _error() -> Json:
    nullable = {"type": ["string", "null"]}
    members = {
        "error": {"type": "string", "enum": sorted(PROBLEMS)},
        "message": {"type": "string", "description": "One sentence."},
        "sid": nullable,
        "path": nullable,
        "requestId": {"type": "string", "description": "As in x-request-id, and in the log."},
    }
    return {"type": "object", "required": [*members], "properties": members}


def _path(function: Function) -> Json:
    return {method.lower(): _operation(function, method) for method in function.methods}


def _operation(function: Function, method: str) -> Json:
    first = method == function.methods[0]
    found: Json = {
        "operationId": function.name if first else f"{function.name}-{method.lower()}",
        "summary": function.title,
        "description": plain(function.about),
        "parameters": [
            *(_parameter(one, "query") for one in function.query),
            # Content-Type is said by the request's body (OpenAPI 3.1, "Parameter Object").
            *(_parameter(one, "header") for one in function.headers if one.name != "Content-Type"),
        ],
        "responses": {**_successes(function, method), **_failures(function)},
    }
    if function.body:
        found["requestBody"] = _body()
    return found


def _parameter(parameter: Parameter, place: str) -> Json:
    schema: Json = {"type": "string"}
    if parameter.kind == "integer":
        schema = {"type": "integer", "minimum": parameter.least, "maximum": parameter.most}
    if parameter.kind == "boolean":
        schema = dict(_TYPES["boolean"])
    if parameter.default is not None:
        schema["default"] = parameter.default
    found: Json = {
        "name": parameter.name,
        "in": place,
        "required": parameter.required,
        "description": plain(parameter.about),
        "schema": schema,
    }
    return found


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


def _successes(function: Function, method: str) -> Json:
    headers: Json = {"x-request-id": {"schema": {"type": "string"}}}
    for one in function.answer_headers:
        headers[one.name] = {"description": plain(one.about), "schema": {"type": "string"}}
    content: Json = {}
    if function.answer:
        content = {"application/json": {"schema": _object(function.answer)}}
    elif method != "HEAD":
        content = {"*/*": {}}
    return {
        str(status): {
            "description": text,
            "headers": headers,
            **({"content": content} if content and status != 304 else {}),
        }
        for status, text in function.statuses.items()
    }


def _failures(function: Function) -> Json:
    """By status: what the error codes are that it may mean."""
    found: dict[str, list[str]] = {}
    for code in errors_of(function):
        found.setdefault(str(PROBLEMS[code][0]), []).append(code)
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
