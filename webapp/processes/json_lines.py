"""A line of the log as one JSON object, whoever wrote it.

Standard library only: the supervisor uses it, and stays for as long as the instance runs.
"""

from __future__ import annotations

import json
import time
from typing import Final

MAX_BYTES: Final = 12 * 1024
"""A longer line is shortened: the supervisor, and what collects logs, would cut it in two."""
_CUT: Final = " […] "
_LEAST: Final = 64


def line(
    *,
    at: float,
    level: str,
    logger: str,
    message: str,
    process: str,
    pid: int,
    exception: str = "",
    ids: dict[str, str] | None = None,
) -> str:
    """A JSON object without a line feed in it, in ASCII, of MAX_BYTES at most.

    at: Unix seconds. process: the part that speaks. exception: type, words and traceback, left out
    when empty. ids: more fields, as `{"item": "…"}`.
    """
    head = {
        "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03}Z",
        "level": level,
        "logger": logger,
        "message": whole(message),
        "process": process,
        "pid": pid,
    }
    fields = head | (ids or {}) | ({"exception": whole(exception)} if exception else {})
    text = json.dumps(fields)
    for name in ("exception", "message"):
        kept = str(fields.get(name, ""))
        while len(text) > MAX_BYTES and len(kept) > _LEAST:
            kept = _shortened(kept)
            fields[name] = kept
            text = json.dumps(fields)
    return text


def whole(text: str) -> str:
    """The text with a question mark in the place of each half of a character."""
    return text.encode("utf-8", "replace").decode()


def _shortened(text: str) -> str:
    """The text without its middle, of three quarters of its length: what went wrong mostly stands
    at its end, and where at its beginning."""
    kept = len(text) * 3 // 8
    return f"{text[:kept]}{_CUT}{text[-kept:]}"


def wrapped(output: bytes, *, process: str, pid: int, at: float | None = None) -> bytes:
    """A line a process printed as a line of the log; one that is a line of the log already as it
    is. at: Unix seconds, now when not given."""
    if _is_ours(output):
        return output
    return line(
        at=time.time() if at is None else at,
        level="INFO",
        logger="output",
        message=output.decode("utf-8", "replace"),
        process=process,
        pid=pid,
    ).encode()


def _is_ours(output: bytes) -> bool:
    if not (output.startswith(b'{"time": "') and output.endswith(b"}") and output.isascii()):
        return False
    try:
        fields = json.loads(output)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and {"time", "level", "message"} <= fields.keys()
