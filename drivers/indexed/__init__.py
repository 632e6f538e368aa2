"""The engine that `local` and `memory` share: an index says what exists, blobs hold bytes.

  schema.py     the tables, and how they are made
  commit.py     how writes become durable: together, in turn, fairly
  batch.py      one transaction for all that wait; what it counts of a service
  shared_quota.py  and of a volume
  sql_errors.py  SQLite's errors
  removals.py   files that nothing needs any more
  blobs.py      bytes: files in a folder, or a dictionary
  blocks.py     what is in a blob: blocks, each checked by itself
  halves.py     one that lies there as it was written: read in halves, or lent to who sends files
  checked_files.py  which blocks were checked lately
  cipher.py compression.py layout.py
                a blob encrypted and compressed, block by block; where the stored ones begin
  space.py      an index and its blobs, opened once per data folder; what was found lately
  headroom.py   room for removals on a full disk
  records.py    rows ⇄ values of the contract
  named.py      rows by name

inside a write's transaction
  shelf.py      put, delete, labels, protection: every rule of versions is here
  retention.py  what a retention becomes, and what refuses that
  rows.py       versions and their names; which blobs are needed, and by how many
  annotation_rows.py  what hangs on versions
  uploads.py    uploads in parts
  arriving.py   what the source of a replica did, done again
  sharing.py    when a copy may share bytes

around it
  reading.py    how an object is found and opened
  writing.py    how a body becomes a blob, and an object
  listing.py    pages of keys, versions and uploads
  walking.py    one walk for them, past common prefixes
  stretches.py  many rows in one step
  leaping.py    from item to item, whatever prefixes hold
  view.py multipart.py annotating.py replicating.py buckets.py volumes.py store.py
                the contract on top; replica/ follows a replica's source
  watching.py   who is told of changes
  upkeep.py expiring.py  removals, orphans; versions that were kept for long enough
  scrubbing.py  whether what is kept is what was written
  recounting.py  whether what is counted is what is there
  belonging.py  whose a folder is that an earlier release made
"""
