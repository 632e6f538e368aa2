"""The command `gateway`: reads what a person typed, calls, prints, and gives an exit code.

0: fine; 1: the configuration or the environment is wrong, said in one message
on stderr; 2: wrong usage. Specification: configuration.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from gateway.access.identity import LEVELS, ROOT_ACCOUNT, SERVICE_LEVELS, Identity, KeyAccess
from gateway.catalog import Catalog, CatalogError, find_master, open_catalog
from gateway.catalog.database import FILE
from gateway.commands import inventory
from gateway.commands.scrub import RATE, scrub
from gateway.common import looking
from gateway.common.units import format_size, parse_size
from gateway.config import (
    ID,
    ID_RULE,
    SID,
    SID_RULE,
    ConfigProblem,
    Configuration,
    ConfigurationError,
    data_folder,
    load,
)
from gateway.config.paths import expanded, here
from gateway.plugins.finding import PluginError, Plugins
from gateway.servers import CannotServe
from gateway.services.chain import Chain, ChainError
from gateway.storage import StorageError

EXPECTED = (CannotServe, CatalogError, ChainError, ConfigurationError, PluginError, StorageError)
"""What a person can do something about: a message, no traceback."""

SERVER_OPTIONS = ("listen", "data", "memory", "server", "workers", "threads", "log_format")


def main(arguments: Sequence[str] | None = None, *, plugins: Plugins | None = None) -> int:
    """Returns the exit code; wrong usage and `--help` raise `SystemExit`, as argparse does."""
    typed = _parser().parse_args(arguments)
    typed.plugins = plugins
    command = cast(Callable[[argparse.Namespace], int], typed.command)
    try:
        return command(typed)
    except EXPECTED as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1


# what may be typed


class _Parser(argparse.ArgumentParser):
    """Options are not abbreviated: what is typed means the same when there are more of them.
    What is unknown is said beside the options of its command, not those of all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        typed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return typed, unknown


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="gateway", description="A self-hosted storage gateway.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands)
    check = _add(commands, "check", check_, "read the configuration and report every problem")
    check.add_argument("--connect", action="store_true", help="try each upstream too, with a read")
    services = _add(commands, "services", services_, "the chain as a tree, with sizes")
    for one in (check, services):
        _add_place(one)
    _add_scrub(commands)
    _add(commands, "drivers", drivers_, "each driver and layer with its options")
    _add(commands, "version", version_, "which storage-gateway this is")
    keys = commands.add_parser("keys", help="list, add and revoke keys, also while serving")
    _add_keys(keys.add_subparsers(title="commands", metavar="COMMAND", required=True))
    return parser


def _add(commands: Any, name: str, command: object, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=command)
    return parser


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="else GATEWAY_CONFIG, else gateway.toml")
    parser.add_argument("--data", metavar="DIR", help="the data folder")


def _add_serve(commands: Any) -> None:
    serve = _add(commands, "serve", serve_, "serve until SIGTERM or Ctrl-C")
    serve.add_argument("--config", metavar="FILE", help="else GATEWAY_CONFIG, else gateway.toml")
    serve.add_argument("--listen", metavar="HOST:PORT", action="append", help="may be repeated")
    kept = serve.add_mutually_exclusive_group()
    kept.add_argument("--data", metavar="DIR", help="the data folder")
    kept.add_argument("--memory", action="store_true", default=None, help="keep nothing")
    serve.add_argument("--server", choices=("auto", "granian", "waitress"))
    serve.add_argument("--workers", metavar="N", type=int, help="processes")
    serve.add_argument("--threads", metavar="N", type=int, help="of each process")
    serve.add_argument("--log-format", choices=("text", "json"))
    serve.add_argument(
        "--lenient", action="store_true", help="go on without plugins that cannot be used"
    )


