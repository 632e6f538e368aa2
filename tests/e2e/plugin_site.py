"""A package that is installed besides: one module that is a plugin."""

from __future__ import annotations

from pathlib import Path


def plugin_site(folder: Path, name: str, code: str) -> Path:
    """The folder, with that in it."""
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    (about / "METADATA").write_text(metadata, encoding="utf-8")
    entry = f"[gateway.plugins]\n{name} = {name}\n"
    (about / "entry_points.txt").write_text(entry, encoding="utf-8")
    return folder
