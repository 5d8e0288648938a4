"""What the API's description says beyond what its framework knows: headers, and bytes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer", "minimum": 0}


def _header(description: str, schema: dict[str, Any] = _TEXT) -> dict[str, Any]:
    return {"description": description, "schema": schema}


_TURNS: Final = {
    "RateLimit-Limit": _header("Requests this token may make in a minute.", _NUMBER),
    "RateLimit-Remaining": _header("How many of them are left.", _NUMBER),
    "RateLimit-Reset": _header("Seconds until the count begins anew.", _NUMBER),
}
_ETAG: Final = {"ETag": _header("Stands for the content; send it as `If-None-Match`.")}
_WAIT: Final = {"Retry-After": _header("Seconds after which to try again.", _NUMBER)}
_OF_STATUS: Final[dict[str, dict[str, Any]]] = {
    "401": {"WWW-Authenticate": _header("How to prove who you are.")},
    "429": _WAIT,
    "507": _WAIT,
}
_OF_FILES: Final = _ETAG | {
    "Accept-Ranges": _header("`bytes`."),
    "Content-Disposition": _header("The file's name, in both spellings, and whether to save it."),
}
_PLACE: Final = {"Content-Range": _header("Which bytes of how many.")}
_OF_CALL: Final[dict[tuple[str, str], dict[str, dict[str, Any]]]] = {
    ("post", "/jobs"): {"202": _ETAG | {"Location": _header("The job's own address.")}},
    ("get", "/jobs/{job_id}"): {"200": _ETAG, "304": _ETAG},
    ("post", "/jobs/{job_id}/cancel"): {"200": _ETAG},
    ("post", "/jobs/{job_id}/retry"): {"202": _ETAG},
    ("post", "/jobs/{job_id}/extend"): {"200": _ETAG},
    ("post", "/jobs/{job_id}/bundle"): {"200": _ETAG, "202": _ETAG},
} | {
    (method, "/files/{file_id}"): {
        "200": _OF_FILES,
        "206": _OF_FILES | _PLACE,
        "304": _OF_FILES,
        "416": _PLACE,
    }
    for method in ("get", "head")
}
_SENT: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "/jobs/{job_id}": (("If-None-Match", "The last `ETag`: 304 while nothing changed."),),
    "/files/{file_id}": (
        ("If-None-Match", "The last `ETag`: 304 while you have the file."),
        ("Range", "`bytes=0-499` and the like: 206 with that part."),
        ("If-Range", "The `ETag` the part belongs to; the whole file when it is another by now."),
    ),
}
_BYTES: Final = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


def complete(schema: dict[str, Any], prefix: str) -> None:
    """Add to the OpenAPI document what every call sends and takes in headers.

    prefix: where the API's paths begin.
    """
    for path, calls in schema["paths"].items():
        short = path.removeprefix(prefix.rstrip("/"))
        for method, shared in calls.items():
            call = calls[method] = deepcopy(shared)  # one call by two methods is one object
            _complete(call, method, short)


def _complete(call: dict[str, Any], method: str, path: str) -> None:
    own = _OF_CALL.get((method, path), {})
    for status, response in call["responses"].items():
        status = str(status)
        turns = {} if status == "401" else _TURNS
        headers = turns | _OF_STATUS.get(status, {}) | own.get(status, {})
        response.setdefault("headers", {}).update(headers)
        if path == "/files/{file_id}" and method == "get" and status in {"200", "206"}:
            response["content"] = _BYTES
    if method in {"get", "head"}:
        for name, said in _SENT.get(path, ()):
            call["parameters"].append(
                {"in": "header", "name": name, "required": False, "schema": _TEXT}
                | {"description": said}
            )