def _add_scrub(commands: Any) -> None:
    text = "compare all that is kept with its digests, also while serving; 1: something is damaged"
    scrub = _add(commands, "scrub", scrub_, text)
    scrub.add_argument("sid", metavar="SID", nargs="?", help="one service or bucket; else all")
    scrub.add_argument(
        "--rate",
        metavar="SIZE",
        type=_size,
        default=RATE,
        help=f"bytes a second, {format_size(RATE)} unless given; 0: as fast as it goes",
    )
    _add_place(scrub)


def _add_keys(commands: Any) -> None:
    _add_place(_add(commands, "list", keys_list, "all keys, without their secrets"))
    add = _add(commands, "add", keys_add, "make a key; its secret is printed once")
    add.add_argument("--id", type=_id, help="made up when not given")
    add.add_argument("--account", type=_id, default=ROOT_ACCOUNT, help="made when not there")
    add.add_argument(
        "--access",
        type=_access,
        default="own",
        help=f"{' | '.join(LEVELS)}, or SID={'|'.join(SERVICE_LEVELS)},…",
    )
    add.add_argument("--description", default="", help="for whom, what for")
    _add_place(add)
    revoke = _add(commands, "revoke", keys_revoke, "refuse a key from its next request on")
    revoke.add_argument("id", metavar="ID")
    _add_place(revoke)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f'"{text}": {ID_RULE}')
    return text


def _access(text: str) -> KeyAccess:
    if text in LEVELS:
        return text
    table = dict(one.partition("=")[::2] for one in text.split(","))
    for sid, level in table.items():
        if level not in SERVICE_LEVELS:
            raise argparse.ArgumentTypeError(
                f'"{text}" is neither {", ".join(LEVELS)} nor a list such as'
                f" archive=read,thumbs=write (levels: {', '.join(SERVICE_LEVELS)})"
            )
        if not SID.fullmatch(sid):
            raise argparse.ArgumentTypeError(f'"{sid}": {SID_RULE}')
    return cast(KeyAccess, table)


def _load(typed: argparse.Namespace, *, lenient: bool = True) -> Configuration:
    """What only looks, or is about keys, does not need every plugin: it is lenient."""
    given = {name: getattr(typed, name, None) for name in SERVER_OPTIONS}
    overrides = {name: value for name, value in given.items() if value is not None}
    if "data" in overrides:  # it is relative to where it was typed
        overrides["data"] = _folder(overrides["data"])
        overrides["memory"] = False
    return load(typed.config, overrides=overrides, plugins=typed.plugins, lenient=lenient)


def _folder(text: str) -> str:
    try:
        return str(here() / expanded(text))
    except ValueError as error:
        raise ConfigurationError([ConfigProblem("--data", f"{error}.")]) from None


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


# commands


def serve_(typed: argparse.Namespace) -> int:
    configuration = _load(typed, lenient=typed.lenient)
    from gateway.commands.serve import serve

    return serve(configuration)


def check_(typed: argparse.Namespace) -> int:
    from gateway.commands import start_screen
    from gateway.commands.serve import choose, count_workers

    configuration = _load(typed)
    server = choose(configuration)
    if configuration.data is not None and (problem := data_folder.foreseen(configuration.data)):
        raise CatalogError(f"{problem} {data_folder.CHOOSE}")
    find_master(configuration.data, os.environ)
    if configuration.plugins.problems:
        print(f"gateway: {configuration.plugins.message}", file=sys.stderr)
        _print(f'The service "{one}": {why}.' for one, why in configuration.left_out.items())
        return 1
    if wrong := Chain(configuration).misplaced(configuration.data):
        raise ChainError("\n".join(wrong))
    print(f"The configuration is fine: {configuration.origin.path or 'defaults, without a file'}.")
    options = configuration.server
    print(f"  server     {server}, {count_workers(configuration, server)[1]}")
    print(f"  data       {configuration.data or 'in memory: nothing is kept'}")
    for listener in options.listen:
        print(f"  listens at {listener}")
    for one in start_screen.services(configuration.services):
        print(f"  service    {one}")
    for binding in configuration.bindings:
        if binding.mode == "public":
            print(f"NOTE: {binding.service} is public: anybody may read it by its binding.")
    listeners = [(one.host, one.port) for one in options.listen]
    for warning in start_screen.unsafe(configuration, listeners, server):
        print(f"WARNING: {warning}")
    return _connected(configuration) if typed.connect else 0


