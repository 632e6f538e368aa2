"""TOML values → what a dataclass's fields say. One decoder for the gateway's own
tables and for the options of every driver.

Nothing here raises for what a person wrote: it is reported to `problems` with
its place, and the value is `BAD`, so that the rest is checked too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin

from gateway.common import looking, units
from gateway.common.nearest_name import nearest
from gateway.config.paths import located
from gateway.config.problems import BAD, Bad, Problems, join, names, shown
from gateway.config.secret_texts import SecretTexts, spellings
from gateway.plugins.options import Option, describe, members, mentions, options_of, plain
from gateway.storage import Store
from gateway.storage.options import AtLeast, Duration, ExistingFile, OneOrMany, Secrets, Size


class Link(str):
    """The sid of the service that a field typed `Store` stands for."""

    __slots__ = ()


class Text:
    """Base of types that are written as one text: `parse` raises `ValueError`."""

    described = "text"

    @classmethod
    def parse(cls, text: str) -> Any:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """`folder` is what relative paths start from; `environ` gives `…_env` options; None: neither
    these nor files of secrets are read. `texts` are those that were, by path: none is read
    twice."""

    problems: Problems
    folder: Path
    environ: Mapping[str, str] | None
    texts: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def _secrets(self) -> SecretTexts:
        return SecretTexts(self.problems, self.folder, self.environ, self.texts)

    # tables

    def table(
        self,
        kind: type[Any],
        found: Mapping[str, object],
        place: str,
        *,
        also: Iterable[str] = (),
        optional: Iterable[str] = (),
    ) -> dict[str, Any]:
        """The values of the options that were given and are right.

        `also` are names that the caller reads itself; `optional` need not be given.
        """
        options = options_of(kind)
        known = [*also, *sorted(name for one in options.values() for name in spellings(one))]
        for name in found:
            if name not in known:
                self.problems.add(
                    join(place, name),
                    f"unknown option.{nearest(name, known)} Known here: {names(known)}.",
                )
        values: dict[str, Any] = {}
        for name, option in options.items():
            if name in also:
                continue
            value = self._option(option, found, place, needed=name not in optional)
            if value is not None:
                values[name] = value
        return values

    def build(self, kind: type[Any], found: object, place: str) -> Any:
        """An instance of a dataclass, or `BAD`."""
        if not isinstance(found, dict):
            return self._wrong(place, found, "a table")
        before = len(self.problems)
        values = self.table(kind, found, place)
        if len(self.problems) > before:
            return BAD
        return self.construct(kind, values, place)

    def construct(self, kind: type[Any], values: Mapping[str, Any], place: str) -> Any:
        """Call a dataclass; the `ValueError` by which it refuses is a problem here."""
        try:
            return kind(**values)
        except ValueError as error:
            self.problems.refused(kind, place, error)
            return BAD

    def _option(
        self, option: Option, found: Mapping[str, object], place: str, *, needed: bool
    ) -> Any:
        """None when it is not given: the field's default holds."""
        if option.secret:
            return self._secrets.option(option, found, place, needed=needed)
        if option.name in found:
            return self.value(option.kind, found[option.name], join(place, option.name))
        if option.required and needed:
            self.problems.add(join(place, option.name), f"missing; give {describe(option.kind)}.")
            return BAD
        return None

    # single values

    def value(self, kind: object, found: object, place: str) -> Any:
        """`found` as `kind`, or `BAD`."""
        choices = members(kind)
        if len(choices) == 1:
            return self._single(choices[0], found, place)
        fitting = [one for one in choices if shape_fits(one, found)]
        if len(fitting) == 1:
            return self._single(fitting[0], found, place)
        for one in fitting:
            value = self._quietly(one, found, place)
            if value is not BAD:
                return value
        return self._wrong(place, found, describe(kind), _words(kind))

    def _quietly(self, kind: object, found: object, place: str) -> Any:
        quiet = replace(self, problems=Problems())
        return quiet._single(kind, found, place)

    def _single(self, kind: object, found: object, place: str) -> Any:
        base, marks = plain(kind)
        if OneOrMany in marks and not isinstance(found, list):
            found = [found]
        if not shape_fits(kind, found):
            return self._wrong(place, found, describe(kind), _words(kind))
        if Secrets in marks:
            return self._secrets.table(cast("Mapping[str, Any]", found), place)
        for mark in marks:
            if isinstance(mark, type) and mark in _MARKED:
                return self._parsed(_MARKED[mark], found, place)
        value = self._unmarked(base, found, place)
        return value if value is BAD else self._marked(marks, value, kind, place)

    def _marked(self, marks: tuple[object, ...], value: Any, kind: object, place: str) -> Any:
        for mark in marks:
            if isinstance(mark, AtLeast) and value < mark.minimum:
                return self._wrong(place, value, describe(kind))
            if mark is ExistingFile and (problem := _missing(value)):
                self.problems.add(place, problem)
                return BAD
        return value

    def _unmarked(self, base: Any, found: Any, place: str) -> Any:
        origin = get_origin(base)
        if origin is Literal:
            if found in get_args(base):
                return found
            return self._wrong(place, found, describe(base), _words(base))
        if origin in (tuple, list):
            return self._list(origin, get_args(base)[0], found, place)
        if origin is not None:
            return self._mapping(get_args(base)[1], found, place)
        if base is Path and not found:
            return self._wrong(place, found, describe(base))
        if base is Path:
            return located(self.problems, self.folder, found, place)
        if base in _PARSED:
            return self._parsed(_PARSED[base], found, place)
        if issubclass(base, Text):
            return self._parsed(base.parse, found, place)
        if issubclass(base, Store):
            return Link(found)
        if base is float:
            return float(found)
        return self.build(cast(type[Any], base), found, place) if is_dataclass(base) else found

    def _list(self, origin: Any, item: object, found: list[object], place: str) -> Any:
        values = [
            self.value(item, one, f"{place}[{number}]" if len(found) > 1 else place)
            for number, one in enumerate(found)
        ]
        return BAD if BAD in values else origin(values)

    def _mapping(self, item: object, found: Mapping[str, object], place: str) -> Any:
        if item is Any:
            return dict(found)
        values = {name: self.value(item, one, join(place, name)) for name, one in found.items()}
        return BAD if BAD in values.values() else values

    def _parsed(self, parse: Callable[[Any], Any], found: object, place: str) -> Any:
        try:
            return parse(found)
        except ValueError as error:
            self.problems.add(place, f"{error}.")
            return BAD

    def _wrong(self, place: str, found: object, allowed: str, words: Iterable[str] = ()) -> Bad:
        like = nearest(found, words) if isinstance(found, str) else ""
        self.problems.add(place, f"found {shown(found)}; allowed: {allowed}.{like}")
        return BAD


