"""A person with an API token, who submits, looks and takes, however often nobody answers."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

TRY_EVERY_S = 0.2
OPEN = {"queued", "running"}
_DIRECT = build_opener(ProxyHandler({}))


class Person:
    """Calls the API of one instance with one token."""

    def __init__(self, url: str, token: str) -> None:
        self.api, self._url, self._token = f"{url}/api/v1", url, token

    def call(self, method: str, path: str, body: object = None, *, key: str = "") -> Any:
        """One call; the JSON of the answer. Raises HTTPError, or OSError when nobody answers."""
        with self._open(method, f"{self.api}{path}", body, key) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def _open(self, method: str, url: str, body: object = None, key: str = "") -> Any:
        data = json.dumps(body).encode() if body is not None or method == "POST" else None
        request = Request(url, data, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("Idempotency-Key", key)
        try:
            return _DIRECT.open(request, timeout=60)
        except http.client.HTTPException as error:  # the server went away in mid-answer
            raise ConnectionError(str(error)) from error

    def insist(
        self, method: str, path: str, body: object = None, *, key: str = "", within: float = 90
    ) -> Any:
        """A call that is made again while nobody answers, or the answer is 503 or 409."""
        deadline = time.monotonic() + within
        while True:
            try:
                return self.call(method, path, body, key=key)
            except HTTPError as error:
                with error:
                    if error.code not in {409, 503}:
                        pytest.fail(f"{method} {path}: {error.code} {error.read()[:500]!r}")
            except (OSError, http.client.HTTPException):
                pass
            assert time.monotonic() < deadline, f"{method} {path}: nobody answers"
            time.sleep(TRY_EVERY_S)

    def submit(self, lines: Sequence[str], *, key: str = "", **body: Any) -> str:
        """Submit lines; the id of the job. With a key it is made once, however often asked for."""
        return str(self.insist("POST", "/jobs", {"lines": list(lines), **body}, key=key)["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """A job as the API shows it."""
        shown: dict[str, Any] = self.insist("GET", f"/jobs/{job_id}")
        return shown

    def is_settled(self, job_id: str) -> bool:
        """Whether nothing more happens to a job."""
        return self.job(job_id)["settled_at"] is not None

    def body_of(self, file: dict[str, Any]) -> bytes:
        """A file as it is served."""
        with self._open("GET", f"{self._url}{file['url']}") as answer:
            return bytes(answer.read())

    def digest_of(self, file: dict[str, Any]) -> tuple[int, str]:
        """Length and SHA-256 of a file as it is served."""
        body = self.body_of(file)
        return len(body), hashlib.sha256(body).hexdigest()

    def usage(self) -> dict[str, int]:
        """What this person uses of their limits."""
        used: dict[str, int] = self.insist("GET", "/me")["usage"]
        return used

    def forget(self, job_id: str) -> None:
        """Forget a job, asked for until it is not there any more."""
        while True:
            try:
                self.call("DELETE", f"/jobs/{job_id}")
            except HTTPError as error:
                with error:
                    if error.code == 404:
                        return
                    if error.code != 503:
                        pytest.fail(f"forgetting {job_id}: {error.code} {error.read()[:500]!r}")
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(TRY_EVERY_S)
