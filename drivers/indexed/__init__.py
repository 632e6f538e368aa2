"""The engine that `local` and `memory` share: an index says what exists, blobs hold bytes.

schema.py     the tables
commit.py     how writes become durable: together, in turn, fairly
blobs.py      bytes: files in a folder, or a dictionary
cipher.py     encryption of a blob, block by block
space.py      an index and its blobs, opened once per data folder
records.py    rows ⇄ values of the contract
mutations.py  what happens inside a write's transaction
reading.py listing.py uploads.py store.py   the contract on top
upkeep.py     removals, orphans, scrub
"""
