"""Clients that are commands: `command_line.py NAME BINARY`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import life
from life import BUCKET, CERTIFICATE, ENDPOINT, LARGE, SMALL, step
from shared_bucket import made, removed

NAME, BINARY = sys.argv[1:3]
KEY, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
ODD = "a b+c/é 📁"
PLACE = Path(tempfile.mkdtemp(dir=LARGE.parent))
(PLACE / "small").write_bytes(SMALL)


def ran(*words: str, fails: str = "") -> bytes:
    """What it wrote. `fails`: it must, and say that."""
    done = subprocess.run([BINARY, *words], capture_output=True, cwd=PLACE)
    said = done.stderr.decode(errors="replace") + done.stdout.decode(errors="replace")
    if fails:
        assert done.returncode, f"{words} succeeded: {said}"
        assert fails in said, said
    else:
        assert done.returncode == 0, f"{words}: {said}"
    return done.stdout


def same(path: str, data: bytes) -> None:
    file = PLACE / path
    assert file.read_bytes() == data
    file.unlink()


def aws() -> None:
    @step("create")
    def _() -> None:
        ran("s3", "mb", f"s3://{BUCKET}")

    @step("small")
    def _() -> None:
        for key in (ODD, "d/2"):
            ran("s3", "cp", "small", f"s3://{BUCKET}/{key}")
            assert ran("s3", "cp", f"s3://{BUCKET}/{key}", "-") == SMALL

    @step("large")
    def _() -> None:
        ran("s3", "cp", str(LARGE), f"s3://{BUCKET}/large")
        ran("s3", "cp", f"s3://{BUCKET}/large", "back")
        same("back", LARGE.read_bytes())

    @step("list")
    def _() -> None:
        found = ran("s3", "ls", "--recursive", f"s3://{BUCKET}").decode()
        assert [ODD in found, "d/2" in found, "large" in found] == [True] * 3
        assert b"PRE a b+c/" in ran("s3", "ls", f"s3://{BUCKET}")

    @step("range")
    def _() -> None:
        words = ("--bucket", BUCKET, "--key", "d/2", "--range", "bytes=2-4", "out")
        ran("s3api", "get-object", *words)
        same("out", b"234")

    @step("copy")
    def _() -> None:
        ran("s3", "cp", f"s3://{BUCKET}/{ODD}", f"s3://{BUCKET}/copy")
        ran("s3", "mv", f"s3://{BUCKET}/copy", f"s3://{BUCKET}/moved")
        (PLACE / "tree").mkdir()
        (PLACE / "tree" / "x").write_bytes(SMALL)
        os.utime(PLACE / "tree" / "x", (0, 0))  # lists have whole seconds: else it may look newer
        ran("s3", "sync", "tree", f"s3://{BUCKET}/tree")
        assert ran("s3", "sync", "tree", f"s3://{BUCKET}/tree") == b""

    @step("versions")
    def _() -> None:
        on = "Status=Enabled"
        ran("s3api", "put-bucket-versioning", "--bucket", BUCKET, "--versioning-configuration", on)
        where = ("--bucket", BUCKET, "--key", "d/2")
        ran("s3api", "put-object", *where, "--body", "small")
        found = ran("s3api", "list-object-versions", "--bucket", BUCKET, "--prefix", "d/2")
        assert found.count(b'"VersionId"') == 2

    @step("presigned")
    def _() -> None:
        ran("configure", "set", "default.s3.signature_version", "s3v4")
        url = ran("s3", "presign", f"s3://{BUCKET}/{ODD}").decode().strip()
        assert life.fetched(url) == SMALL

    @step("errors")
    def _() -> None:
        ran("s3", "cp", f"s3://{BUCKET}/none", "-", fails="404")

    @step("delete")
    def _() -> None:
        ran("s3", "rm", "--recursive", f"s3://{BUCKET}")
        query = "{Objects: [Versions, DeleteMarkers][].{Key: Key, VersionId: VersionId}}"
        found = ran("s3api", "list-object-versions", "--bucket", BUCKET, "--query", query)
        (PLACE / "versions").write_bytes(found)
        ran("s3api", "delete-objects", "--bucket", BUCKET, "--delete", "file://versions")
        ran("s3", "rb", f"s3://{BUCKET}")


def s3cmd() -> None:
    where = urlsplit(ENDPOINT)
    settings = {
        "access_key": KEY,
        "secret_key": SECRET,
        "host_base": where.netloc,
        "host_bucket": where.netloc,
        "use_https": str(where.scheme == "https"),
        "ca_certs_file": CERTIFICATE,
        "multipart_chunk_size_mb": "5",
        "signature_v2": "False",
    }
    (PLACE / "s3cfg").write_text(
        "[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
    )

    def s3(*words: str, fails: str = "") -> bytes:
        return ran("-c", "s3cfg", "--no-progress", *words, fails=fails)

    @step("create")
    def _() -> None:
        s3("mb", f"s3://{BUCKET}")

    @step("small")
    def _() -> None:
        for key in (ODD, "d/2"):
            s3("put", "small", f"s3://{BUCKET}/{key}", "--add-header=x-amz-meta-color:blue")
            s3("get", f"s3://{BUCKET}/{key}", "back", "--force")
            same("back", SMALL)
        assert b"x-amz-meta-color" in s3("info", f"s3://{BUCKET}/d/2")

    @step("large")
    def _() -> None:
        s3("put", str(LARGE), f"s3://{BUCKET}/large")
        s3("get", f"s3://{BUCKET}/large", "back", "--force")
        same("back", LARGE.read_bytes())

    @step("list")
    def _() -> None:
        assert s3("ls", "-r", f"s3://{BUCKET}").count(b"s3://") == 3
        assert b"DIR" in s3("ls", f"s3://{BUCKET}")
        assert b" 3 objects" in s3("du", f"s3://{BUCKET}")

    @step("copy")
    def _() -> None:
        s3("cp", f"s3://{BUCKET}/{ODD}", f"s3://{BUCKET}/copy")
        s3("mv", f"s3://{BUCKET}/copy", f"s3://{BUCKET}/moved")
        s3("setacl", "--acl-public", f"s3://{BUCKET}/moved")
        assert b"anon" in s3("info", f"s3://{BUCKET}/moved")

    @step("presigned")
    def _() -> None:  # its URLs have signatures of version 2 only
        s3("signurl", f"s3://{BUCKET}/d/2", "+60")

    @step("errors")
    def _() -> None:
        s3("get", f"s3://{BUCKET}/none", "back", fails="does not exist")

    @step("delete")
    def _() -> None:
        s3("rb", "--recursive", "--force", f"s3://{BUCKET}")


def s5cmd() -> None:
    os.environ["S3_ENDPOINT_URL"] = ENDPOINT

    @step("create")
    def _() -> None:
        ran("mb", f"s3://{BUCKET}")

    @step("small")
    def _() -> None:
        for key in (ODD, "d/2"):
            ran("cp", "small", f"s3://{BUCKET}/{key}")
            assert ran("cat", f"s3://{BUCKET}/{key}") == SMALL

    @step("large")
    def _() -> None:
        ran("cp", "--part-size", "5", str(LARGE), f"s3://{BUCKET}/large")
        ran("cp", f"s3://{BUCKET}/large", "back")
        same("back", LARGE.read_bytes())

    @step("list")
    def _() -> None:
        assert len(ran("ls", f"s3://{BUCKET}/*").splitlines()) == 3
        assert b"DIR" in ran("ls", f"s3://{BUCKET}")

    @step("copy")
    def _() -> None:
        ran("cp", f"s3://{BUCKET}/d/2", f"s3://{BUCKET}/copy")
        ran("mv", f"s3://{BUCKET}/copy", f"s3://{BUCKET}/moved")

    @step("presigned")
    def _() -> None:
        assert life.fetched(ran("presign", f"s3://{BUCKET}/d/2").decode().strip()) == SMALL

    @step("errors")
    def _() -> None:
        ran("cat", f"s3://{BUCKET}/none", fails="not found")

    @step("delete")
    def _() -> None:
        ran("rm", f"s3://{BUCKET}/*")
        ran("rb", f"s3://{BUCKET}")


def rclone() -> None:
    remote = f":s3,provider=Other,env_auth,endpoint='{ENDPOINT}':{BUCKET}"
    trusting = ["--ca-cert", CERTIFICATE] if CERTIFICATE else []

    def clone(*words: str, fails: str = "") -> bytes:
        common = ["--config", os.devnull, "--retries=1", "--s3-upload-cutoff=5M", *trusting]
        return ran(*common, "--s3-chunk-size=5M", *words, fails=fails)

    @step("create")
    def _() -> None:
        clone("mkdir", remote)

    @step("small")
    def _() -> None:
        for key in (ODD, "d/2"):
            clone("copyto", "small", f"{remote}/{key}")
            assert clone("cat", f"{remote}/{key}") == SMALL

    @step("large")
    def _() -> None:
        clone("copyto", str(LARGE), f"{remote}/large")
        clone("check", "--download", "--one-way", str(LARGE), f"{remote}/")

    @step("list")
    def _() -> None:
        found = clone("lsf", "-R", remote).decode().splitlines()
        assert set(found) >= {"a b+c/", ODD, "d/", "d/2", "large"}, found

    @step("range")
    def _() -> None:
        assert clone("cat", "--offset=2", "--count=3", f"{remote}/d/2") == b"234"

    @step("copy")
    def _() -> None:
        clone("copyto", f"{remote}/large", f"{remote}/copy")
        clone("moveto", f"{remote}/copy", f"{remote}/moved")

    @step("versions")
    def _() -> None:
        clone("backend", "versioning", remote, "Enabled")
        clone("copyto", "--ignore-times", str(LARGE), f"{remote}/d/2")
        assert len(clone("lsf", "--s3-versions", f"{remote}/d").splitlines()) == 2
        clone("backend", "versioning", remote, "Suspended")

    @step("presigned")
    def _() -> None:
        assert life.fetched(clone("link", f"{remote}/{ODD}").decode().strip()) == SMALL

    @step("errors")
    def _() -> None:
        clone("lsf", f"{remote}-none", fails="not found")

    @step("delete")
    def _() -> None:
        clone("purge", f"{remote}/d")
        clone("backend", "cleanup-hidden", remote)
        clone("purge", remote)


def restic() -> None:
    made()
    os.environ["RESTIC_PASSWORD"] = "of the repository"
    trusting = ["--cacert", CERTIFICATE] if CERTIFICATE else []

    def tic(*words: str, fails: str = "") -> bytes:
        repository = f"s3:{ENDPOINT}/{BUCKET}/backup"
        return ran("--no-cache", "--repo", repository, *trusting, *words, fails=fails)

    @step("create")
    def _() -> None:
        tic("init")

    @step("large")
    def _() -> None:
        tic("backup", str(LARGE))
        tic("backup", str(PLACE / "small"))

    @step("list")
    def _() -> None:
        assert b"2 snapshots" in tic("snapshots")
        tic("check", "--read-data")

    @step("range")
    def _() -> None:
        tic("restore", "latest", "--path", str(PLACE / "small"), "--target", "back")
        same(f"back{PLACE / 'small'}", SMALL)

    @step("errors")
    def _() -> None:
        tic("init", fails="already")

    @step("delete")
    def _() -> None:
        tic("forget", "--keep-last", "1", "--group-by", "", "--prune")
        tic("check")


def curl() -> None:
    signed = ["-sS", "--fail-with-body", "--aws-sigv4", "aws:amz:us-east-1:s3"]
    signed += ["--user", f"{KEY}:{SECRET}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
    signed += ["--cacert", CERTIFICATE] if CERTIFICATE else []

    def get(*words: str, fails: str = "") -> bytes:
        return ran(*signed, *words, fails=fails)

    bucket = f"{ENDPOINT}/{BUCKET}"

    @step("create")
    def _() -> None:
        get("-X", "PUT", bucket)

    @step("small")
    def _() -> None:
        get("-T", "small", "-H", "x-amz-meta-color: blue", f"{bucket}/d/2")
        assert get(f"{bucket}/d/2") == SMALL
        assert b"x-amz-meta-color: blue" in get("-I", f"{bucket}/d/2").lower()

    @step("large")
    def _() -> None:
        get("-T", str(LARGE), f"{bucket}/large")
        assert get(f"{bucket}/large") == LARGE.read_bytes()

    @step("list")
    def _() -> None:
        assert get(f"{bucket}?list-type=2").count(b"<Key>") == 2

    @step("range")
    def _() -> None:
        assert get("-H", "Range: bytes=2-4", f"{bucket}/d/2") == b"234"
        (PLACE / "part").write_bytes(LARGE.read_bytes()[:1000])
        get("-C", "-", "-o", "part", f"{bucket}/large")
        same("part", LARGE.read_bytes())

    @step("copy")
    def _() -> None:
        get("-X", "PUT", "-H", f"x-amz-copy-source: /{BUCKET}/d/2", f"{bucket}/copy")
        assert get(f"{bucket}/copy") == SMALL

    @step("errors")
    def _() -> None:
        get(f"{bucket}/none", fails="404")

    @step("delete")
    def _() -> None:
        for key in ("d/2", "large", "copy"):
            get("-X", "DELETE", f"{bucket}/{key}")
        removed()


LIVES: dict[str, Callable[[], None]] = {
    "aws": aws,
    "s3cmd": s3cmd,
    "s5cmd": s5cmd,
    "rclone": rclone,
    "restic": restic,
    "curl": curl,
}
LIVES[NAME]()
life.ended()
