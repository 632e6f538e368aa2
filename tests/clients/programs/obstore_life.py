"""obstore: Rust's object_store."""

import os

import life
import obstore
from life import BUCKET, CERTIFICATE, ENDPOINT, KEYS, LARGE, SMALL, step
from obstore.store import S3Store
from shared_bucket import made, removed

made()
store = S3Store(
    BUCKET,
    endpoint=ENDPOINT,
    access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
    secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    region="us-east-1",
    # it takes the certificates of the system only
    client_options={"allow_http": True, "allow_invalid_certificates": bool(CERTIFICATE)},
)


@step("small")
def _() -> None:
    for key in KEYS:
        obstore.put(store, key, SMALL)
        assert obstore.get(store, key).bytes() == SMALL
    try:
        obstore.put(store, KEYS[0], SMALL, mode="create")
    except obstore.exceptions.AlreadyExistsError:
        return
    raise AssertionError("it was made twice")


@step("large")
def _() -> None:
    with LARGE.open("rb") as file:
        obstore.put(store, "large", file, chunk_size=5 << 20, use_multipart=True)
    assert obstore.get(store, "large").bytes() == LARGE.read_bytes()


@step("list")
def _() -> None:
    found = [one["path"] for page in obstore.list(store, chunk_size=2) for one in page]
    assert sorted(found) == sorted([*KEYS, "large"]), found
    assert obstore.list_with_delimiter(store)["common_prefixes"] == ["a b+c", "d"]


@step("range")
def _() -> None:
    assert obstore.get_range(store, "d/2", start=2, end=5) == b"234"


@step("copy")
def _() -> None:
    obstore.copy(store, KEYS[1], "copy")
    assert obstore.get(store, "copy").bytes() == SMALL


@step("presigned")
def _() -> None:
    from datetime import timedelta

    assert life.fetched(obstore.sign(store, "GET", KEYS[1], timedelta(minutes=1))) == SMALL


@step("errors")
def _() -> None:
    try:
        obstore.get(store, "none")
    except FileNotFoundError:
        return
    raise AssertionError("there is none")


@step("delete")
def _() -> None:
    obstore.delete(store, [*KEYS, "large", "copy"])
    assert not [one for page in obstore.list(store) for one in page]
    removed()


life.ended()
