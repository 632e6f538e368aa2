"""What keeps a catalog from being opened: said in one message for people."""

from __future__ import annotations


class CatalogError(Exception):
    """The catalog or its master key cannot be used; the message says what would be right."""
