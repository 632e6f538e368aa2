"""The place that a command is about: `--config` and `--data`, the configuration that they
name, and whether a gateway has run there."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.catalog import Catalog, CatalogError, find_master, open_catalog
from gateway.catalog.database import FILE
from gateway.common import looking
from gateway.config import (
    ConfigProblem,
    Configuration,
    ConfigurationError,
    find_data,
    find_file,
    load,
)
from gateway.config.paths import expanded, here
from gateway.services import soundness
from gateway.storage import Unavailable

SERVER_OPTIONS = ("listen", "data", "memory", "server", "workers", "threads", "log_format")
"""Options of `[server]` that may be typed instead."""


def add_config(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    file = "else GATEWAY_CONFIG, else gateway.toml"
    parser.add_argument("--config", metavar="FILE", help=file, default=default)


def add_place(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    add_config(parser, default)
    parser.add_argument("--data", metavar="DIR", help="the data folder", default=default)


def add_place_below(parser: argparse.ArgumentParser) -> None:
    """For a command below one that has them: they stand before or behind its name, and what
    was not typed behind it says nothing."""
    add_place(parser, argparse.SUPPRESS)


def configured(typed: argparse.Namespace, *, lenient: bool = True) -> Configuration:
    """What only looks, or is about keys, does not need every plugin: it is lenient."""
    given = {name: getattr(typed, name, None) for name in SERVER_OPTIONS}
    overrides = {name: value for name, value in given.items() if value is not None}
    if "data" in overrides:
        overrides["data"] = _typed_path("--data", overrides["data"])
        overrides["memory"] = False
    log_file = getattr(typed, "log_file", None)
    return load(
        typed.config,
        overrides=overrides,
        log_overrides={} if log_file is None else {"file": _typed_path("--log-file", log_file)},
        plugins=typed.plugins,
        lenient=lenient,
    )


def _typed_path(option: str, text: str) -> str:
    """It is relative to where it was typed."""
    try:
        return str(here() / expanded(text))
    except ValueError as error:
        raise ConfigurationError([ConfigProblem(option, f"{error}.")]) from None


def data_folder(typed: argparse.Namespace) -> Path | None:
    """That of the place, whatever is wrong with its configuration; None when nothing is kept."""
    return Path(_typed_path("--data", typed.data)) if typed.data else find_data(typed.config)


def configuration_file(typed: argparse.Namespace) -> Path | None:
    """The file that the place names; None: it names a folder alone, or there is no file."""
    return None if typed.data and not typed.config else find_file(typed.config)


def has_run(configuration: Configuration) -> bool:
    folder = configuration.data
    if folder is None:
        return False
    try:
        if configuration.catalog.embedded:
            return looking.is_there(folder / FILE)
        return find_master(folder, os.environ) is not None
    except PermissionError as error:
        raise CatalogError(f"The data folder {folder} cannot be read: {error.strerror}.") from error


@contextmanager
def opened_catalog(configuration: Configuration, *, make: bool = False) -> Iterator[Catalog]:
    """The catalog of a gateway that has run; or one to begin with, which is said."""
    if configuration.data is None:
        raise CatalogError("Nothing is kept with [server] memory = true: nothing is to be done.")
    new = not has_run(configuration)
    if new and not make:
        raise CatalogError(not_run(configuration))
    catalog = open_catalog(configuration)
    if new:
        print(
            f"The data folder {configuration.data} was made now: start the gateway with the same"
            " --data or --config.",
            file=sys.stderr,
        )
    try:
        yield catalog
    finally:
        catalog.close()


def with_added(configuration: Configuration) -> tuple[Configuration, list[str]]:
    """With the services that were added here; and why some are left out, a sentence each."""
    if not has_run(configuration):
        return configuration, []
    try:
        with opened_catalog(configuration) as catalog:
            found, problems = soundness.with_added(configuration, catalog)
    except (CatalogError, Unavailable) as error:
        return configuration, [f"the services of the catalog: {error}"]
    return found, [str(problem) for problem in problems]


def not_run(configuration: Configuration) -> str:
    """Why nothing is there to look at."""
    if configuration.data is None:
        return "Nothing is kept with [server] memory = true."
    return (
        f"The gateway has not run with the data folder {configuration.data} yet."
        " Did you start it with --data or --config? Give the same here."
    )
