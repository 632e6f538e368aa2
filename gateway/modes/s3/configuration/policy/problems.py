"""How a policy is refused: in S3's words, and with the place of what is wrong in it."""

from __future__ import annotations

from gateway.modes.s3.problems import S3Problem

Place = str
"""Within the document, as `Statement[0].Action`."""


def malformed(message: str, place: Place, found: object = None) -> S3Problem:
    """`place` and what stands there are in an element of their own: the message is S3's."""
    shown = "" if found is None else f": {str(found)[:200]!r}"
    return S3Problem("MalformedPolicy", message, Detail=f"{place}{shown}")
