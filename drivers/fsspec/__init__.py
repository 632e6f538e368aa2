"""Objects as files of any file system that fsspec opens; an existing tree is served as it is.

    store.py     the driver: options, and the contract's methods
    opening.py   from a URL and options to a tree
    paths.py     which keys are paths, and which are refused
    tree.py      what the driver asks of a file system
    local.py     `file://`, by the operating system itself: durable, atomic, conditional
    files.py     open files of this machine; drafts.py: those that are being written
    stripes.py   locks by path, among all who write one tree
    remote.py    all others, by fsspec: in windows, spooled, by rename or by one upload
    calls.py     what is asked of them, a call each; transfers.py: bytes to and from them
    details.py   what fsspec says of a file; internals.py: all that is used beyond its calls
    pool.py      connections: how many, how long, and when one is thrown away
    supported.py what callers ask of an object
    walk.py      lists in the order of keys, a folder at a time
    label.py     what is known of an object beyond its bytes: the sidecars
    kinds.py     content types by name
    failures.py  what file systems raise → the contract's errors

fsspec is imported when a service of this driver is constructed, and not before.
"""

from __future__ import annotations

from drivers.fsspec.store import FileSystem
from gateway.hookspecs import hookimpl
from gateway.storage import Store

__all__ = ["FileSystem", "gateway_drivers"]


@hookimpl
def gateway_drivers() -> list[type[Store]]:
    return [FileSystem]
