"""Messages that are none of ours, as any program that shares a Redis may push them."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from jobs.queue import routing

CONTENT: Final = "not-for-the-log"
"""Words that stand in many of them."""


def genuine(task: str = routing.FETCH_ITEM, args: Any = None) -> dict[str, Any]:
    """A message as this app sends it, taken apart."""
    return {
        "headers": {"task": task, "id": str(uuid4()), "expires": None, "lang": "py"},
        "args": [str(uuid4())] if args is None else args,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "properties": {
            "delivery_tag": str(uuid4()),
            "delivery_info": {"exchange": "", "routing_key": routing.POOL_QUEUE},
            "body_encoding": "base64",
        },
    }


def encode(parts: Mapping[str, Any], body: bytes | None = None) -> bytes:
    """The element of the list. body: of the message, before base64; its arguments if not given."""
    message = {name: value for name, value in parts.items() if name != "args"}
    if body is None:
        body = json.dumps([parts["args"], {}, {}]).encode()
    return json.dumps(message | {"body": base64.b64encode(body).decode()}).encode()


def _changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    parts = genuine()
    change(parts)
    return encode(parts)


def _without_body(body: Any) -> bytes:
    return json.dumps(json.loads(encode(genuine())) | {"body": body}).encode()


FOREIGN: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "spaces": b"   ",
    "a list": b"[]",
    "a mapping": b"{}",
    "null": b"null",
    "a number": b"17",
    "not a number": b"NaN",
    "words": CONTENT.encode(),
    "a string": json.dumps(CONTENT).encode(),
    "half of one of ours": encode(genuine())[:-40],
    "nested deeply": b"[" * 8_000 + b"]" * 8_000,
    "nested deeper": b"[" * 100_000 + b"]" * 100_000,
    "a mapping nested deeply": b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
    "not UTF-8": b"\xff\xfe\x00" + CONTENT.encode(),
    "UTF-16": '{"body": "x"}'.encode("utf-16"),
    "a megabyte": b"x" * 1_000_000,
    "pickle": pickle.dumps({"task": CONTENT}),
    "no headers": json.dumps({"body": "W10=", "properties": {}}).encode(),
    "headers that are a list": json.dumps({"headers": [], "body": "W10="}).encode(),
    "no body": _without_body(None),
    "a body that is no base64": _without_body("%%%"),
    "a body that is no text": encode(genuine(), b"\xff\xff"),
    "a pickled body": encode(genuine(), pickle.dumps([[], {}, {}])),
    "a body that is no list": encode(genuine(), b'{"a": 1}'),
    "a body nested deeply": encode(genuine(), b"[" * 4_000 + b"]" * 4_000),
    "an empty body": encode(genuine(), b""),
    "an empty list for a body": encode(genuine(), b"[]"),
    "a task nobody knows": encode(genuine("os.system", [CONTENT])),
    "a task that is a list": encode(genuine() | {"headers": {"task": [CONTENT]}}),
    "a task of Celery's own": encode(genuine("celery.backend_cleanup", [])),
    "no argument": encode(genuine(args=[])),
    "too many arguments": encode(genuine(args=[str(uuid4()), CONTENT])),
    "an argument that is no id": encode(genuine(args=[CONTENT])),
    "an argument that is a mapping": encode(genuine(args=[{"a": 1}])),
    "arguments that are no list": encode(genuine(args=CONTENT)),
    "arguments for a sweep": encode(genuine(routing.SWEEP, [CONTENT])),
    "an expiry that is none": _changed(lambda p: p["headers"].update(expires=CONTENT)),
    "an expiry that is a number": _changed(lambda p: p["headers"].update(expires=1e400)),
    "an expiry without a zone": _changed(
        lambda p: p["headers"].update(expires="2026-11-28T04:19:00")
    ),
}
"""What it is → the element of a list."""

ODD: Final[Mapping[str, bytes]] = {
    "no delivery tag": _changed(lambda p: p["properties"].pop("delivery_tag")),
    "no properties": _changed(lambda p: p.pop("properties")),
    "another content type": _changed(lambda p: p.update({"content-type": "application/x-pickle"})),
    "another encoding": _changed(lambda p: p.update({"content-encoding": "utf-7"})),
    "compressed": _changed(lambda p: p["headers"].update(compression="application/x-gzip")),
    "for next year": _changed(lambda p: p["headers"].update(eta="2099-01-01T00:00:00+00:00")),
    "a time limit": _changed(lambda p: p["headers"].update(timelimit=[0.001, 0.001])),
    "followed by another": encode(
        genuine(),
        json.dumps([[str(uuid4())], {}, {"chain": [{"task": "x"}], "errbacks": 1}]).encode(),
    ),
}
"""What it is → an element that names task and row as ours do, and says more that is not heard."""
