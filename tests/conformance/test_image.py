"""The kit through the `image` layer: what it does not touch, and all that is written, passes."""

from __future__ import annotations

from drivers.image import Image
from drivers.memory import Memory
from gateway.storage import Context, Store
from gateway.testing.conformance import (
    ConditionsConformance,
    CopyingConformance,
    DeletingConformance,
    LabelsConformance,
    MultipartConformance,
    PropertiesConformance,
    ReadingConformance,
    WritingConformance,
)


class TestImageOverMemory(
    ReadingConformance,
    WritingConformance,
    DeletingConformance,
    PropertiesConformance,
    ConditionsConformance,
    CopyingConformance,
    MultipartConformance,
    LabelsConformance,
):
    durable = processes = flat_memory = False

    def open(self, context: Context) -> Store:
        source = Memory(keep_versions="off")
        source.open(context)
        image = Image(source=source)
        image.open(context)
        return image

    def close(self, store: Store) -> None:
        assert isinstance(store, Image)
        store.close()
        store.source.close()
