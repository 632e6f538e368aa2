"""`gateway export`: what a gateway has, its catalog too, as a configuration file.

Secrets are never in it: it names variables, and which is said on stderr. `--secrets` writes
what they are to be set to into a folder for this user alone, beside the certificates.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from gateway.catalog import Catalog
from gateway.commands.columns import say
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, opened_catalog
from gateway.common import private
from gateway.config import ConfigProblem, Configuration, ConfigurationError
from gateway.config.paths import here
from gateway.config.toml import dumped
from gateway.services.chain import Chain
from gateway.services.exporting import Exported, Exporter
from gateway.services.key_service import CatalogKeyService
from gateway.storage import Buckets, Secret, Store, Versioning, Versions

VARIABLES = "variables.env"
"""In the folder of secrets: what a shell reads by `set -a; . variables.env`."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="a new one; else it is printed")
    text = "a new folder for what the variables are to be set to, and for certificates"
    parser.add_argument("--secrets", metavar="FOLDER", help=text)
    add_place(parser)


def _run(typed: argparse.Namespace) -> int:
    configuration = configured(typed, lenient=False)
    folder = here() / typed.secrets if typed.secrets else None
    with opened_catalog(configuration) as catalog, _buckets(configuration, catalog) as buckets:
        exported = Exporter(configuration, catalog, partial(_versioning, buckets), folder).export()
    text = _head(exported.variables) + dumped(exported.tables)
    if folder is not None:
        _write_secrets(folder, exported)
    if typed.output:
        _write(here() / typed.output, text, "--output")
    else:
        print(text, end="")
    for name in exported.variables:
        say(f"To be set: {name}", sys.stderr)
    for note in exported.notes:
        say(f"NOTE: {note}", sys.stderr)
    return 0


@contextmanager
def _buckets(configuration: Configuration, catalog: Catalog) -> Iterator[Buckets]:
    """Where buckets are, opened beside a gateway that may run. Raises `ChainError`."""
    chain = Chain(replace(configuration, services={}))
    try:
        chain.open(
            folder=configuration.data,
            master_key=catalog.keyring.storage,
            key_service=CatalogKeyService(catalog),
        )
        yield chain.buckets
    finally:
        chain.close()


def _versioning(buckets: Buckets, sid: str) -> Versioning:
    """Raises `NoSuchStore`."""
    versions = cast(Store, buckets.bucket(sid)).find(Versions)
    return "off" if versions is None else versions.versioning


def _head(variables: Mapping[str, Secret]) -> str:
    if not variables:
        return ""
    return "\n".join(["# Variables that are to be set:", *(f"# {one}" for one in variables), ""])


def _write_secrets(folder: Path, exported: Exported) -> None:
    try:
        private.make_folder(folder.parent)
        folder.mkdir(private.FOLDER)
    except OSError as error:
        raise _cannot(folder, error, "--secrets") from error
    lines = [f"{name}={shlex.quote(one.reveal())}" for name, one in exported.variables.items()]
    files = {VARIABLES: "".join(f"{line}\n" for line in lines)}
    files |= {name: one.reveal() for name, one in exported.certificates.items()}
    for name, text in files.items():
        _write(folder / name, text, "--secrets")


def _write(path: Path, text: str, option: str) -> None:
    """For this user alone: a configuration says where everything is."""
    try:
        with open(path, "x", encoding="utf-8", newline="\n", opener=private.opener) as file:
            file.write(text)
    except OSError as error:
        raise _cannot(path, error, option) from error


def _cannot(path: Path, error: OSError, option: str) -> ConfigurationError:
    text = f"{path} cannot be written: {error.strerror}."
    return ConfigurationError([ConfigProblem(option, text)])


COMMAND = Command(
    name="export",
    text="what is configured and what was made since, as a configuration file",
    arguments=_arguments,
    run=_run,
)
