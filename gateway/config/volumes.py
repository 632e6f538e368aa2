"""`[volumes.NAME]`, and the option `volume` of services: which are in which, and what they are
called there.

A service that is declared or added has a driver of its own: its store is not that of [buckets],
which counts what is in a volume, so a volume with a quota takes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.common.nearest_name import nearest
from gateway.config.configuration import Declared, bucket_of
from gateway.config.decode import Decoder
from gateway.config.problems import BAD, Problems, join, names, shown
from gateway.config.tables import VolumeOptions
from gateway.modes.bucket_names import RULE_IN_VOLUMES, fits_volumes
from gateway.storage import Store, Volumes

VOLUME = "volume"
"""The option: what every service has, too, and may be given anew."""


def read_volumes(decoder: Decoder, found: object) -> dict[str, VolumeOptions]:
    """Those that are right, by name."""
    problems = decoder.problems
    if not isinstance(found, dict):
        problems.add("volumes", f"found {shown(found)}; allowed: tables.")
        return {}
    volumes = dict[str, VolumeOptions]()
    for name, table in found.items():
        place = join("volumes", name)
        if not fits_volumes(name):
            problems.add(place, f"a volume's name has {RULE_IN_VOLUMES}.")
        built = decoder.build(VolumeOptions, table, place)
        if built is not BAD:
            volumes[name] = built
    return volumes


def check_volume(
    problems: Problems,
    sid: str,
    place: str,
    name: str,
    account: object,
    volumes: Mapping[str, VolumeOptions],
) -> None:
    """Report why that service of that account cannot be in the volume. `account` is None where
    none was said."""
    where, volume = join(place, VOLUME), volumes.get(name)
    if volume is None:
        problems.add(
            where,
            f"found {shown(name)}; there is no such volume.{nearest(name, volumes)}"
            f" Known volumes: {names(sorted(volumes)) or 'none'}.",
        )
        return
    if account is not None and account != volume.account:
        problems.add(
            where,
            f"the volume {shown(name)} is of the account {shown(volume.account)}, and the service"
            f" of {shown(account)}: who owns a volume owns what is in it.",
        )
    if volume.quota is not None:
        problems.add(
            where,
            f"the volume {shown(name)} has a quota, which counts what [buckets] keeps: a service"
            " with a driver of its own is not in it. Give the service its own `quota`, or put it"
            " into a volume that has none.",
        )
    if not fits_volumes(bucket := bucket_of(sid, name)):
        text = f"it would be called {shown(bucket)} there: a bucket's name has {RULE_IN_VOLUMES}."
        problems.add(where, text)


def check_places(problems: Problems, services: Iterable[Declared]) -> None:
    """Report those of which another has the place."""
    found = dict[tuple[str, str], Declared]()
    for one in services:
        if one.volume:
            other = found.setdefault((one.volume, one.bucket), one)
            if other is not one:
                problems.add(
                    join(one.place, VOLUME),
                    f"{other.place} is called {shown(one.bucket)} there already.",
                )


def check_counted(
    problems: Problems, volumes: Mapping[str, VolumeOptions], store: Store, place: str
) -> None:
    """Report quotas that the store of [buckets] cannot keep."""
    if store.find(Volumes) is None:
        for name, one in volumes.items():
            if one.quota is not None:
                problems.add(
                    join(join("volumes", name), "quota"),
                    f"the driver {shown(store.driver)} ({place}) counts no volumes: leave it out,"
                    " or have buckets in a driver that does (gateway drivers: can Volumes).",
                )
