"""DuckDB with httpfs: Parquet and CSV in a bucket, read by ranges."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import duckdb_extension_httpfs
import life
from life import BUCKET, CERTIFICATE, ENDPOINT, step
from shared_bucket import made, removed

made()
where = urlsplit(ENDPOINT)
base = duckdb.connect(config={"allow_unsigned_extensions": "true"})
(file,) = Path(duckdb_extension_httpfs.__file__).parent.rglob("*.duckdb_extension")
base.execute(f"LOAD '{file}'")
if CERTIFICATE:
    base.execute(f"SET ca_cert_file = '{CERTIFICATE}'")
    base.execute("SET enable_server_cert_verification = true")
base.execute(
    f"""CREATE SECRET (TYPE s3, KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}',
    SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}', REGION 'us-east-1', URL_STYLE 'path',
    ENDPOINT '{where.netloc}', USE_SSL {str(where.scheme == "https").lower()})"""
)


@step("small")
def _() -> None:
    base.execute(f"COPY (SELECT 1 AS n, 'é' AS t) TO 's3://{BUCKET}/a b/1.csv' (HEADER)")
    assert base.sql(f"SELECT * FROM 's3://{BUCKET}/a b/1.csv'").fetchall() == [(1, "é")]


@step("large")
def _() -> None:
    base.execute(
        f"COPY (SELECT range AS n, md5(range::VARCHAR) AS t FROM range(600000)) TO 's3://{BUCKET}/large.parquet'"
    )


@step("range")
def _() -> None:
    found = base.sql(f"SELECT count(*), sum(n) FROM 's3://{BUCKET}/large.parquet'").fetchall()
    assert found == [(600000, 179999700000)]


@step("list")
def _() -> None:
    found = base.sql(f"SELECT file FROM glob('s3://{BUCKET}/**')").fetchall()
    assert sorted(found) == [(f"s3://{BUCKET}/a b/1.csv",), (f"s3://{BUCKET}/large.parquet",)]


@step("errors")
def _() -> None:
    try:
        base.sql(f"SELECT * FROM 's3://{BUCKET}/none.csv'").fetchall()
    except duckdb.Error as error:
        assert "404" in str(error), error
        return
    raise AssertionError("there is none")


@step("delete")
def _() -> None:
    removed("a b/1.csv", "large.parquet")  # it cannot remove files itself


life.ended()
