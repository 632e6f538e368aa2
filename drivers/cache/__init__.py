"""A cache in front of any service: what was read once is answered from a space of its own.

layer.py      the driver: its options, how it is opened and closed
reading.py    what a read is answered with
answering.py  the answer: its bytes, and what is said with it
finding.py    which entry is for it
showing.py    what is said with an answer: Age, Cache-Status
write_through.py  writes: to the source, and the entry is invalid before and after
freshness.py  what may be stored, and for how long it is fresh: by times of the cache's own
respecting.py the same by what an HTTP origin says
rfc9111.py    its rules
selecting.py  its variants: the keys of what an origin chooses by a request's fields
http_fields.py  how these are written
entries.py    what is known of an object, as a value and as a row
hot.py        the entries that a process answers without a look at the index
marks.py      purges: points in the cache's history
stock.py      entries and blocks in an index and a blob space of the engine
rows.py       its tables, and what happens to their rows in a transaction
eviction.py   what goes when the space is full
removing.py   how it goes: rows, then files
carrying.py   what a mark has named goes, so that the mark can
fills.py      single flight: one read of the source, for all who wait
places.py     how many of these there may be, and who waits for them
claims.py     the same among workers
helpers.py    the threads that read the source
pulling.py    what one of them does
learning.py   what the source says becomes an entry
storing.py    what a fill has stored
answers.py    what a source answers, held against what it was asked
checks.py     what a source says of all bytes of an object
body.py       an answer's bytes, from blocks and fills
owner.py      one gateway to a folder
context.py    all of these, of a cache that is open
upkeep.py     what a process does behind its requests
"""

from __future__ import annotations

from drivers.cache.layer import Cache
from gateway.hookspecs import hookimpl
from gateway.storage import Store

__all__ = ["Cache", "gateway_drivers"]


@hookimpl
def gateway_drivers() -> list[type[Store]]:
    return [Cache]