def _connected(configuration: Configuration) -> int:
    """Try what is behind the services; 1 when something cannot be read."""
    from gateway.commands import connectivity

    code = 0
    for tried in connectivity.connect(configuration):
        _print(connectivity.lines(tried))
        code = code or (0 if tried.error == "" else 1)
    return code


def drivers_(typed: argparse.Namespace) -> int:
    plugins = typed.plugins or Plugins.load(lenient=True)
    _print(inventory.drivers(plugins.drivers))
    if plugins.problems:
        print(f"gateway: {plugins.message}", file=sys.stderr)
    return 1 if plugins.problems else 0


def version_(_typed: argparse.Namespace) -> int:
    from gateway.commands.start_screen import product_version

    print(f"storage-gateway {product_version()}, Python {sys.version.split()[0]}")
    return 0


def services_(typed: argparse.Namespace) -> int:
    """Opens the stores for their sizes when the gateway has run here; else shows the plan."""
    configuration = _load(typed)
    if not _has_run(configuration):
        chain = Chain(configuration)
        tree = inventory.Tree(configuration.services, chain.services, configuration.plugins.drivers)
        _print(tree.lines([]))
        print(f"No sizes: {_not_run(configuration)}")
        return 0
    from gateway.services.runtime import open_runtime

    runtime = open_runtime(configuration)
    try:
        made = runtime.services(Identity(key="cli", account=ROOT_ACCOUNT, access="admin"))
        tree = inventory.Tree(configuration.services, runtime.chain.services)
        _print(tree.lines(made))
    finally:
        runtime.close()
    return 0


def scrub_(typed: argparse.Namespace) -> int:
    configuration = _load(typed)
    if not _has_run(configuration):
        raise ChainError(f"There is nothing to check: {_not_run(configuration)}")
    try:
        return 0 if scrub(configuration, typed.sid, typed.rate, sys.stdout) else 1
    except KeyboardInterrupt:
        print("\ngateway: stopped before all was checked", file=sys.stderr)
        return 1


def _has_run(configuration: Configuration) -> bool:
    folder = configuration.data
    if folder is None:
        return False
    try:
        if configuration.catalog.embedded:
            return looking.is_there(folder / FILE)
        return find_master(folder, os.environ) is not None
    except PermissionError as error:
        raise CatalogError(f"The data folder {folder} cannot be read: {error.strerror}.") from error


def _not_run(configuration: Configuration) -> str:
    if configuration.data is None:
        return "Nothing is kept with [server] memory = true."
    return (
        f"The gateway has not run with the data folder {configuration.data} yet."
        " Did you start it with --data or --config? Give the same here."
    )


@contextmanager
def _opened(configuration: Configuration, *, make: bool = False) -> Iterator[Catalog]:
    """The catalog of a gateway that has run; or one to begin with, which is said."""
    if configuration.data is None:
        raise CatalogError("Nothing is kept with [server] memory = true: there are no keys here.")
    new = not _has_run(configuration)
    if new and not make:
        raise CatalogError(_not_run(configuration))
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


def keys_list(typed: argparse.Namespace) -> int:
    with _opened(_load(typed)) as catalog:
        _print(inventory.keys(catalog.all_keys()))
    return 0


def keys_add(typed: argparse.Namespace) -> int:
    with _opened(_load(typed), make=True) as catalog:
        made = catalog.add_key(
            id=typed.id or "",
            account=typed.account,
            access=typed.access,
            description=typed.description,
        )
    print(f"access key  {made.id}\nsecret key  {made.secret.reveal()}")
    print("The secret is not shown again.", file=sys.stderr)
    return 0


def keys_revoke(typed: argparse.Namespace) -> int:
    with _opened(_load(typed)) as catalog:
        catalog.revoke_key(typed.id)
    print(f"The key {typed.id} is revoked.")
    return 0
