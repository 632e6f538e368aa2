"""A form's fields (`application/x-www-form-urlencoded`, WHATWG URL Standard §5) as the object that
they stand for: `a=1` is a member, `a[]=1&a[]=2` a list, `a[b][c]=1` an object in an object, and
`a[0]=1&a[1]=2` a list again, as PHP and jQuery write them. All values are texts.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.web import request_head
from gateway.web.api.parameters import UnfitMember, shown

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_INNER = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST = 8
_MOST = 10_000
"""Fields of one body."""


def read(data: bytes) -> dict[str, Any]:
    """Raises `UnfitMember`."""
    found: dict[str, Any] = {}
    try:
        for count, (name, value) in enumerate(request_head.pairs(data.decode("latin-1"))):
            if count >= _MOST:
                raise UnfitMember(f"The form has more than {_MOST} fields.")
            _put(found, _path(name), value)
    except UnicodeDecodeError:
        raise UnfitMember("The form is not UTF-8.") from None
    return {name: _lists(value) for name, value in found.items()}


def _path(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise UnfitMember(f"There is no member {shown(name)}.")
    path = [match[1], *_INNER.findall(match[2])]
    if len(path) > _DEEPEST:
        raise UnfitMember(f"The member {shown(name)} is nested too deeply.")
    return path


def _put(within: dict[str, Any], path: list[str], value: str) -> None:
    *above, last = path
    for one in above:
        within = within.setdefault(one or str(len(within)), {})
        if not isinstance(within, dict):
            raise UnfitMember(f"The member {shown(path[0])} is there twice.")
    last = last or str(len(within))
    if last in within:
        raise UnfitMember(f"The member {shown(path[0])} is there twice.")
    within[last] = value


def _lists(value: Any) -> Any:
    """Objects whose members are numbered from 0 on are lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(one) for name, one in value.items()}
    numbered = [*inner] == [str(number) for number in range(len(inner))]
    return [*inner.values()] if numbered else inner
