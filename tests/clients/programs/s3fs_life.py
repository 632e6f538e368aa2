"""s3fs, as pandas and dask use it."""

import life
import s3fs
from life import BUCKET, KEYS, LARGE, SMALL, step

s3 = s3fs.S3FileSystem(use_listings_cache=False, default_block_size=5 << 20)


@step("create")
def _() -> None:
    s3.mkdir(BUCKET)


@step("small")
def _() -> None:
    for key in KEYS:
        s3.pipe_file(f"{BUCKET}/{key}", SMALL)
        assert s3.cat_file(f"{BUCKET}/{key}") == SMALL


@step("large")
def _() -> None:
    with s3.open(f"{BUCKET}/large", "wb") as file:
        file.write(LARGE.read_bytes())
    assert s3.cat_file(f"{BUCKET}/large") == LARGE.read_bytes()


@step("list")
def _() -> None:
    assert s3.find(BUCKET) == sorted(f"{BUCKET}/{key}" for key in [*KEYS, "large"])
    assert sorted(s3.ls(BUCKET, detail=False)) == [
        f"{BUCKET}/{one}" for one in ("a b+c", "d", "large")
    ]


@step("range")
def _() -> None:
    assert s3.cat_file(f"{BUCKET}/d/2", start=2, end=5) == b"234"
    with s3.open(f"{BUCKET}/large", "rb") as file:
        file.seek(-7, 2)
        assert file.read() == LARGE.read_bytes()[-7:]


@step("copy")
def _() -> None:
    s3.copy(f"{BUCKET}/{KEYS[1]}", f"{BUCKET}/copy")
    s3.mv(f"{BUCKET}/copy", f"{BUCKET}/moved")
    assert s3.cat_file(f"{BUCKET}/moved") == SMALL


@step("presigned")
def _() -> None:
    url = s3fs.S3FileSystem(config_kwargs={"signature_version": "s3v4"}).sign(f"{BUCKET}/{KEYS[1]}")
    assert life.fetched(url) == SMALL


@step("errors")
def _() -> None:
    try:
        s3.cat_file(f"{BUCKET}/none")
    except FileNotFoundError:
        return
    raise AssertionError("there is none")


@step("delete")
def _() -> None:
    s3.rm(BUCKET, recursive=True)
    assert not s3.exists(BUCKET)


life.ended()
