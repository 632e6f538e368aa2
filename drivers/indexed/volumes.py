"""The volumes of a space: what the buckets of each may have together, and have.

A bucket's row names its volume from its beginning to its end. How much a volume has is written
with each change of that in a bucket (see `shared_quota`), and is always the sum of what the
rows of its buckets say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from drivers.indexed.batch import Transaction
from drivers.indexed.named import named_rows
from drivers.indexed.view import View
from gateway.storage import NoSuchVolume, NotEmpty, VolumeRecount, Volumes, VolumeStats

_FIND = "SELECT id, quota FROM volumes WHERE name = ?"
_STATS = (
    "SELECT name, quota, used, (SELECT COUNT(*) FROM services WHERE volume = volumes.id)"
    " FROM volumes WHERE TRUE"
)
_SUM = "SELECT COALESCE(SUM(bytes + waiting), 0) FROM services WHERE volume = volumes.id"
_COUNTS = f"SELECT name, used, ({_SUM}) FROM volumes ORDER BY name"


class VolumesView(View, Volumes):
    def set_volume(self, name: str, quota: int | None) -> None:
        """Writes only what is new: each worker says it when it starts, on a full disk, too."""
        row = self.space.one(_FIND, (name,))
        if row is not None and row[1] == quota:
            return

        def operation(txn: Transaction) -> None:
            txn.execute(
                "INSERT INTO volumes (name, quota) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET quota = excluded.quota",
                (name, quota),
            )

        self.space.write(operation)

    def drop_volume(self, name: str) -> None:
        def operation(txn: Transaction) -> None:
            row = txn.one(_FIND, (name,))
            if row is None:
                return
            if txn.one("SELECT 1 FROM services WHERE volume = ? LIMIT 1", row[:1]) is not None:
                raise NotEmpty("The volume is not empty: there are buckets in it.")
            txn.execute("DELETE FROM volumes WHERE id = ?", row[:1])

        self.space.write(operation, room="remove")

    def volumes(self, names: Collection[str] | None = None) -> Mapping[str, VolumeStats]:
        with self.space.reading() as connection:
            rows = named_rows(connection, _STATS, names)
            return {name: VolumeStats(*columns) for name, *columns in rows}

    def recount_volumes(self, *, repair: bool = False) -> Mapping[str, VolumeRecount]:
        with self.space.reading() as connection:
            rows = connection.execute(_COUNTS)
            found = {name: VolumeRecount(*columns) for name, *columns in rows}
        if repair and not all(one.right for one in found.values()):
            self.space.write(lambda txn: txn.execute(f"UPDATE volumes SET used = ({_SUM})"))
        return found


def volume_of(txn: Transaction, name: str) -> int | None:
    """The id of the volume that a bucket is to be in. Raises `NoSuchVolume`."""
    if not name:
        return None
    row = txn.one(_FIND, (name,))
    if row is None:
        raise NoSuchVolume(name=name)
    found: int = row[0]
    return found


def take_out(txn: Transaction, service: int, volume: int) -> None:
    """What a bucket has that goes is not its volume's any more."""
    txn.execute(
        "UPDATE volumes SET used = used - (SELECT bytes + waiting FROM services WHERE id = ?)"
        " WHERE id = ?",
        (service, volume),
    )
