"""What `gateway serve` prints when its sockets accept: where, what, how, and what is unsafe."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from gateway.access.identity import ROOT_ACCOUNT
from gateway.commands import hints, tls
from gateway.common.units import format_size
from gateway.config import Address, Binding, Configuration, Declared
from gateway.modes import Documented
from gateway.services.chain import Chain
from gateway.storage import Secret


class Credential(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def secret(self) -> Secret: ...


def product_version() -> str:
    try:
        return version("storage-gateway")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "(not installed)"


def render(
    configuration: Configuration,
    listeners: Sequence[tuple[str, int]],
    *,
    server: str,
    workers: str,
    credential: Credential | None,
) -> str:
    """`workers` says how many and why; `credential` is the first, shown this once."""
    addresses = [
        replace(one, address=Address(*bound)).url
        for one, bound in zip(configuration.server.listeners, listeners, strict=True)
    ]
    lines = [f"storage-gateway {product_version()} on {server}, {workers}"]
    lines += [f"  listening  {address}" for address in addresses]
    lines += [f"  listening  {one.url}" for one in configuration.listeners]
    lines += [f"  TLS        {one}" for one in tls.lines(configuration)]
    lines += [f"  documents  {addresses[0]}{path}" for path in documents(configuration)]
    folder = configuration.data
    lines.append(f"  data       {folder or 'in memory: nothing is kept'}")
    lines += [f"  service    {one}" for one in services(configuration.services)]
    lines += [f"  buckets    {configuration.buckets.driver.driver}"]
    lines += [f"  binding    {leads(one)}" for one in configuration.bindings]
    lines += ["", *_pasteable(configuration, addresses[0], credential)]
    lines += [f"WARNING: {one}" for one in unsafe(configuration, listeners, server)]
    lines += [f"WARNING: {one}" for one in missing(configuration)]
    return "\n".join(lines)


def documents(configuration: Configuration) -> Iterator[str]:
    """Pages for people that modes bring: folders below `/-/`."""
    if configuration.server.health:
        for mode in configuration.plugins.modes.values():
            if isinstance(mode, Documented):
                yield from (path for path in mode.pages() if path.endswith("/"))


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
            values = [(option.name, text) for option, text in hints.mode_options(one)]
            said = [f"{name} = {text}" for name, text in values if text]
            said += [f"{name} is not given" for name, text in values if not text]
            yield f"             {', '.join(said)}"
        yield from (f"NOTE: {note}" for note in hints.told(configuration, one))


def leads(binding: Binding) -> str:
    """By which requests, and whereto."""
    about = f"{binding.mode} of {binding.service}" if binding.service else binding.mode
    return f"{binding} → {about}"


def _pasteable(
    configuration: Configuration, address: str, credential: Credential | None
) -> list[str]:
    address = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    key, secret = '"$AWS_ACCESS_KEY_ID"', '"$AWS_SECRET_ACCESS_KEY"'
    head = ["With a key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY:"]
    if credential is not None:
        key, secret = credential.id, credential.secret.reveal()
        head = first(credential)
    elif configuration.data is not None and configuration.root is None:
        another = f"gateway keys add --account {ROOT_ACCOUNT} --access admin {_same(configuration)}"
        head = [f"Lost the key? {another}", *head]
    region = configuration.server.region
    return [
        *head,
        f"  AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret}"
        f" AWS_DEFAULT_REGION={region} aws --endpoint-url {address} s3 ls",
        f"  curl --aws-sigv4 aws:amz:{region}:s3 --user {key}:{secret}"
        f" -H x-amz-content-sha256:UNSIGNED-PAYLOAD {address}/",
        "",
    ]


def _same(configuration: Configuration) -> str:
    """The options by which another command finds this gateway's data, wherever it is typed."""
    origin = configuration.origin
    words = [] if origin.path is None else ["--config", origin.path]
    if origin.path is None or "data" in origin.overrides:
        words += ["--data", str(configuration.data)]
    return shlex.join(words)


def first(credential: Credential) -> list[str]:
    return [
        "The root key was made now. Its secret is not shown again:",
        "",
        f"  access key  {credential.id}",
        f"  secret key  {credential.secret.reveal()}",
        "",
    ]


def missing(configuration: Configuration) -> Iterator[str]:
    """What does not run because of plugins that cannot be used."""
    yield from configuration.plugins.problems
    for sid, why in configuration.left_out.items():
        yield f'the service "{sid}" does not run: {why}.'


def unsafe(
    configuration: Configuration, listeners: Sequence[tuple[str, int]], server: str
) -> Iterator[str]:
    """What an operator should know before others find out."""
    options = configuration.server
    behind_tls = (options.external_url or "").startswith("https:")
    for one, bound in zip(options.listeners, listeners, strict=True):
        address = Address(*bound)
        if not address.loopback and not one.tls and not behind_tls:
            yield (
                f"{address} can be reached from other machines, without TLS: what passes can"
                " be read and changed on the way. Set [server] tls, or put a proxy in front and"
                " its address into external_url."
            )
    yield from tls.warnings(configuration)
    yield from Chain(configuration).unlike(configuration.data)
    ports = {port for _, port in listeners}
    for binding in configuration.bindings:
        yield from hints.deaf(binding, ports)
    if server == "granian" and options.trusted_proxies and options.proxy_headers != "forwarded":
        yield (
            "granian takes X_Forwarded_For for X-Forwarded-For: unless the proxy drops names with"
            ' "_", as nginx does by default, a client can choose its address and host. Let it write'
            " Forwarded instead, and set [server] proxy_headers = 'forwarded'."
        )
    if server == "waitress":
        yield (
            f"waitress reads a body of up to {format_size(options.body_limit('waitress'))}"
            " ([server] max_body) into a temporary file before it is known who sends it."
        )
