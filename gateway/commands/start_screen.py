"""What `gateway serve` prints when its sockets accept: where, what, how, and what is unsafe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from gateway.access.identity import ROOT_ACCOUNT
from gateway.commands import tls
from gateway.commands.shell import HERE, Piece, Shell, Variable
from gateway.common.units import about_size
from gateway.config import Address, Binding, Configuration, Declared, given
from gateway.config.bindings import told
from gateway.modes import AtPaths, Documented
from gateway.services.unsafe import missing, unsafe
from gateway.services.versions import product_version
from gateway.storage import Secret


class Credential(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def secret(self) -> Secret: ...


def render(
    configuration: Configuration,
    listeners: Sequence[tuple[str, int]],
    *,
    server: str,
    workers: str,
    credential: Credential | None,
    shell: Shell = HERE,
) -> str:
    """`workers` says how many and why; `credential` is the first, shown this once. Commands are
    for that `shell`."""
    addresses = urls(configuration, listeners)
    lines = [f"storage-gateway {product_version()} on {server}, {workers}"]
    lines += [f"  listening  {address}" for address in addresses]
    lines += [f"  listening  {one.url}" for one in configuration.listeners]
    lines += [f"  TLS        {one}" for one in tls.lines(configuration)]
    lines += [f"  {name:10} {addresses[0]}{path}" for name, path in places(configuration)]
    lines += [f"  documents  {addresses[0]}{path}" for path in documents(configuration)]
    folder = configuration.data
    lines.append(f"  data       {folder or 'in memory: nothing is kept'}")
    if configuration.logs.file is not None:
        lines.append(f"  log        {configuration.logs.file}")
    lines += [f"  service    {one}" for one in services(configuration.services)]
    lines += [f"  volume     {one}" for one in volumes(configuration)]
    lines += [f"  buckets    {configuration.buckets.driver.driver}"]
    lines += [f"  mode       {one}" for one in modes(configuration)]
    lines += [f"  binding    {leads(one)}" for one in configuration.bindings]
    lines += ["", *_pasteable(configuration, addresses[0], credential, shell)]
    lines += [f"WARNING: {one}" for one in unsafe(configuration, listeners, server)]
    lines += [f"WARNING: {one}" for one in missing(configuration)]
    return "\n".join(lines)


def urls(configuration: Configuration, listeners: Sequence[tuple[str, int]]) -> list[str]:
    """Of the listeners, at the addresses that they got."""
    return [
        replace(one, address=Address(*bound)).url
        for one, bound in zip(configuration.server.listeners, listeners, strict=True)
    ]


def places(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """(mode, path) of those that have a path of their own."""
    for mode in configuration.open_modes:
        if isinstance(mode, AtPaths):
            yield mode.name, mode.paths[0]


def documents(configuration: Configuration) -> Iterator[str]:
    """Pages for people that modes bring: folders below `/-/`."""
    if configuration.server.health:
        for mode in configuration.open_modes:
            if isinstance(mode, Documented):
                yield from (path for path in mode.pages() if path.endswith("/"))


def modes(configuration: Configuration) -> Iterator[str]:
    """Those that a table has switched on."""
    yield from (f"{name}, by [{name}]" for name in configuration.mode_tables)


def volumes(configuration: Configuration) -> Iterator[str]:
    """Those that are declared: `media, of photos, with a quota of 10 TiB`."""
    for name, one in sorted(configuration.volumes.items()):
        quota = "" if one.quota is None else f", with a quota of {about_size(one.quota)}"
        yield f"{name}, of {one.account}{quota}"


def services(declared: Mapping[str, Declared]) -> Iterator[str]:
    """Each service with the chain behind it: `thumbs (cache) → upstream (s3)`."""

    def chain(sid: str) -> str:
        one = declared[sid]
        here = f"{sid} ({one.driver.driver})"
        behind = [chain(link) for link in one.links.values()]
        return " → ".join([here, *behind]) if len(behind) < 2 else f"{here} → {behind}"

    return map(chain, declared)


def bindings(configuration: Configuration) -> Iterator[str]:
    """Each, with all that is said of it, and what its mode has to tell."""
    for one in configuration.bindings:
        yield f"  binding    {leads(one)}"
        if one.options is not None:
            values = [(option.name, text) for option, text in given.of_binding(one)]
            said = [f"{name} = {text}" for name, text in values if text]
            said += [f"{name} is not given" for name, text in values if not text]
            yield f"             {', '.join(said)}"
        yield from (f"NOTE: {note}" for note in told(configuration.plugins.modes, one))


def leads(binding: Binding) -> str:
    """By which requests, and whereto."""
    about = f"{binding.mode} of {binding.service}" if binding.service else binding.mode
    return f"{binding} → {about}"


def _pasteable(
    configuration: Configuration, address: str, credential: Credential | None, shell: Shell
) -> list[str]:
    address = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    key, secret = Variable("AWS_ACCESS_KEY_ID"), Variable("AWS_SECRET_ACCESS_KEY")
    given: dict[str, Piece] = {one.name: one for one in (key, secret)}
    user = shell.word(key, ":", secret)
    head = [f"With a key in {key.name} and {secret.name}:"]
    if credential is not None:
        given = {key.name: credential.id, secret.name: credential.secret.reveal()}
        user = shell.word(f"{credential.id}:{credential.secret.reveal()}")
        head = first(credential)
    elif configuration.data is not None and configuration.root is None:
        same = _same(configuration, shell)
        another = f"gateway keys add --account {ROOT_ACCOUNT} --access admin {same}"
        head = [f"Lost the key? {another}", *head]
    region = configuration.server.region
    settings = shell.settings({**given, "AWS_DEFAULT_REGION": region})
    return [
        *head,
        f"  {settings}aws --endpoint-url {address} s3 ls",
        f"  {shell.program('curl')} --aws-sigv4 aws:amz:{region}:s3 --user {user}"
        f" -H x-amz-content-sha256:UNSIGNED-PAYLOAD {address}/",
        "",
    ]


def _same(configuration: Configuration, shell: Shell) -> str:
    """The options by which another command finds this gateway's data, wherever it is typed."""
    origin = configuration.origin
    words = [] if origin.path is None else ["--config", origin.path]
    if origin.path is None or "data" in origin.overrides:
        words += ["--data", str(configuration.data)]
    return " ".join(map(shell.word, words))


def first(credential: Credential) -> list[str]:
    return [
        "The root key was made now. Its secret is not shown again:",
        "",
        f"  access key  {credential.id}",
        f"  secret key  {credential.secret.reveal()}",
        "",
    ]
