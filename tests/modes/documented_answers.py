"""An answer of a function in JSON is what its document says, and has nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.web.api.fields import Field
from gateway.web.api.table import Function


def check(document: Mapping[str, Any], function: Function[Any], answer: dict[str, Any]) -> None:
    """`document` is the OpenAPI one."""
    operation = document["paths"][f"/{function.path}"][function.methods[0].lower()]
    status = str(next(iter(function.statuses)))
    schema = operation["responses"][status]["content"]["application/json"]["schema"]
    pytest.importorskip("jsonschema").Draft202012Validator(schema).validate(answer)
    _no_more_than(function.answer, answer)


def _no_more_than(fields: tuple[Field, ...], said: dict[str, Any]) -> None:
    known = {one.name: one for one in fields}
    assert set(said) <= set(known)
    for name, value in said.items():
        if known[name].kind == "list":
            for item in value:
                _no_more_than(known[name].of, item)
