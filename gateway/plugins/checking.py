"""What is asked of a driver or a mode before it is used; each finding says what would be right.

What can be seen in a class is said at start, not at the first request that
comes upon it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import Any

from gateway.modes import HavingOptions, HavingTable
from gateway.modes.protocols import ProtocolListener
from gateway.plugins.options import Option, options_of
from gateway.storage import CAPABILITIES, Layer, Store
from gateway.storage.contract import misfit


class Unfit(Exception):
    """Something that a plugin brings cannot be used; the message says why."""


def options_of_driver(kind: object) -> Mapping[str, Option]:
    """The options of a class that can be used as a driver. Raises `Unfit`."""
    if not (isinstance(kind, type) and issubclass(kind, Store)):
        raise Unfit(f"{kind!r} is not a dataclass and a Store.")
    name = kind.__name__
    wrong = misfit(kind.contract)  # before anything else: all the rest may follow from it
    if wrong:
        raise Unfit(f"{name}: {wrong}")
    if not is_dataclass(kind):
        raise Unfit(f"{kind!r} is not a dataclass and a Store. Put @dataclass above {name}.")
    if not kind.driver:
        raise Unfit(f'{name} has no name; give it the class attribute `driver = "…"`.')
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    if missing:
        raise Unfit(f"{name} lacks {', '.join(missing)}.")
    for finding in _signatures(kind):
        raise Unfit(f"{name}.{finding}")
    options = _options(kind)
    if issubclass(kind, Layer) and "source" not in options:
        raise Unfit(f"{name} is a Layer without a field `source: Store`.")
    return options


def _options(kind: type[Any]) -> Mapping[str, Option]:
    try:
        return options_of(kind)
    except NameError as error:
        raise Unfit(
            f"the annotations of {kind.__name__} cannot be read: {error}."
            " Import what they name outside of TYPE_CHECKING."
        ) from error


def _signatures(kind: type[Store]) -> Iterator[str]:
    """Methods of the contract that cannot be called as the gateway calls them."""
    for part in (Store, *(one for one in CAPABILITIES if issubclass(kind, one))):
        for name, promised in vars(part).items():
            if name.startswith("_") or not inspect.isfunction(promised):
                continue
            found = getattr(kind, name)
            if found is not promised and not _takes(found, promised):
                ours = f"{name}{_without_types(promised)}"
                yield f"{name}{_without_types(found)} cannot be called as {ours}."


@lru_cache(maxsize=1024)
def _takes(found: Any, promised: Any) -> bool:
    """Whether it can be called with all that was promised, and with the least."""
    signature = inspect.signature(found)
    for every in (True, False):
        asked = [
            one
            for one in inspect.signature(promised).parameters.values()
            if every or one.default is one.empty
        ]
        named = {one.name: None for one in asked if one.kind is one.KEYWORD_ONLY}
        try:
            signature.bind(*[None] * (len(asked) - len(named)), **named)
        except TypeError:
            return False
    return True


def _without_types(function: Any) -> str:
    parameters = inspect.signature(function).parameters.values()
    return f"({', '.join(_as_written(one) for one in parameters)})"


class _Made:
    """Stands for a default that is a dataclass without arguments, whose repr is a paragraph."""

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return f"{self._kind.__name__}()"


def _as_written(parameter: inspect.Parameter) -> str:
    """Without its type, and with a default as people write it: `want=Get()`."""
    default = parameter.default
    if is_dataclass(default) and not isinstance(default, type) and default == _bare(default):
        parameter = parameter.replace(default=_Made(type(default)))
    return str(parameter.replace(annotation=parameter.empty))


def _bare(value: Any) -> object:
    """The dataclass as it is without arguments; None when it needs some."""
    needed = [
        one
        for one in fields(value)
        if one.init and one.default is MISSING and one.default_factory is MISSING
    ]
    return None if needed else type(value)()


def check_listener(kind: object) -> str:
    """The protocol of a class that can be used as a listener. Raises `Unfit`."""
    if not (isinstance(kind, type) and issubclass(kind, ProtocolListener) and is_dataclass(kind)):
        raise Unfit(f"{kind!r} is not a dataclass and a ProtocolListener.")
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    if missing:
        raise Unfit(f"{kind.__name__} lacks {', '.join(missing)}.")
    if not kind.protocol:
        raise Unfit(f'{kind.__name__} has no name; give it the class attribute `protocol = "…"`.')
    taken = sorted({"protocol", "address", "tls"} & options_of(kind).keys())
    if taken:
        raise Unfit(f"{kind.__name__}.{taken[0]}: every listener has an option of that name.")
    return kind.protocol


def check_mode(mode: object) -> str:
    """The name of something that can be used as a mode. Raises `Unfit`."""
    wrong = misfit(getattr(mode, "contract", (1, 0)))
    if wrong:
        raise Unfit(f"{mode!r}: {wrong}")
    for needed in ("claims", "app"):
        if not callable(getattr(mode, needed, None)):
            raise Unfit(f"{mode!r} is not a mode: it has no method `{needed}`.")
    name = getattr(mode, "name", "")
    if not isinstance(name, str) or not name:
        raise Unfit(f"{mode!r} is not a mode: it has no `name`.")
    if isinstance(mode, HavingOptions):
        _check_binding_options(mode.binding_options, name)
    if isinstance(mode, HavingTable):
        _check_table(mode.table, name)
    return name


TABLES = (
    *("server", "catalog", "kms", "accounts", "keys", "management_keys", "buckets", "services"),
    *("volumes", "bindings", "listeners", "webhooks", "reports", "acme", "logs"),
)
"""The configuration's own tables, as which no mode may be called that has one."""


def _check_table(kind: object, mode: str) -> None:
    """Raises `Unfit`."""
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise Unfit(f'The mode "{mode}": its `table` is no dataclass.')
    if mode in TABLES:
        raise Unfit(f'The mode "{mode}": the configuration has another table of that name.')
    _options(kind)


_OF_EACH = frozenset(("host", "port", "prefix", "mode", "service"))
"""What every binding has; a test holds them against `config.BindingOptions`."""


def _check_binding_options(kind: object, mode: str) -> None:
    """Raises `Unfit`."""
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise Unfit(f'The mode "{mode}": its `binding_options` are no dataclass.')
    for one in _options(kind).values():
        if one.name in _OF_EACH:
            raise Unfit(f"{kind.__name__}.{one.name}: every binding has an option of that name.")
        if one.required:
            raise Unfit(f"{kind.__name__}.{one.name} has no default.")
