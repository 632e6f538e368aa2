"""The conformance kit: inherit `StoreConformance`, say how a store is made, run pytest.

    class TestMine(StoreConformance):
        def make(self, folder: Path, sid: str) -> Store:
            return Mine(path=folder / sid)

Each test is one behaviour that the contract promises and its name says it. A
store that has not a capability skips its tests; a driver may also inherit
single classes, one for each capability. See `under_test.DriverUnderTest` for what
else can be said of a driver.
"""

from gateway.testing.conformance.annotations import AnnotationsConformance
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.buckets import BucketsConformance, IsolationConformance
from gateway.testing.conformance.cases import CasesConformance
from gateway.testing.conformance.changes import ChangesConformance
from gateway.testing.conformance.checksums import ChecksumsConformance
from gateway.testing.conformance.completing import CompletingConformance
from gateway.testing.conformance.conditions import ConditionsConformance
from gateway.testing.conformance.copying import CopyingConformance
from gateway.testing.conformance.deleting import DeletingConformance
from gateway.testing.conformance.durability import DurabilityConformance
from gateway.testing.conformance.encryption import EncryptionConformance
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.history import HistoryConformance
from gateway.testing.conformance.keys import KeysConformance
from gateway.testing.conformance.labels import LabelsConformance
from gateway.testing.conformance.listing import ListingConformance
from gateway.testing.conformance.measures import MeasuresConformance
from gateway.testing.conformance.multipart import MultipartConformance
from gateway.testing.conformance.properties import PropertiesConformance
from gateway.testing.conformance.protection import ProtectionConformance
from gateway.testing.conformance.reading import ReadingConformance
from gateway.testing.conformance.replicas import ReplicatesConformance
from gateway.testing.conformance.scrubbing import ScrubsConformance
from gateway.testing.conformance.suspending import SuspendingConformance
from gateway.testing.conformance.upkeep import UpkeepConformance
from gateway.testing.conformance.versions import VersionsConformance
from gateway.testing.conformance.volumes import VolumesConformance
from gateway.testing.conformance.writing import WritingConformance

__all__ = [
    "AnnotationsConformance",
    "Bench",
    "BucketsConformance",
    "CasesConformance",
    "ChangesConformance",
    "ChecksumsConformance",
    "CompletingConformance",
    "ConditionsConformance",
    "Conformance",
    "CopyingConformance",
    "DeletingConformance",
    "DurabilityConformance",
    "EncryptionConformance",
    "HistoryConformance",
    "IsolationConformance",
    "KeysConformance",
    "LabelsConformance",
    "ListingConformance",
    "MeasuresConformance",
    "MultipartConformance",
    "PropertiesConformance",
    "ProtectionConformance",
    "ReadingConformance",
    "ReplicatesConformance",
    "ScrubsConformance",
    "StoreConformance",
    "SuspendingConformance",
    "UpkeepConformance",
    "VersionsConformance",
    "VolumesConformance",
    "WritingConformance",
]


class StoreConformance(
    ReadingConformance,
    KeysConformance,
    CasesConformance,
    WritingConformance,
    DeletingConformance,
    PropertiesConformance,
    ChecksumsConformance,
    ConditionsConformance,
    ListingConformance,
    CopyingConformance,
    MultipartConformance,
    CompletingConformance,
    VersionsConformance,
    SuspendingConformance,
    HistoryConformance,
    LabelsConformance,
    AnnotationsConformance,
    ProtectionConformance,
    ChangesConformance,
    ReplicatesConformance,
    MeasuresConformance,
    ScrubsConformance,
    BucketsConformance,
    VolumesConformance,
    IsolationConformance,
    EncryptionConformance,
    UpkeepConformance,
    DurabilityConformance,
):
    """All of the kit."""
