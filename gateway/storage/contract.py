"""The version of the contract, so that a driver and a gateway know whether they fit.

(major, minor): minor grows when something is added that a driver may use or
offer; major when what a driver did right before would be wrong now. A driver
says in its class attribute `contract` for which one it was written; it fits
where the major is the same and the minor not smaller.
"""

from __future__ import annotations

CONTRACT: tuple[int, int] = (1, 0)


def misfit(written_for: object) -> str:
    """Why something that was written for that version does not fit this one, and what to do;
    "" when it does."""
    if not (
        isinstance(written_for, tuple)
        and len(written_for) == 2
        and all(type(one) is int for one in written_for)
    ):
        return f"its `contract` is {written_for!r}; write a pair of numbers, as in {CONTRACT}."
    asked, here = (f"{major}.{minor}" for major, minor in (written_for, CONTRACT))
    if written_for[0] == CONTRACT[0] and written_for[1] <= CONTRACT[1]:
        return ""
    said = f"it was written for version {asked} of the contract; this gateway has {here}."
    if written_for > CONTRACT:
        return f"{said} Install a newer storage-gateway, or an older release of the plugin."
    return f"{said} Install a newer release of the plugin, or an older storage-gateway."
