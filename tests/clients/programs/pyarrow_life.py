"""pyarrow's file system and its datasets: AWS's SDK for C++."""

from urllib.parse import urlsplit

import life
import pyarrow as pa
from life import BUCKET, CERTIFICATE, ENDPOINT, KEYS, LARGE, SMALL, step
from pyarrow import fs, parquet

where = urlsplit(ENDPOINT)
trusted = {"tls_ca_file_path": CERTIFICATE} if CERTIFICATE else {}
s3 = fs.S3FileSystem(
    endpoint_override=where.netloc,
    scheme=where.scheme,
    region="us-east-1",
    allow_bucket_creation=True,
    allow_bucket_deletion=True,
    **trusted,
)


def written(key: str, data: bytes) -> None:
    with s3.open_output_stream(f"{BUCKET}/{key}") as out:
        out.write(data)


def read(key: str) -> bytes:
    with s3.open_input_file(f"{BUCKET}/{key}") as file:
        return file.read()


@step("create")
def _() -> None:
    s3.create_dir(BUCKET)


@step("small")
def _() -> None:
    for key in KEYS:
        written(key, SMALL)
        assert read(key) == SMALL
    table = pa.table({"n": list(range(1000)), "t": ["x"] * 1000})
    parquet.write_to_dataset(table, f"{BUCKET}/set", filesystem=s3, partition_cols=["t"])
    assert parquet.read_table(f"{BUCKET}/set", filesystem=s3)["n"].to_pylist() == list(range(1000))


@step("large")
def _() -> None:
    written("large", LARGE.read_bytes())
    assert read("large") == LARGE.read_bytes()


@step("list")
def _() -> None:
    found = s3.get_file_info(fs.FileSelector(f"{BUCKET}/d", recursive=True))
    assert [one.path for one in found] == [f"{BUCKET}/d/2"]


@step("range")
def _() -> None:
    with s3.open_input_file(f"{BUCKET}/d/2") as file:
        file.seek(2)
        assert file.read(3) == b"234"


@step("copy")
def _() -> None:
    s3.copy_file(f"{BUCKET}/{KEYS[1]}", f"{BUCKET}/copy")
    assert read("copy") == SMALL


@step("errors")
def _() -> None:
    try:
        read("none")
    except FileNotFoundError:
        return
    raise AssertionError("there is none")


@step("delete")
def _() -> None:
    s3.delete_dir(BUCKET)
    assert s3.get_file_info(BUCKET).type == fs.FileType.NotFound


life.ended()
