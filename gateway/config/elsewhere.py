"""Tables as they were written → what says the same in a file in another folder: whole paths, and
no secret, but the name of a variable in place of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from gateway.config.paths import expanded
from gateway.plugins.options import members, options_of, plain
from gateway.storage import Secret
from gateway.storage.options import ExistingFile, Secrets


class Elsewhere:
    """`folder` is what relative paths start from. `variables` are those that the tables name by
    now and did not name before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.variables: dict[str, Secret] = {}

    def table(
        self, kind: type[Any], found: Mapping[str, Any], place: Iterable[str]
    ) -> dict[str, Any]:
        """One that a dataclass is decoded from. `place` are the words of which names of variables
        are made. What is no option of it stays."""
        options = options_of(kind)
        result: dict[str, Any] = {}
        for name, value in found.items():
            option = options.get(name)
            if option is not None:
                result |= self._option(option.kind, name, value, (*place, name))
            elif name.endswith("_file") and name.removesuffix("_file") in options:
                result[name] = self._path(value)
            else:
                result[name] = value
        return result

    def _option(
        self, kind: object, name: str, value: Any, place: tuple[str, ...]
    ) -> dict[str, Any]:
        """By the name that it has there."""
        for one in members(kind):
            base, marks = plain(one)
            if base is Secret and isinstance(value, str):
                return {f"{name}_env": self.variable(place, value)}
            if Secrets in marks and isinstance(value, Mapping):
                return {name: self._secrets(value, place)}
        return {name: self._value(kind, value, place)}

    def _value(self, kind: object, value: Any, place: tuple[str, ...]) -> Any:
        for one in members(kind):
            base, marks = plain(one)
            if isinstance(value, list) and get_origin(base) in (tuple, list):
                return [self._value(get_args(base)[0], each, place) for each in value]
            if get_origin(base) in (tuple, list):  # one may stand for a list
                return self._value(get_args(base)[0], value, place)
            if is_dataclass(base) and isinstance(base, type) and isinstance(value, Mapping):
                return self.table(base, value, place)
            if isinstance(value, str) and (base is Path or ExistingFile in marks):
                return self._path(value)
        return value

    def _secrets(self, found: Mapping[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
        """Only a library knows which of them are secrets: any text may be one."""
        result: dict[str, Any] = {}
        for name, value in found.items():
            if isinstance(value, Mapping):
                result[name] = self._secrets(value, (*place, name))
            elif name.endswith("_file"):
                result[name] = self._path(value)
            elif isinstance(value, str) and not name.endswith("_env"):
                result[f"{name}_env"] = self.variable((*place, name), value)
            else:
                result[name] = value
        return result

    def _path(self, value: Any) -> Any:
        return str(self._folder / expanded(value)) if isinstance(value, str) else value

    def variable(self, place: Iterable[str], secret: str) -> str:
        """The name of one with that secret."""
        words = (re.sub(r"[^A-Z0-9]+", "_", word.upper()).strip("_") for word in place)
        base = name = "_".join(("GATEWAY", *words))
        number = 1
        while name in self.variables:
            number += 1
            name = f"{base}_{number}"
        self.variables[name] = Secret(secret)
        return name
