"""Lists walked from the first page to the last; a walk that does not advance fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.storage import (
    Entry,
    Listable,
    ListPage,
    ListQuery,
    Multipart,
    Upload,
    UploadPage,
    UploadQuery,
    VersionEntry,
    VersionPage,
    VersionQuery,
    Versions,
)


def pages(store: Listable, query: ListQuery = ListQuery()) -> Iterator[ListPage]:
    while True:
        page = store.list(query)
        yield page
        if page.next is None:
            return
        assert page.next > query.after, "the next page begins before this one"
        query = replace(query, after=page.next)


def all_entries(store: Listable, prefix: str = "") -> list[Entry]:
    return [entry for page in pages(store, ListQuery(prefix=prefix)) for entry in page.entries]


def version_pages(store: Versions, query: VersionQuery = VersionQuery()) -> Iterator[VersionPage]:
    while True:
        page = store.versions(query)
        yield page
        if page.next is None:
            return
        assert (page.next, page.next_version) != (query.after, query.after_version)
        assert page.next >= query.after, "the next page begins before this one"
        query = replace(query, after=page.next, after_version=page.next_version)


def all_versions(store: Versions, prefix: str = "") -> list[VersionEntry]:
    query = VersionQuery(prefix=prefix)
    return [entry for page in version_pages(store, query) for entry in page.entries]


def upload_pages(store: Multipart, query: UploadQuery = UploadQuery()) -> Iterator[UploadPage]:
    while True:
        page = store.uploads(query)
        yield page
        if page.next is None:
            return
        assert (page.next, page.next_upload) != (query.after, query.after_upload)
        assert page.next >= query.after, "the next page begins before this one"
        query = replace(query, after=page.next, after_upload=page.next_upload)


def all_uploads(store: Multipart) -> list[Upload]:
    return [upload for page in upload_pages(store) for upload in page.uploads]
