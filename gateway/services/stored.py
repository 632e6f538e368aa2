"""From a row of the catalog to what a configuration declares: by the same decoder.

What is in the catalog means the same wherever it is decoded (`config.portable`):
there are no variables, no files of secrets and no relative paths in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.catalog import BindingRow, Catalog, ServiceRow
from gateway.config import (
    Binding,
    Configuration,
    ConfigurationError,
    Declared,
    ServiceReader,
    VolumeOptions,
)
from gateway.config.bindings import how_to_switch_on, mode_options
from gateway.config.decode import Decoder
from gateway.config.problems import Problems, join
from gateway.config.texts import HostPattern
from gateway.config.volumes import VOLUME
from gateway.services.chain import identify
from gateway.services.service import Identification
from gateway.storage import NOTHING, Store


def reader(
    configuration: Configuration,
    problems: Problems,
    accounts: frozenset[str],
    *,
    folder: Path = Path(),
    environ: Mapping[str, str] | None = None,
    volumes: Mapping[str, VolumeOptions] = NOTHING,
) -> ServiceReader:
    """Decodes tables of services as those of the configuration were."""
    return ServiceReader(
        decoder=Decoder(problems=problems, folder=folder, environ=environ),
        plugins=configuration.plugins,
        accounts=accounts,
        memory=configuration.server.memory,
        volumes=volumes,
    )


def decoded(
    configuration: Configuration, catalog: Catalog, row: ServiceRow, problems: Problems
) -> Declared | None:
    """None when it cannot be decoded here, which is reported. Raises `CatalogError`."""
    assert row.store is not None
    place = join("services", row.sid)
    table = {
        **catalog.options(row),
        "driver": row.store.driver,
        "name": row.store.name,
        "account": row.owner,
    }
    # Where it is was checked when it came there: what has become of that keeps it from nothing.
    volumes = {str(table.get(VOLUME)): VolumeOptions(account=row.owner)}
    services = reader(configuration, problems, frozenset({row.owner}), volumes=volumes)
    declared = services.decoded(row.sid, table, place)
    if row.sid in services.unknown:
        problems.add(place, f'no plugin brings the driver "{row.store.driver}".')
    return None if declared is None else services.as_run(declared)


def identified(declared: Declared, row: ServiceRow) -> Identification:
    return replace(
        identify(declared),
        declared="",
        added=True,
        part_of="" if row.store is None else row.store.part_of,
        created=row.created,
        grants=row.grants,
        row=row.id,
        volume=row.within.volume,
        bucket=row.within.bucket,
    )


def door_of(row: BindingRow) -> Binding:
    """Where it is, and to what; without the options of its mode."""
    return Binding(
        host=HostPattern(row.host) if row.host else None,
        port=row.port or None,
        prefix=row.prefix,
        mode=row.mode,
        service=row.service,
    )


def binding_of(configuration: Configuration, catalog: Catalog, row: BindingRow) -> Binding:
    """With the options of its mode. Raises `ConfigurationError` where that takes them no more, or
    is off, `CatalogError` where they cannot be unsealed."""
    door, problems = door_of(row), Problems()
    mode = configuration.plugins.modes.get(row.mode)
    if mode is None:
        return door
    if row.mode in configuration.modes_off:
        problems.add(f"the binding {door}", how_to_switch_on(row.mode))
    decoder = Decoder(problems=problems, folder=Path(), environ=None)
    options = mode_options(decoder, mode, catalog.binding_options(row), f"the binding {door}")
    if problems:
        raise ConfigurationError(problems)
    return replace(door, options=options)


def confined(store: Store) -> str:
    """Why it cannot come while the gateway runs; "" when it can. What is kept in one process
    needs a gateway that was started as one."""
    if not store.in_one_process:
        return ""
    return (
        f'the driver "{store.driver}" lives in one process, and this gateway may have several:'
        " declare the service in the configuration, and start anew."
    )
