"""Options in words, as a person is told of them: what a form is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args, get_origin

from gateway.modes import HavingOptions, Mode, OfNamedService, OfOneService
from gateway.modes.operating import ModeInfo, OptionInfo
from gateway.plugins.options import (
    Option,
    describe,
    describe_default,
    members,
    options_of,
    plain,
)
from gateway.storage.options import Secrets


def mode_info(mode: Mode) -> ModeInfo:
    options = options_of(mode.binding_options) if isinstance(mode, HavingOptions) else {}
    return ModeInfo(
        name=mode.name,
        one_service=isinstance(mode, OfOneService),
        needs_service=isinstance(mode, OfNamedService),
        options=option_infos(options.values()),
    )


def option_infos(options: Iterable[Option]) -> tuple[OptionInfo, ...]:
    return tuple(map(_info, options))


def _info(option: Option) -> OptionInfo:
    return OptionInfo(
        name=option.name,
        kind="a secret" if option.secret else _kind(option),
        default=describe_default(option),
        required=option.required,
        secret=option.secret,
        link=option.link,
        choices=_choices(option.kind),
        about=option.about,
    )


def _kind(option: Option) -> str:
    """Who is told of it here gives secrets as they are."""
    marked = any(Secrets in plain(one)[1] for one in members(option.kind))
    return "a table" if marked else describe(option.kind)


def _choices(kind: object) -> tuple[str, ...]:
    """The words that may be written; none where something else may be, too."""
    found: list[str] = []
    for one in members(kind):
        base, _ = plain(one)
        if base is bool:
            found += ["true", "false"]
        elif get_origin(base) is Literal:
            found += [
                str(word).lower() if isinstance(word, bool) else str(word)
                for word in get_args(base)
            ]
        else:
            return ()
    return tuple(found)
