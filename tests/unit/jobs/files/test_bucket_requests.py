"""Signed addresses, and uploads that were begun and never ended."""

from __future__ import annotations

import urllib.request
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config

from jobs.files import bucket_requests, bucket_store
from jobs.files.bucket_access import bucket
from jobs.files.bucket_address import BucketAddress, address
from tests import buckets

ADDRESS = BucketAddress(
    bucket="saved",
    prefix="a/b c",
    endpoint="https://s3.example.org:9000",
    region="eu-central-1",
    key_id="AKIDEXAMPLE",
    secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
)
QUERY = {
    "response-content-disposition": "attachment; filename=\"a b.mp4\"; filename*=UTF-8''%C3%A9.mp4",
    "response-content-type": "video/mp4",
}


def test_an_address_is_signed_as_amazons_own_client_signs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=ADDRESS.endpoint,
        region_name=ADDRESS.region,
        aws_access_key_id=ADDRESS.key_id,
        aws_secret_access_key=ADDRESS.secret_key,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    theirs = client.generate_presigned_url(
        "get_object",
        Params={
            "Bucket": "saved",
            "Key": "a/b c/ab/x~y",
            "ResponseContentDisposition": QUERY["response-content-disposition"],
            "ResponseContentType": QUERY["response-content-type"],
        },
        ExpiresIn=60,
    )
    date = parse_qs(urlsplit(theirs).query)["X-Amz-Date"][0]
    now = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = bucket_requests.signed_url(ADDRESS, "ab/x~y", seconds=60, query=QUERY, now=now)
    assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(theirs).query)
    assert urlsplit(ours).path == urlsplit(theirs).path
    assert ADDRESS.secret_key not in ours


def test_whoever_has_an_address_gets_the_file_with_its_name(in_bucket: str) -> None:
    bucket().write("ab/x", b"hello")
    url = bucket_requests.signed_url(address(), "ab/x", seconds=60, query=QUERY)
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.read() == b"hello"
        assert response.headers["Content-Type"] == "video/mp4"
        assert response.headers["Content-Disposition"].startswith("attachment; ")


def test_uploads_of_dead_workers_are_ended_and_those_of_others_left(in_bucket: str) -> None:
    where = address()
    client = boto3.client(
        "s3", endpoint_url=in_bucket, region_name="us-east-1",
        aws_access_key_id="key", aws_secret_access_key="secret",
    )  # fmt: skip
    name = str(uuid.uuid4())
    ours = f"{name[:2]}/{name}"
    for key in (f"{where.prefix}/{ours}", f"elsewhere/{ours}"):
        client.create_multipart_upload(Bucket=buckets.BUCKET, Key=key)
    (upload,) = bucket_requests.begun_uploads(where)
    assert upload.key == ours
    begun = upload.begun_at.timestamp()
    longest = bucket_store.UPLOAD_LONGEST.total_seconds()
    assert bucket_store.abort_stale_uploads(begun + longest - 60) == 0
    assert bucket_store.abort_stale_uploads(begun + longest + 60) == 1
    assert bucket_requests.begun_uploads(where) == []
    bucket_requests.abort_upload(where, upload)


def test_uploads_of_other_programs_into_our_bucket_are_left(in_bucket: str) -> None:
    where, name = address(), str(uuid.uuid4())
    client = boto3.client(
        "s3", endpoint_url=in_bucket, region_name="us-east-1",
        aws_access_key_id="key", aws_secret_access_key="secret",
    )  # fmt: skip
    theirs = {"backup.tar", "work/film.mp4", f"work/{name}.1/1.part", f"{name[:2]}/{name}/x", name}
    for key in theirs:
        client.create_multipart_upload(Bucket=buckets.BUCKET, Key=f"{where.prefix}/{key}")
    long_after = max(one.begun_at for one in bucket_requests.begun_uploads(where)).timestamp() + 1e6
    assert bucket_store.abort_stale_uploads(long_after) == 0
    assert {one.key for one in bucket_requests.begun_uploads(where)} == theirs


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_store_that_answers_with_an_error(status: int) -> None:
    with buckets.misbehaving(buckets.says(status)) as (endpoint, _asked):
        where = BucketAddress(
            bucket="saved", prefix="", endpoint=endpoint, region="r", key_id="k", secret_key="s"
        )
        with pytest.raises(OSError, match=str(status)):
            bucket_requests.begun_uploads(where)


def lists_after(handler: BaseHTTPRequestHandler) -> None:
    """Answer as a store with one upload in each list, a third of which never comes."""
    after = parse_qs(urlsplit(handler.path).query).get("key-marker", [""])[0]
    key, more = ("ab/1", "ab/1") if not after else ("ab/2", "ab/1")
    upload = f"<Key>{key}</Key><UploadId>i</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated>"
    text = (
        f"<List><IsTruncated>true</IsTruncated><NextKeyMarker>{more}</NextKeyMarker>"
        f"<NextUploadIdMarker>i</NextUploadIdMarker><Upload>{upload}</Upload></List>"
    ).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)


def test_ours_are_found_behind_many_of_other_programs() -> None:
    with buckets.misbehaving(lists_after) as (endpoint, asked):
        where = BucketAddress(
            bucket="saved", prefix="", endpoint=endpoint, region="r", key_id="k", secret_key="s"
        )
        assert [upload.key for upload in bucket_requests.begun_uploads(where)] == ["ab/1", "ab/2"]
    assert len(asked) == 2  # and a store that names the same place again is not asked for ever


def sends(body: bytes) -> buckets.Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


_GROWING = (
    '<!DOCTYPE l [<!ENTITY a "ab/"><!ENTITY b "&a;&a;&a;">]><l><Upload><Key>&b;x</Key>'
    "<UploadId>1</UploadId><Initiated>2026-11-30T10:00:00Z</Initiated></Upload></l>"
)


@pytest.mark.parametrize(
    "answer",
    [
        b"<x></y>",
        _GROWING.encode(),
        f'<?xml version="1.0" encoding="UTF-8"?>{_GROWING}'.encode(),
        _GROWING.encode("utf-16"),
        b'<!DOCTYPE l SYSTEM "file:///etc/passwd"><l/>',
        b"<l>\xff</l>",
    ],
)
def test_a_list_that_cannot_be_read(answer: bytes) -> None:
    with buckets.misbehaving(sends(answer)) as (endpoint, _asked):
        where = BucketAddress(
            bucket="saved", prefix="", endpoint=endpoint, region="r", key_id="k", secret_key="s"
        )
        with pytest.raises(OSError, match="cannot be read"):
            bucket_requests.begun_uploads(where)
