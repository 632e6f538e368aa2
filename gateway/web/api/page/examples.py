"""Each function in six languages, from the table: whole programs, with nothing to install.

The key comes from the environment (`GATEWAY_KEY`, or as it is `called`), so that none ends up in
a program. `URL` stands where the address is, `HEADER` where the name of the header with the key
is, and `VARIABLE` where that of the environment; what is put there is percent-encoded and so needs
no quoting in any of the
languages. Nor does a body in JSON, which is of words and numbers. The tests run these programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.web.api.page.languages import HEADER, URL, VARIABLE, Language
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Api, Function


def url(function: Function[Any], base: str, values: Mapping[str, str] | None = None) -> str:
    """The address with these parameters; those of the documents when none are given."""
    given = dict(shown(function) if values is None else values)
    path = function.path
    for one in function.parts:
        safe = "/" if one.kind == "key" else ""
        path = path.replace(f"{{{one.name}}}", quote(given.pop(one.name), safe=safe))
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in given.items())
    return f"{base}/{path}" + (f"?{query}" if query else "")


def shown(function: Function[Any]) -> dict[str, str]:
    """The parameters that documents show: those that are needed, or have an example."""
    found: tuple[Parameter, ...] = (*function.parts, *function.query)
    return {one.name: one.example for one in found if one.required or one.example}


def program(api: Api, language: Language, function: Function[Any], address: str) -> str:
    """What goes into a file."""
    return shown_program(api, language, function).replace(URL, address) + "\n"


def shown_program(api: Api, language: Language, function: Function[Any]) -> str:
    """The program, with `URL` for its address."""
    needed = {one.name: one.example for one in function.headers if one.required}
    text = language.program(function, {**api.always, **needed})
    if function.open:  # it says nothing of a key
        lines = text.split("\n")
        text = "\n".join(line for line in lines if HEADER not in line and line != "import os")
    return text.replace(HEADER, api.header).replace(VARIABLE, f"GATEWAY_{api.called.upper()}")
