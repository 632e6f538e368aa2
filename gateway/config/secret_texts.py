"""Secrets of a configuration: texts that it has, or that a variable of the environment or a
file has, as the end of an option's name says (`…_env`, `…_file`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.config.paths import located
from gateway.config.problems import BAD, Problems, join, names
from gateway.plugins.options import Option
from gateway.storage import Secret


def spellings(option: Option) -> tuple[str, ...]:
    """The names under which an option may be written."""
    if option.secret:
        return (option.name, f"{option.name}_env", f"{option.name}_file")
    return (option.name,)


@dataclass(frozen=True, slots=True, repr=False)
class SecretTexts:
    """Reads them, as a `Decoder` reads all else. `texts` are files that were read, by path.
    `environ` None: who gives the options is somewhere else, and learns nothing of this machine by
    naming its variables and files."""

    problems: Problems
    folder: Path
    environ: Mapping[str, str] | None
    texts: dict[str, str]

    def option(
        self, option: Option, found: Mapping[str, object], place: str, *, needed: bool
    ) -> Any:
        """That option's `Secret`; `BAD`; None when it is not given: the field's default holds."""
        given = [name for name in spellings(option) if name in found]
        where = join(place, option.name)
        if not given:
            if option.required and needed:
                self.problems.add(where, f"missing; give it as {names(spellings(option))}.")
                return BAD
            return None
        if len(given) > 1:
            self.problems.add(where, f"given more than once: {names(given)}; one is allowed.")
            return BAD
        suffix = given[0].removeprefix(option.name)
        return self._text(suffix, found[given[0]], join(place, given[0]))

    def _text(self, suffix: str, text: object, place: str) -> Any:
        if not isinstance(text, str) or not text:
            self.problems.add(place, "must be a text that is not empty.")
            return BAD
        return self._revealed(suffix, text, place)

    def table(self, found: Mapping[str, Any], place: str) -> Any:
        """A table of options whose names only a library knows: those that end so are secrets."""
        values: dict[str, Any] = {}
        for name, given in found.items():
            value: Any = given
            suffix = next((end for end in ("_env", "_file") if name.endswith(end)), "")
            if isinstance(given, dict):
                value, suffix = self.table(given, join(place, name)), ""
            elif suffix:
                value = self._text(suffix, given, join(place, name))
            option = name.removesuffix(suffix)
            if option in values:
                self.problems.add(join(place, option), "given more than once; one is allowed.")
                value = BAD
            values[option] = value
        return BAD if BAD in values.values() else values

    def _revealed(self, suffix: str, text: str, place: str) -> Any:
        if suffix and self.environ is None:
            what = "no variable of its environment" if suffix == "_env" else "no file of secrets"
            self.problems.add(place, f"{what} is read for others: give the secret itself.")
            return BAD
        if suffix == "_env":
            found = (self.environ or {}).get(text)
            if not found:
                self.problems.add(place, f'the environment variable "{text}" is not set.')
                return BAD
            return Secret(found)
        return self._of_file(text, place) if suffix == "_file" else Secret(text)

    def _of_file(self, text: str, place: str) -> Any:
        path = located(self.problems, self.folder, text, place)
        if path is BAD:
            return BAD
        try:
            if (name := str(path)) not in self.texts:
                self.texts[name] = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            self.problems.add(place, f"cannot read the file {path}: {reason}.")
            return BAD
        content = self.texts[name].rstrip("\r\n")
        if not content:
            self.problems.add(place, f"the file {path} is empty.")
            return BAD
        return Secret(content)
