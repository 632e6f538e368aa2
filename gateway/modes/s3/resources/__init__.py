"""What S3's operations do, one file per group. A handler is `(Request) -> Reply`; it raises
`StorageError` and `S3Problem`. `operations.TABLE` says which request is whose."""
