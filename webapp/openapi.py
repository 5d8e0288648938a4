"""The OpenAPI document's parts that the framework does not know: headers, and bodies of bytes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer", "minimum": 0}


def _header(description: str, schema: dict[str, Any] = _TEXT) -> dict[str, Any]:
    return {"description": description, "schema": schema}


_RATE_LIMIT_HEADERS: Final = {
    "RateLimit-Limit": _header("Requests this token may make in a minute.", _NUMBER),
    "RateLimit-Remaining": _header("How many of them are left.", _NUMBER),
    "RateLimit-Reset": _header("Seconds until the count begins anew.", _NUMBER),
}
_ETAG: Final = {"ETag": _header("Stands for the content; send it as `If-None-Match`.")}
_RETRY_AFTER: Final = {"Retry-After": _header("Seconds after which to try again.", _NUMBER)}
_STATUS_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "401": {"WWW-Authenticate": _header("How to prove who you are.")},
    "429": _RETRY_AFTER,
    "503": _RETRY_AFTER,
    "507": _RETRY_AFTER,
}
_FILE_HEADERS: Final = _ETAG | {
    "Accept-Ranges": _header("`bytes`."),
    "Content-Disposition": _header("The file's name, in both spellings, and whether to save it."),
}
_REPR_DIGEST: Final = {
    "Repr-Digest": _header("SHA-256 of the whole file, in base64: `sha-256=:…:` (RFC 9530).")
}
_CONTENT_RANGE: Final = {"Content-Range": _header("Which bytes of how many.")}
_RESPONSE_HEADERS: Final[dict[tuple[str, str], dict[str, dict[str, Any]]]] = {
    ("post", "/jobs"): {
        "202": _ETAG | {"Location": _header("The job's own address.")},
        "409": _RETRY_AFTER,
    },
    ("get", "/jobs/{job_id}"): {"200": _ETAG, "304": _ETAG},
    ("get", "/status"): {"200": _ETAG, "304": _ETAG},
    ("post", "/watches"): {"201": {"Location": _header("The watch's own address.")}},
    ("post", "/jobs/{job_id}/cancel"): {"200": _ETAG},
    ("post", "/jobs/{job_id}/retry"): {"202": _ETAG},
    ("post", "/jobs/{job_id}/extend"): {"200": _ETAG},
    ("post", "/jobs/{job_id}/bundle"): {"200": _ETAG, "202": _ETAG},
} | {
    (method, "/files/{file_id}"): {
        "200": _FILE_HEADERS | _REPR_DIGEST,
        "206": _FILE_HEADERS | _REPR_DIGEST | _CONTENT_RANGE,
        "304": _FILE_HEADERS,
        "416": _CONTENT_RANGE,
    }
    for method in ("get", "head")
}
_REQUEST_HEADERS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "/status": (("If-None-Match", "The last `ETag`: 304 while nothing but ages changed."),),
    "/jobs/{job_id}": (("If-None-Match", "The last `ETag`: 304 while nothing changed."),),
    "/files/{file_id}": (
        ("If-None-Match", "The last `ETag`: 304 while you have the file."),
        ("Range", "`bytes=0-499` and the like: 206 with that part."),
        ("If-Range", "The `ETag` the part belongs to; the whole file when it is another by now."),
    ),
}
_BINARY: Final = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


def add_headers(schema: dict[str, Any], prefix: str) -> None:
    """Add to an OpenAPI document, in place, the headers every operation takes and answers with.

    prefix: of the API's paths, as `/api/v1/`.
    """
    for path, operations in schema["paths"].items():
        short = path.removeprefix(prefix.rstrip("/"))
        for method, shared in operations.items():
            # A function that answers two methods is one object for both.
            operation = operations[method] = deepcopy(shared)
            _add_operation_headers(operation, method, short)


def _add_operation_headers(operation: dict[str, Any], method: str, path: str) -> None:
    by_status = _RESPONSE_HEADERS.get((method, path), {})
    for status, response in operation["responses"].items():
        status = str(status)
        rate_limit = {} if status == "401" else _RATE_LIMIT_HEADERS
        headers = rate_limit | _STATUS_HEADERS.get(status, {}) | by_status.get(status, {})
        response.setdefault("headers", {}).update(headers)
        if path == "/files/{file_id}" and method == "get" and status in {"200", "206"}:
            response["content"] = _BINARY
    if method in {"get", "head"}:
        for name, description in _REQUEST_HEADERS.get(path, ()):
            operation["parameters"].append(
                {"in": "header", "name": name, "required": False, "schema": _TEXT}
                | {"description": description}
            )
