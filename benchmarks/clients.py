"""Who looks at a job while it runs: a browser with the job's page open, and a script on the API.

Both ask at the rhythm of real ones and count what crosses the wire.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from benchmarks.held_page import HeldPage, attributes

SCRIPT_EVERY_S: Final = 0.5
"""Between two polls of a script that waits for its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to one request. wire_bytes: head and body as they came, before decompression."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    wire_bytes: int

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(slots=True)
class Tally:
    """Polls by status, and the bytes they brought."""

    polls: dict[int, int] = field(default_factory=dict)
    wire_bytes: dict[int, int] = field(default_factory=dict)

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        status = answer.status
        self.polls[status] = self.polls.get(status, 0) + 1
        self.wire_bytes[status] = self.wire_bytes.get(status, 0) + answer.wire_bytes


class _Client:
    """One kept connection, opened again when the server closed it. The headers of each request."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = dict(headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(
        self, path: str, headers: Mapping[str, str] = {}, *, body: Any = None, method: str = "GET"
    ) -> Answer:
        """One request. Raises RuntimeError for a status that is neither 2xx nor 304."""
        sent = {**self._headers, **headers}
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, data, sent)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()
            self._connection.request(method, path, data, sent)
            response = self._connection.getresponse()
        raw = response.read()
        if not (200 <= response.status < 300 or response.status == 304):
            raise RuntimeError(f"{method} {path}: status {response.status}")
        head = sum(len(name) + len(value) + 4 for name, value in response.getheaders())
        packed = response.headers.get("Content-Encoding") == "gzip"
        return Answer(
            status=response.status,
            headers=dict(response.headers.items()),
            body=gzip.decompress(raw) if packed else raw,
            wire_bytes=len(f"HTTP/1.1 {response.status} {response.reason}") + 4 + head + len(raw),
        )


class Browser(_Client):
    """A page of one job, open and visible: `webapp/static/progress.js` without the drawing.

    session: the value of the session's cookie.
    """

    def __init__(self, port: int, session: str) -> None:
        super().__init__(
            port,
            {
                "Accept": "*/*",
                "Accept-Encoding": "gzip, deflate",
                "Accept-Language": "en-US,en;q=0.9",
                "Cookie": f"sessionid={session}",
                "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
            },
        )
        self._fragment = self.tag = ""
        self._held = HeldPage()
        self.settled = False

    def open(self, job_id: object) -> Answer:
        """Load the page, whose root says what to poll."""
        answer = self.ask(f"/jobs/{job_id}/", {"Accept": "text/html"})
        root = _root(answer.text)
        self._fragment, self.tag = root["data-fragment"], root["data-etag"]
        self._held = HeldPage()
        self._held.load(answer.text)
        self.settled = "data-settled" in root
        return answer

    def poll(self, *, tag: str | None = None) -> Answer:
        """Ask as the script does for what changed. tag: instead of the last answer's."""
        tag = self.tag if tag is None else tag
        headers = {"Cache-Control": "no-cache", "Pragma": "no-cache", **self._held.headers()}
        if tag:
            headers["If-None-Match"] = tag
        answer = self.ask(self._fragment, headers)
        if answer.status == 200:
            self.tag = answer.headers.get("ETag", "")
            self.settled = "data-settled" in _root(answer.text)
            self._held.load(answer.text)
        return answer

    @staticmethod
    def pause_s(age_s: float) -> float:
        """How long the page waits after an answer, so long after it was opened."""
        return 0.7 if age_s < 30 else 1.4 if age_s < 180 else 3.5

    def watch(self, job_id: object, tally: Tally, stop: threading.Event) -> None:
        """Have the page open until its job is settled, or `stop` is set."""
        opened = time.monotonic()
        self.open(job_id)
        while not self.settled and not stop.wait(self.pause_s(time.monotonic() - opened)):
            tally.add(self.poll())


def _root(page: str) -> dict[str, str]:
    """The attributes of the element that polls."""
    found = re.search(r"<[a-z]+ [^>]*data-fragment=[^>]*>", page)
    if found is None:
        raise RuntimeError("no element of the page polls")
    return attributes(found[0])


class Script(_Client):
    """A script with a token: submits, then polls with `If-None-Match`."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__(
            port,
            {
                "Accept": "*/*",
                "Accept-Encoding": "gzip, deflate",
                "Authorization": f"Bearer {token}",
                "User-Agent": "python-requests/2.32",
            },
        )
        self.tag = ""

    def submit(self, lines: list[str]) -> str:
        """Submit a job; its id."""
        answer = self.ask(
            "/api/v1/jobs",
            {"Content-Type": "application/json"},
            body={"lines": lines},
            method="POST",
        )
        job_id: str = json.loads(answer.body)["id"]
        return job_id

    def poll(self, job_id: object, *, tag: str | None = None) -> Answer:
        """Ask for the job. tag: instead of the last answer's."""
        tag = self.tag if tag is None else tag
        answer = self.ask(f"/api/v1/jobs/{job_id}", {"If-None-Match": tag} if tag else {})
        if answer.status == 200:
            self.tag = answer.headers.get("ETag", "")
        return answer

    def watch(self, job_id: object, tally: Tally, stop: threading.Event) -> None:
        """Poll until the job is settled, or `stop` is set."""
        self.tag = ""
        while True:
            answer = self.poll(job_id)
            tally.add(answer)
            if answer.status == 200 and json.loads(answer.body)["settled_at"]:
                return
            if stop.wait(SCRIPT_EVERY_S):
                return
