"""Chromium: a page of another origin puts an object by a presigned URL, posts a form, and reads
both, as far as the bucket's CORS rules let it. It runs with the project's own Python."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import life
from life import BUCKET, CERTIFICATE, LARGE, SMALL, step

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests import devtools_tab as browser

s3 = boto3.client("s3", config=boto3.session.Config(signature_version="s3v4"))
URL = {"Bucket": BUCKET, "Key": "a b+c/é 📁"}


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another origin</title>")

    def log_message(self, *_: object) -> None:
        pass


def fetched(url: str, options: str = "{}") -> str:
    """Status and text that the page sees, or that it may see nothing."""
    script = f"fetch({json.dumps(url)}, {options})"
    return str(
        tab.run(f"{script}.then(async a => a.status + ' ' + await a.text(), () => 'kept out')")
    )


server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
origin = f"http://127.0.0.1:{server.server_port}"
trusting = ["--ignore-certificate-errors"] if CERTIFICATE else []

with browser.browsing(LARGE.with_name(f"browser of {BUCKET}"), *trusting) as tab:
    tab.go(f"{origin}/")

    @step("create")
    def _() -> None:
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(**URL, Body=SMALL)
        assert fetched(s3.generate_presigned_url("get_object", URL)) == "kept out"
        rule = {
            "AllowedOrigins": [origin],
            "AllowedMethods": ["GET", "PUT", "POST"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"],
        }
        s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})

    @step("presigned")
    def _() -> None:
        put = s3.generate_presigned_url("put_object", {**URL, "ContentType": "text/plain"})
        body = "{method: 'PUT', headers: {'content-type': 'text/plain'}, body: 'by a page'}"
        assert fetched(put, body) == "200 "
        assert fetched(s3.generate_presigned_url("get_object", URL)) == "200 by a page"

    @step("form")
    def _() -> None:
        form = s3.generate_presigned_post(
            BUCKET,
            "form/${filename}",
            {"success_action_status": "201"},
            [{"success_action_status": "201"}],
        )
        made = "(() => { const form = new FormData();"
        for name, value in form["fields"].items():
            made += f"form.append({json.dumps(name)}, {json.dumps(value)});"
        made += "form.append('file', new File(['by a form'], 'n 1.txt')); return form; })()"
        answer = fetched(form["url"], f"{{method: 'POST', body: {made}}}")
        assert answer.startswith("201 "), answer
        assert s3.get_object(Bucket=BUCKET, Key="form/n 1.txt")["Body"].read() == b"by a form"

    @step("errors")
    def _() -> None:
        none = s3.generate_presigned_url("get_object", {**URL, "Key": "none"})
        assert "NoSuchKey" in fetched(none)
        assert fetched(none, "{method: 'DELETE'}") == "kept out"

    @step("delete")
    def _() -> None:
        for key in (URL["Key"], "form/n 1.txt"):
            s3.delete_object(Bucket=BUCKET, Key=key)
        s3.delete_bucket(Bucket=BUCKET)


life.ended()
