"""Whatever a user can name is documented: the tables are read, and what is missing is said.

Hooks, capabilities and errors are in plugins.md; the options of the
configuration and of every built-in driver, commands with their options, and
variables of the environment are in README.md or docs/.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Iterable, Iterator

import pytest

from gateway.access.identity import Account
from gateway.commands import main
from gateway.config import (
    AcmeOptions,
    BindingOptions,
    CatalogOptions,
    Key,
    KmsOptions,
    LogOptions,
    ManagementKey,
    ReportOptions,
    ServerOptions,
    VolumeOptions,
    WebhookOptions,
)
from gateway.config.tables import EventOptions
from gateway.modes import HavingOptions
from gateway.plugins.finding import OURS, Plugins, hook_names
from gateway.plugins.options import options_of
from gateway.storage import CAPABILITIES, StorageError
from tests.code_blocks import ROOT

PLUGINS = (ROOT / "plugins.md").read_text("utf-8")
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
CONFIGURATION = DOCUMENTS["docs/configuration.md"]

TABLES: dict[str, type] = {
    "## `[server]`": ServerOptions,
    "## `[logs]`": LogOptions,
    "## `[catalog]`": CatalogOptions,
    "## `[kms]`": KmsOptions,
    "## `[reports]`": ReportOptions,
    "## `[acme]`": AcmeOptions,
    "## `[[accounts]]`": Account,
    "## `[[keys]]`": Key,
    "## `[[management_keys]]`": ManagementKey,
    "## `[[bindings]]`": BindingOptions,
    "## `[webhooks.NAME]`": WebhookOptions,
    "## `[volumes.NAME]`": VolumeOptions,
}


def missing(names: Iterable[str], text: str, form: str = "`{}`") -> list[str]:
    """The names that the text does not have in that form."""
    return [name for name in names if form.format(name) not in text]


def section(heading: str, text: str = CONFIGURATION) -> str:
    """What stands below a heading, up to the next of its level."""
    level = heading.partition(" ")[0]
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no {heading!r}"
    return rest.partition(f"\n{level} ")[0]


def errors(kind: type[StorageError] = StorageError) -> Iterator[str]:
    yield kind.__name__
    for below in kind.__subclasses__():
        if below.__module__ == StorageError.__module__:
            yield from errors(below)


def commands(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, list[str]]]:
    """Each command that does something, with its options."""
    below = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    for action in below:
        for word, inner in action.choices.items():
            yield from commands(inner, f"{name} {word}")
    if not below:
        yield name, [one.option_strings[-1] for one in parser._actions if one.option_strings]


def test_every_hook() -> None:
    assert hook_names()
    assert not missing(hook_names(), PLUGINS, "\n| `{}` |")


def test_every_capability() -> None:
    assert not missing([one.__name__ for one in CAPABILITIES], PLUGINS, "\n| `{}` |")


def test_every_error() -> None:
    assert len(list(errors())) > 25
    assert not missing(errors(), section("## Errors", PLUGINS))


@pytest.mark.parametrize("heading", TABLES)
def test_every_option_of_the_configuration(heading: str) -> None:
    assert not missing(options_of(TABLES[heading]), section(heading), "\n| `{}` |")


def test_every_option_of_events() -> None:
    assert not missing(options_of(EventOptions), DOCUMENTS["docs/events.md"], "\n| `{}` |")


@pytest.mark.parametrize("name", sorted(Plugins.load(lenient=True).drivers))
def test_every_option_of_every_driver(name: str) -> None:
    """In the documents that show how the driver is configured."""
    driver = Plugins.load(lenient=True).drivers[name]
    if not driver.origin.startswith(OURS):
        pytest.skip("not ours")
    about = [text for text in DOCUMENTS.values() if f'driver = "{name}"' in text]
    assert about, f'no document shows `driver = "{name}"`'
    assert not missing(driver.options, "\n".join(about))


def test_every_option_of_every_listener() -> None:
    """Also what it is for, in the class's docstring."""
    ours = {
        name: options_of(kind)
        for name, kind in Plugins.load(lenient=True).listeners.items()
        if kind.__module__.startswith("gateway.")
    }
    assert "ftp" in ours
    for name, options in ours.items():
        about = [text for text in DOCUMENTS.values() if f'protocol = "{name}"' in text]
        assert not missing(options, "\n".join(about), "\n| `{}` |")
        assert not [one.name for one in options.values() if not one.about]


@pytest.mark.parametrize("what", ["driver", "mode"])
def test_what_every_option_is_for(what: str) -> None:
    """In the class's docstring, from where forms and `gateway drivers` have it."""
    plugins = Plugins.load(lenient=True)
    ours = {
        one.name: one.options for one in plugins.drivers.values() if one.origin.startswith(OURS)
    }
    if what == "mode":
        modes = (one for one in plugins.modes.values() if isinstance(one, HavingOptions))
        ours = {one.name: options_of(one.binding_options) for one in modes}
    assert ours
    unsaid = [f"{name}.{one.name}" for name in ours for one in ours[name].values() if not one.about]
    assert not unsaid


def test_every_command_with_its_options() -> None:
    found = list(commands(main.parser(""), "gateway"))
    assert ("gateway version", ["--help"]) in found
    for name, options in found:
        rows = [
            row for text in DOCUMENTS.values() for row in text.splitlines() if f"`{name}" in row
        ]
        assert rows, f"{name} is in no document"
        said = "\n".join(rows) + section("## Commands").partition("\n| command")[0]
        assert not [
            one for one in options if one not in ("--help", "--version") and one not in said
        ], name


def test_every_variable_of_the_environment() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py")]
    names = {name for text in sources for name in re.findall(r'"(GATEWAY_[A-Z_]+[A-Z])"', text)}
    assert "GATEWAY_CONFIG" in names
    assert not missing(names, "\n".join(DOCUMENTS.values()))


def test_what_is_missing_is_found() -> None:
    assert missing(["listen", "listem"], section("## `[server]`"), "\n| `{}` |") == ["listem"]
    parser = argparse.ArgumentParser()
    parser.add_subparsers().add_parser("new").add_argument("--odd")
    assert list(commands(parser, "gateway")) == [("gateway new", ["--help", "--odd"])]
    with pytest.raises(AssertionError, match="there is no"):
        section("## `[nothing]`")


def test_what_is_to_be_installed_can_be() -> None:
    """The project is in no index: it is installed from a clone, with extras that it has."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"].keys()
    typed = [
        (name, command)
        for name, text in DOCUMENTS.items()
        for command in re.findall(r"pip install [^`\n]*", text)
    ]
    assert {"README.md", "docs/testing.md"} <= {name for name, _ in typed}
    assert not [one for one in typed if "storage-gateway" in one[1]]
    asked = [extra for _, command in typed for extra in re.findall(r"\.\[(\w+)\]", command)]
    assert asked
    assert set(asked) <= extras
