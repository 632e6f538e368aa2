"""Pictures of its source, made smaller and in other formats as a request says; all else passes.

store.py      the layer: its options, and reading
asked.py      what a request asks for: parameters and Accept, and their one form
headers.py    what a picture says of itself, read before anything is decoded
geometry.py   how large it becomes, and what is cut off
engines.py    what decodes and encodes
choosing.py   which of them: pyvips, else Pillow
vips.py       by libvips
pillow.py     by Pillow
places.py     how many are decoded at once, and who waits
heaps.py      what they have freed goes back to the system
variants.py   what is said of a picture that was made: ETag, type, headers
"""

from __future__ import annotations

from drivers.image.store import Image
from gateway.hookspecs import hookimpl
from gateway.storage import Store

__all__ = ["Image", "gateway_drivers"]


@hookimpl
def gateway_drivers() -> list[type[Store]]:
    return [Image]