_MARKED: Mapping[object, Callable[[Any], Any]] = {
    Size: units.parse_size,
    Duration: units.parse_duration,
}


def _missing(path: Path) -> str:
    """What is wrong; "" when the file is there."""
    try:
        return "" if looking.is_file(path) else f"there is no file {path}."
    except OSError as error:
        return f"the file {path} cannot be looked for: {error.strerror}."


def _network(kind: type[Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return kind(text)
        except ValueError as error:
            raise ValueError(f'"{text}" is not {describe(kind)} ({error})') from None

    return parse


_PARSED: Mapping[object, Callable[[Any], Any]] = {
    IPv4Network: _network(IPv4Network),
    IPv6Network: _network(IPv6Network),
}


def _words(kind: object) -> list[str]:
    """The fixed words among what is allowed: what a near miss may have meant."""
    return [
        str(word)
        for one in members(kind)
        if get_origin(plain(one)[0]) is Literal
        for word in get_args(plain(one)[0])
    ]


def shape_fits(kind: object, found: object) -> bool:
    """Whether TOML's type of `found` is one in which `kind` is written."""
    base, marks = plain(kind)
    if base is Any:
        return True
    if Size in marks or Duration in marks:
        return isinstance(found, str | int | float) and not isinstance(found, bool)
    origin = get_origin(base)
    if OneOrMany in marks and not isinstance(found, list):
        return any(shape_fits(one, found) for one in members(get_args(base)[0]))
    if origin is Literal:
        return type(found) in {type(one) for one in get_args(base)}
    if origin in (tuple, list):
        return isinstance(found, list)
    if origin is not None or is_dataclass(base):
        return isinstance(found, dict) if not mentions(base, Store) else isinstance(found, str)
    if base in (bool, int):
        return type(found) is base
    if base is float:
        return type(found) in (int, float)
    return isinstance(found, str)
