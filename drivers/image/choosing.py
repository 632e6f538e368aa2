"""Who decodes and encodes: libvips by pyvips where that is installed, else Pillow."""

from __future__ import annotations

from importlib.util import find_spec

from drivers.image.engines import Engine, Name


def engine(name: Name | None, most_pixels: int) -> Engine:
    """That one, or the best that is installed. Raises `ValueError`."""
    chosen = name or ("pyvips" if find_spec("pyvips") else "pillow")
    try:
        if chosen == "pyvips":
            from drivers.image.vips import Vips

            return Vips()
        from drivers.image.pillow import Pillow

        return Pillow(most_pixels)
    except (ImportError, OSError) as error:  # OSError: pyvips is there, and no libvips
        if name is None and chosen == "pyvips":
            return engine("pillow", most_pixels)
        raise ValueError(
            f"engine: {chosen} cannot be had ({error}); pip install 'storage-gateway[images]'"
        ) from error
