"""A neutral sample as a fixture: its answers put together again, and a transport that gives them.

A sample is what `manage.py diagnose @name --record` writes, or what somebody posted in a report.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from stories.neutral.recording import endpoint
from tests.mock_transport import MockTransport

LARGE = 20_000
PREFIX, ANSWER = b"neutral", 7


def render(body: Mapping[str, Any]) -> bytes:
    """The bytes that a body of a sample stands for."""
    match body["kind"]:
        case "empty":
            return b" " * int(body["bytes"])
        case "json":
            return json.dumps(body["data"]).encode()
        case "challenge":
            return _challenge(body)
        case "page":
            text = json.dumps(body["data"]).replace("<", "\\u003C") if "data" in body else "{"
            script = f'<script id="{body["script"]}" type="application/json">{text}</script>'
            return _filled(body, script)
    return _filled(body, "")


def _filled(body: Mapping[str, Any], text: str) -> bytes:
    start = "<!DOCTYPE html>" if body["html"] else "not JSON "
    marks = " ".join(body["marks"])
    whole = f"{start}{text}<!-- {marks} -->" if marks else f"{start}{text}"
    return (whole + " " * (LARGE if body["large"] else 0)).encode()


def _challenge(body: Mapping[str, Any]) -> bytes:
    elements = dict(body["elements"])
    puzzle = elements.pop("cs", None)
    if puzzle is not None:
        answer = ANSWER if elements["solvable"] else -1
        digest = hashlib.sha256(PREFIX + b"%d" % answer).digest()
        if elements["solvable"] or isinstance(puzzle.get("v"), dict):
            puzzle["v"] |= {
                "a": base64.b64encode(PREFIX).decode(),
                "c": base64.b64encode(digest).decode(),
            }
        packed = base64.b64encode(json.dumps(puzzle, separators=(",", ":")).encode()).decode()
        elements["cs"] = packed.rstrip("=")
    text = "".join(
        f'<p id="{key}" class="{elements[key]}"></p>'
        for key in ("wci", "cs", "rci", "rs")
        if key in elements
    )
    return _filled(body, text)


def transport(sample: Mapping[str, Any]) -> MockTransport:
    """Gives the answers of a sample, each endpoint's in order, the last one again and again."""
    left: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for answer in sample["answers"]:
        left[answer["endpoint"]].append(answer)

    def handle(request: httpx.Request) -> httpx.Response:
        answers = left[endpoint(str(request.url))]
        if not answers:
            raise httpx.ConnectError("the sample has no such answer", request=request)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return httpx.Response(
            answer["status"], headers=answer["headers"], content=render(answer["body"])
        )

    return MockTransport(handle)


def moment(sample: Mapping[str, Any]) -> datetime:
    """The time at which it was recorded, in its own time."""
    return datetime.fromisoformat(sample["at"])
