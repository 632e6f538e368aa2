"""The numbers by which paths call zones, storages and certificates."""

from __future__ import annotations

from gateway.web.api.parameters import Parameter

_MOST = (1 << 63) - 1


def number(about: str, *, name: str = "id", example: str = "1") -> Parameter:
    return Parameter(name, about, "integer", required=True, least=1, most=_MOST, example=example)
