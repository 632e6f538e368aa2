"""What was configured, as a person is shown it: as it was written, where that is known, and never
a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from gateway.config.configuration import Configuration, Declared
from gateway.config.problems import shown
from gateway.config.services import EVENTS, SOURCE_PATH
from gateway.config.tables import Binding, EventOptions
from gateway.config.volumes import VOLUME
from gateway.modes.operating import Given, Section
from gateway.plugins.options import Option, describe_default, options_of
from gateway.storage import Secret


def of_service(declared: Declared, written: Mapping[str, Any] | None = None) -> Iterator[Given]:
    """Its options, but for links. `written`: as they were given."""
    if declared.source_path:
        yield Given(SOURCE_PATH, declared.source_path)
    if declared.volume:
        yield Given(VOLUME, declared.volume)
    yield from (Given(EVENTS, _told(one)) for one in declared.events)
    for name, value in declared.options.items():
        yield _given(name, value, (written or {}).get(name, value))


def _told(one: EventOptions) -> str:
    keys = f", {one.prefix}…{one.suffix}" if one.prefix or one.suffix else ""
    return f"{one.webhook}: {', '.join(one.kinds)}{keys}"


def _given(name: str, value: object, written: object) -> Given:
    secret = isinstance(value, Secret)
    return Given(name, "" if secret else _text(value, written), secret)


def _text(value: object, written: object) -> str:
    if isinstance(value, Secret):
        return "(secret)"
    if isinstance(value, Mapping):  # what is secret in it, only a library knows
        return f"{{ {', '.join(f'{name} = …' for name in value)} }}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_text(one, one) for one in value)}]"
    return shown(value if isinstance(written, Mapping) else written)


def of_binding(binding: Binding) -> Iterator[tuple[Option, str]]:
    """The options of its mode, each with its value as it would be written; "" where it was not
    given, and has no default."""
    if binding.options is not None:
        for option in options_of(type(binding.options)).values():
            value = getattr(binding.options, option.name)
            yield option, describe_default(replace(option, default=value, required=False))


def changed(binding: Binding) -> Iterator[Given]:
    """The options of its mode that are not as they are by default."""
    for option, text in of_binding(binding):
        if getattr(binding.options, option.name) != option.default:
            yield Given(option.name, text)


def sections(configuration: Configuration) -> Iterator[Section]:
    """What is configured besides services, bindings and certificates."""
    server = [one for one in _options(configuration.server) if one.name not in ("listen", "tls")]
    listen = ", ".join(one.url for one in configuration.server.listeners)
    yield Section("server", (Given("listen", listen), *server))
    if configuration.logs.file is not None:
        yield Section("logs", tuple(_options(configuration.logs)))
    yield Section("catalog", tuple(_options(configuration.catalog)))
    if configuration.kms.keys:
        yield Section("kms", tuple(_options(configuration.kms)))
    if configuration.reports is not None:
        yield Section("reports", tuple(_options(configuration.reports)))
    if configuration.acme is not None:
        yield Section("acme", tuple(_options(configuration.acme)))
    buckets = configuration.buckets
    driver = Given("driver", shown(buckets.driver.driver))
    yield Section("buckets", (driver, *of_service(buckets)))
    for name, volume in configuration.volumes.items():
        yield Section(f"volumes.{name}", tuple(_options(volume)))
    for name, webhook in configuration.webhooks.items():
        yield Section(f"webhooks.{name}", tuple(_options(webhook)))
    for listener in configuration.listeners:
        about = (Given("address", listener.url), *(_given(*one) for one in _each(listener.options)))
        yield Section(listener.place, about)


def _each(options: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    for name, value in options.items():
        yield name, value, value


def _options(table: Any) -> Iterator[Given]:
    """Of one of the gateway's own tables, where it says anything."""
    options = options_of(type(table))
    for one in fields(table):
        value = getattr(table, one.name)
        if isinstance(value, Secret):
            plain = value.reveal() == "sqlite"  # that of a catalog without a password
            yield Given(one.name, '"sqlite"') if plain else Given(one.name, "", secret=True)
        elif value not in (None, ()):
            option = replace(options[one.name], default=value, required=False)
            yield Given(one.name, describe_default(option))
