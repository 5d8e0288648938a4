"""Requests to a bucket that the client in `bucket` cannot make: signed addresses for other people,
and the uploads that were begun and never ended.

Signed by the query (AWS Signature Version 4), so that an address alone is enough.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET  # nosec B405  # for `_read` alone, which takes no DOCTYPE

from jobs.files.bucket_address import BucketAddress

TIMEOUT_S: Final = 10.0
_OWN_S: Final = 60
_MOST_BYTES: Final = 4 * 1024 * 1024
_MOST_LISTS: Final = 10


def signed_url(
    address: BucketAddress,
    key: str,
    *,
    seconds: int,
    method: str = "GET",
    query: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> str:
    """An address with which anybody may make this one request to the bucket for so many seconds.

    key: of an object; "" for the bucket itself. query: parameters of the request, signed as well.
    """
    now = now or datetime.now(UTC)
    day, moment = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/{address.region}/s3/aws4_request"
    path = quote(address.path_of(key), safe="/~")
    parameters = {
        **(query or {}),
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{address.key_id}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    encoded = sorted(
        (quote(name, safe="~"), quote(value, safe="~")) for name, value in parameters.items()
    )
    text = "&".join(f"{name}={value}" for name, value in encoded)
    host = urlsplit(address.endpoint).netloc
    request = f"{method}\n{path}\n{text}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    signing_key = f"AWS4{address.secret_key}".encode()
    for part in (day, address.region, "s3", "aws4_request"):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}"
    signature = hmac.digest(signing_key, to_sign.encode(), "sha256").hex()
    return f"{address.endpoint}{path}?{text}&X-Amz-Signature={signature}"


@dataclass(frozen=True, slots=True)
class BegunUpload:
    """An upload in parts that was begun and not ended. key: without the prefix."""

    key: str
    id: str
    begun_at: datetime


def begun_uploads(address: BucketAddress) -> list[BegunUpload]:
    """The uploads below our prefix that were begun and not ended, ten thousand at most.

    Where the bucket is not ours alone, other programs' are among them. Raises OSError.
    """
    prefix = f"{address.prefix}/" if address.prefix else ""
    query = {"uploads": "", "prefix": prefix}
    found: list[BegunUpload] = []
    for _ in range(_MOST_LISTS):
        root = _read(_ask(address, "", "GET", query))
        found += [
            BegunUpload(key.removeprefix(prefix), upload_id, begun_at)
            for key, upload_id, begun_at in _uploads(root)
            if key.startswith(prefix)
        ]
        said = {_name(child): child.text or "" for child in root}
        after = said.get("NextKeyMarker", "")
        if said.get("IsTruncated") != "true" or after <= query.get("key-marker", ""):
            break
        query |= {"key-marker": after, "upload-id-marker": said.get("NextUploadIdMarker", "")}
    return found


def _read(answer: bytes) -> ET.Element:
    """The root of a store's list. Raises OSError."""
    try:
        text = _plain(answer)
        return ET.fromstring(text)  # noqa: S314  # nosec B314  # short, and without entities
    except (ValueError, ET.ParseError) as error:
        raise OSError(errno.EREMOTEIO, "the store's list cannot be read") from error


def _plain(answer: bytes) -> str:
    """A store's list as text, so that it is read in the encoding it was looked through in.

    Raises ValueError for one with a DOCTYPE: without, there are no entities that grow when they are
    read or stand for files.
    """
    text = answer.decode()
    if "<!DOCTYPE" in text:
        raise ValueError("a DOCTYPE")
    return text


def _uploads(root: ET.Element) -> Iterator[tuple[str, str, datetime]]:
    for element in root.iter():
        if _name(element) != "Upload":
            continue
        texts = {_name(child): child.text or "" for child in element}
        with contextlib.suppress(KeyError, ValueError):
            begun_at = datetime.fromisoformat(texts["Initiated"])
            yield texts["Key"], texts["UploadId"], begun_at


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def abort_upload(address: BucketAddress, upload: BegunUpload) -> None:
    """Delete the parts of an upload. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        _ask(address, upload.key, "DELETE", {"uploadId": upload.id})


def _ask(address: BucketAddress, key: str, method: str, query: Mapping[str, str]) -> bytes:
    url = signed_url(address, key, seconds=_OWN_S, method=method, query=query)
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context()
        if address.authority:
            context.load_verify_locations(cafile=address.authority)
    request = urllib.request.Request(url, method=method)  # noqa: S310  # http or https, as set
    try:
        with urllib.request.urlopen(  # noqa: S310  # nosec B310  # http or https, as set
            request, timeout=TIMEOUT_S, context=context
        ) as response:
            return bytes(response.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            raise FileNotFoundError(errno.ENOENT, "not in the bucket", key) from None
        raise OSError(errno.EREMOTEIO, f"the store answers with {error.code}", key) from None
    except (urllib.error.URLError, http.client.HTTPException) as error:
        raise OSError(errno.EHOSTDOWN, "the store cannot be reached", key) from error
